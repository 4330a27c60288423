# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera demo`: the main job end to end, once, with a table and a video to look at."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from vera_bringup.progress import TaskProgress
from vera_bringup.recordings import ExpertClips
from vera_bringup.supervision import isolate, running_system
from vera_bringup.system import load_system
from vera_bringup.tables import demo_table
from vera_bringup.task_run import Episode, EpisodeRow, run_task, topics_for_video
from vera_bringup.timeline import Timeline
from vera_bringup.video import Video, write_mp4
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_jidm.registry import JACOBIAN_MODELS

LOG_FILE = Path('demo.log')


def run_demo(*, prompt: str, target: str, planner: str, robot_name: str, seed: int, video: Path) -> int:
    """Run one task in a new scene and return 0 only when the simulator says that the object named was touched."""
    console = Console(soft_wrap=True)
    began = time.monotonic()
    robot = load_embodiment(robot_name)
    episode = Episode(seed=seed, target=target or target_of(prompt), prompt=prompt, held_out=False)
    system = load_system(f'{robot.name}_sim', robot=robot_name, planner=planner)
    console.print(f'[bold]{system.description}[/]; nodes {", ".join(system.node_names)}; ROS_DOMAIN_ID {isolate()}')
    with (
        ExpertClips(planner) as clips,
        running_system(system, record=topics_for_video(robot), log_file=LOG_FILE) as (_, session),
    ):
        console.print(f'all nodes are up after {time.monotonic() - began:.1f} s; scene {seed}, sentence "{prompt}"')
        with TaskProgress(console, session, prompt) as progress:
            row = run_task(session, episode, prepare=clips.prepare, on_feedback=progress.on_feedback)
        recorder = session.recorder
    console.print(demo_table(row))
    _write_video(console, Timeline(recorder, robot), robot, row, video)
    console.print(f'what the nodes printed: {LOG_FILE}; whole command {time.monotonic() - began:.0f} s')
    return 0 if row.success else 1


def target_of(prompt: str) -> str:
    """Return the cube a sentence is about, for the simulator's success check.

    Raises:
        ConfigError: If no colour of the simulated cubes is in it.
    """
    from vera_sim.scene import COLOURS

    named = [colour for colour in COLOURS if colour in prompt.lower()]
    if len(named) != 1:
        known = ', '.join(f'{colour}_cube' for colour in COLOURS)
        raise ConfigError(f"which object is '{prompt}' about? Give it with --target, one of {known}")
    return f'{named[0]}_cube'


def _write_video(console: Console, timeline: Timeline, robot: Embodiment, row: EpisodeRow, path: Path) -> None:
    began = time.monotonic()
    film = Video(timeline, robot, JACOBIAN_MODELS.make('learned', robot=robot), prompt=row.prompt)
    with console.status(f'drawing {path}'):
        codec = write_mp4(path, film.frames(), size=film.size)
    console.print(f'video: {path} ({path.stat().st_size / 1e6:.1f} MB, {codec}, drawn in {time.monotonic() - began:.0f} s)')
