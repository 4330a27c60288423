# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of recordings; like every command, each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vera_core.errors import ConfigError, nearest_name_hint

PICTURES = ('jpeg', 'png', 'raw')
STAGES = ('camera', 'plan', 'flow', 'estimate')

export_app = typer.Typer(help='Turn recordings into data sets and videos.', no_args_is_help=True)

RecordingPath = Annotated[Path, typer.Argument(help='Recording (.mcap) of vera record or of the black box.')]
RobotOfFile = Annotated[str, typer.Option(help="Embodiment, by name or path; the recording's own when left out.")]


def _known(what: str, given: str, known: tuple[str, ...]) -> str:
    if given not in known:
        raise ConfigError(f"unknown {what} '{given}'; {nearest_name_hint(given, known)}")
    return given


def record(
    file: Annotated[Path, typer.Argument(help='File to write, ending in .mcap.')],
    robot: Annotated[str, typer.Option(help='Embodiment: the name of a shipped robot or the path of a YAML file.')] = 'panda',
    namespace: Annotated[str, typer.Option(help='Namespace of the running system.')] = 'vera',
    pictures: Annotated[str, typer.Option(help='How camera pictures are kept: jpeg, png (without loss) or raw.')] = 'jpeg',
    topic: Annotated[list[str] | None, typer.Option(help='A topic beside the usual ones. May be repeated.')] = None,
    without: Annotated[list[str] | None, typer.Option(help='A usual topic to leave out, for example flow. May be repeated.')] = None,
    duration: Annotated[float, typer.Option(min=0.0, help='Length, s; 0: until Ctrl-C.')] = 0.0,
) -> None:
    """Record a running system into one MCAP file that ros2 bag, Foxglove, mcap and rosbags read."""
    _known('picture format', pictures, PICTURES)
    from vera_bringup.recording.pictures import PictureFormat
    from vera_bringup.recording.record import RecordRequest
    from vera_bringup.recording.show import record_and_show

    wanted = RecordRequest(
        path=file, robot=robot, namespace=namespace.strip('/'), pictures=PictureFormat(pictures), more=tuple(topic or ()),
        without=tuple(without or ()), duration_s=duration,
    )  # fmt: skip
    raise typer.Exit(record_and_show(wanted))


def replay(
    file: RecordingPath,
    check: Annotated[bool, typer.Option('--check', help='Repeat the decisions without a graph and compare commands and reports.')] = False,
    stage: Annotated[
        str,
        typer.Option('--from', help='What is published: camera (pictures), plan, flow or estimate; later stages are left to the nodes.'),
    ] = 'camera',
    rate: Annotated[float, typer.Option(min=0.05, max=20.0, help='Recorded seconds per second.')] = 1.0,
    namespace: Annotated[str, typer.Option(help='Namespace to publish in.')] = 'vera',
    robot: RobotOfFile = '',
    alone: Annotated[bool, typer.Option('--alone', help='Only publish; start no nodes.')] = False,
    out: Annotated[Path | None, typer.Option(help='Record what the nodes answer into this file (.mcap).')] = None,
) -> None:
    """Drive the nodes from a recording, or repeat its decisions exactly (--check). No robot moves: the driver is not started."""
    if check:
        from vera_bringup.recording.show import check_and_show

        raise typer.Exit(check_and_show(file, robot=robot))
    _known('stage', stage, STAGES)
    from vera_bringup.recording.replay import ReplayRequest, replay_and_show

    wanted = ReplayRequest(path=file, stage=stage, rate=rate, namespace=namespace.strip('/'), robot=robot, starts_nodes=not alone, out=out)
    raise typer.Exit(replay_and_show(wanted))


@export_app.command(name='lerobot')
def export_lerobot(
    files: Annotated[list[Path], typer.Argument(help='Recordings (.mcap); each task in them becomes an episode.')],
    out: Annotated[Path, typer.Option(help='Folder of the data set; must not exist.')],
    robot: RobotOfFile = '',
    fps: Annotated[int, typer.Option(min=1, max=60, help='Frames per second of the data set.')] = 10,
) -> None:
    """Write a LeRobot data set (v3.0): pictures as video, measured joints as state, commanded joints as action. Needs pyarrow."""
    from vera_bringup.recording.lerobot import export

    raise typer.Exit(export(files, out, robot=robot, fps=fps))


@export_app.command(name='video')
def export_video(
    file: RecordingPath,
    out: Annotated[Path, typer.Option(help='Video to write (.mp4).')],
    robot: RobotOfFile = '',
    field: Annotated[bool, typer.Option(help='Show the Jacobian field too; it is computed from the recorded pictures.')] = True,
) -> None:
    """Draw camera, dream, flow and field of every view side by side, beside the joint velocities."""
    from vera_bringup.recording.video_file import export

    raise typer.Exit(export(file, out, robot=robot, with_field=field))


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(record)
    app.command()(replay)
    app.add_typer(export_app, name='export')
