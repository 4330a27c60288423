# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of self-play with a running graph; it imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def self_play(
    robot: Annotated[
        str, typer.Option(help='Embodiment of the running system: the name of a shipped robot or the path of a YAML file.')
    ] = 'fr3',
    out: Annotated[Path | None, typer.Option(help='Folder for the recordings (MCAP); data/ROBOT/selfplay_real when left out.')] = None,
    namespace: Annotated[str, typer.Option(help='Namespace of the running system.')] = 'vera',
    seconds: Annotated[float, typer.Option(min=1.0, help='Length, s.')] = 600.0,
    speed: Annotated[float, typer.Option(help='Share of the velocity limit, (0, 1], times the speed scale of the controller.')] = 0.5,
    reach: Annotated[float, typer.Option(help='Share of the way from home to the limits of every joint, (0, 1].')] = 0.4,
    seed: Annotated[int, typer.Option(help='Same seed, same draw.')] = 0,
) -> None:
    """Have a running, armed system move its arm at random within all gates, and record what a training of the field needs."""
    from vera_bringup.selfplay.play import SelfPlayRequest
    from vera_bringup.selfplay.play import self_play as play
    from vera_bringup.training import data_folder

    folder = out or data_folder(robot, 'selfplay_real')
    wanted = SelfPlayRequest(robot=robot, out=folder, namespace=namespace.strip('/'), seconds=seconds, speed=speed, reach=reach, seed=seed)
    raise typer.Exit(play(wanted))


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name='self-play')(self_play)
