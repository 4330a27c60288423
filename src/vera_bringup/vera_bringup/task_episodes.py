# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which episodes an evaluation of a task runs: goals and wordings, those held out of training among them, and what chance would reach."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vera_bringup.task_run import Episode
from vera_core.goals import all_goals, held_out_goals

FIRST_SEED = 2**32
"""Scenes of episodes have seeds from here on; no training data is drawn there."""


def draw_task_episodes(task: str, *, episodes: int, seed: int) -> Iterator[Episode]:
    """Draw scenes, goals and wordings.

    Every second wording is one no training saw; where a task holds goals out, so is every second pair of goals.

    Raises:
        ConfigError: If the task is unknown.
    """
    from vera_planner.wordings import sentences
    from vera_sim.clips import clip_goal

    has_held_out = bool(held_out_goals(task))
    for index in range(episodes):
        rng = np.random.default_rng([seed, index, 91])
        scene = int(rng.integers(FIRST_SEED, 2**48))
        held_out, held_out_goal = index % 2 == 1, has_held_out and index % 4 >= 2
        goal = clip_goal(task, scene, held_out=held_out_goal)
        choice = sentences(goal, held_out=held_out)
        yield Episode(
            seed=scene,
            target=goal.target,
            prompt=choice[int(rng.integers(len(choice)))],
            held_out=held_out,
            task=task,
            direction=goal.direction,
            onto=goal.onto,
            held_out_goal=held_out_goal,
        )


def chance(task: str) -> float:
    """Return the success of a robot that does the task without fault but draws the goal: one over the number of goals."""
    return 1.0 / len(all_goals(task))
