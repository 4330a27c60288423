# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera experts` and `vera clips`: how often the scripted experts succeed, and their videos for the training of planners."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from vera_bringup.statistics import wilson_interval
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.goals import all_goals
from vera_sim.clip_set import write_dataset
from vera_sim.clips import STEP_DT_S
from vera_sim.tasks import find_task
from vera_sim.tasks.perform import perform
from vera_sim.world import World


def measure_expert(task: str, robot: str, *, seeds: range) -> int:
    """Let the expert do its task in the scenes of `seeds`, all goals in turn, and print its success; return 0.

    Raises:
        ConfigError: If the task is unknown.
        EmbodimentError: If the robot is unknown or not one for the task.
    """
    console = Console(soft_wrap=True)
    world = World(load_embodiment(robot or find_task(task).robot))
    goals = all_goals(task)
    successes, frames, began = 0, 0, time.monotonic()
    for number, seed in enumerate(seeds):
        goal = goals[number % len(goals)]
        try:
            done = perform(world, goal, seed, every_s=STEP_DT_S)
            success, text, length = done.success, done.text, len(done.states)
        except ConfigError as error:
            success, text, length = False, str(error), 0
        successes, frames = successes + success, frames + length
        console.print(f'{seed} │ {goal} │ {"[green]yes[/]" if success else "[red]no[/]"} │ {length * STEP_DT_S:.1f} s │ {text}')
    world.close()
    low, high = wilson_interval(successes, len(seeds))
    console.print(
        f'expert of {task}: {successes} of {len(seeds)} = {successes / len(seeds):.0%} (95 %: {low:.0%} to {high:.0%}); chance: drawing one of '
        f'{len(goals)} goals is right in {1 / len(goals):.1%}; {(time.monotonic() - began) / len(seeds):.1f} s each'
    )
    return 0


def film_clips(task: str, robot: str, out: Path, *, seeds: range, held_out: bool) -> int:
    """Film the expert of a task for `seeds`, print what was left out and how fast it went; return 0.

    Raises:
        ConfigError: If the task is unknown, or holds nothing out although held-out goals are asked for.
        EmbodimentError: If the robot is unknown or not one for the task.
    """
    console, began = Console(soft_wrap=True), time.monotonic()
    embodiment = load_embodiment(robot or find_task(task).robot)
    filmed = 0
    with Progress(console=console, transient=True) as progress:
        shown = progress.add_task(f'filming {task} into {out}', total=len(seeds))

        def note(seed: int) -> None:
            nonlocal filmed
            filmed += 1
            progress.update(shown, completed=seed - seeds.start + 1)

        left_out = write_dataset(embodiment, out, seeds, task=task, held_out=held_out, on_clip=note)
    spent_s = time.monotonic() - began
    rate = f', {spent_s / filmed:.1f} s each' if filmed else ''
    console.print(
        f'{filmed} videos of {task} filmed into {out}{rate}; {left_out} left out because the expert failed; '
        f'{len(seeds) - filmed} seeds were there already'
    )
    return 0
