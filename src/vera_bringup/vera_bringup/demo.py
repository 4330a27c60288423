# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera demo`: the main job end to end, a sentence after the other, with a table of each and one video to look at."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import chain
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
from vera_core.goals import all_goals
from vera_jidm.registry import JACOBIAN_MODELS

LOG_FILE = Path('demo.log')
PROMPTS = ('touch the red cube', 'push the green cube to the left')


def run_demo(*, prompts: Sequence[str], target: str, planner: str, robot_name: str, seed: int, video: Path) -> int:
    """Carry out sentences, each in a new scene, and return 0 only when the simulator says that all of it was done.

    Args:
        prompts: What to do, one after the other.
        target: Object the success check is about; empty: the one that each sentence names.
        planner: Backend by name.
        robot_name: Robot by name or file.
        seed: Of the first scene; the others follow.
        video: Where the video goes.

    Raises:
        ConfigError: If a sentence does not say what the simulator is to check.
    """
    console = Console(soft_wrap=True)
    began = time.monotonic()
    robot = load_embodiment(robot_name)
    episodes = [episode_of(prompt, seed + index, target) for index, prompt in enumerate(prompts)]
    system = load_system(f'{robot.name}_sim', robot=robot_name, planner=planner)
    console.print(f'[bold]{system.description}[/]; nodes {", ".join(system.node_names)}; ROS_DOMAIN_ID {isolate()}')
    with (
        ExpertClips(planner) as clips,
        running_system(system, record=topics_for_video(robot), log_file=LOG_FILE) as (_, session),
    ):
        console.print(f'all nodes are up after {time.monotonic() - began:.1f} s')
        done: list[tuple[EpisodeRow, Timeline]] = []
        for episode in episodes:
            console.print(f'scene {episode.seed}, sentence "{episode.prompt}"')
            with TaskProgress(console, session, episode.prompt) as progress:
                row = run_task(session, episode, prepare=clips.prepare, on_feedback=progress.on_feedback)
            console.print(demo_table(row))
            done.append((row, Timeline(session.recorder, robot)))
    _write_video(console, done, robot, video)
    console.print(f'what the nodes printed: {LOG_FILE}; whole command {time.monotonic() - began:.0f} s')
    return 0 if all(row.success for row, _ in done) else 1


def episode_of(prompt: str, seed: int, target: str = '') -> Episode:
    """Return what the simulator is to check about a sentence, read from its plain words and not by the planner that is on trial.

    Args:
        prompt: The sentence: the colour of one cube, and for a push the word and the way.
        seed: Of the scene.
        target: Object, when the sentence does not name it.

    Raises:
        ConfigError: If it does not say which cube, or which way to push it.
    """
    from vera_sim.scene import COLOURS

    words = re.findall(r'[a-z]+', prompt.lower())
    named = [colour for colour in COLOURS if colour in words]
    if not target and len(named) != 1:
        known = ', '.join(f'{colour}_cube' for colour in COLOURS)
        raise ConfigError(f"which object is '{prompt}' about? Give it with --target, one of {known}")
    target = target or f'{named[0]}_cube'
    if 'push' not in words:
        return Episode(seed=seed, target=target, prompt=prompt, held_out=False)
    ways = sorted({goal.direction for goal in all_goals('push')})
    said = [way for way in ways if way in words]
    if len(said) != 1:
        raise ConfigError(f"which way does '{prompt}' push? Say one of {', '.join(ways)}")
    return Episode(seed=seed, target=target, prompt=prompt, held_out=False, task='push', direction=said[0])


def _write_video(console: Console, done: Sequence[tuple[EpisodeRow, Timeline]], robot: Embodiment, path: Path) -> None:
    began = time.monotonic()
    field = JACOBIAN_MODELS.make('learned', robot=robot)
    films = [Video(timeline, robot, field, prompt=row.prompt) for row, timeline in done]
    with console.status(f'drawing {path}'):
        codec = write_mp4(path, chain.from_iterable(film.frames() for film in films), size=films[0].size)
    console.print(f'video: {path} ({path.stat().st_size / 1e6:.1f} MB, {codec}, drawn in {time.monotonic() - began:.0f} s)')
