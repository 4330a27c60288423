# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A scripted expert carries out a goal in the physics: what demonstrations are filmed from, and how often the expert itself succeeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from vera_core.goals import Goal, checked_goal
from vera_core.shapes import FloatArray
from vera_sim.tasks import find_task
from vera_sim.tasks.task import EXPERT_DT_S
from vera_sim.world import TIMESTEP_S, World

StartOf = Callable[[World, Goal, int], FloatArray]

CHECK_PERIOD_S = 0.02
SETTLE_S = 0.9
"""The expert holds still this long at its end."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Performance:
    """What the expert did."""

    goal: Goal
    seed: int
    states: FloatArray
    """States of the world, shape (T, nq), for `World.show`."""
    joints: FloatArray
    """Measured joints with them, shape (T, n), rad or m."""
    success: bool
    text: str
    """How far it came, in words."""


def perform(
    world: World, goal: Goal, seed: int, *, every_s: float, settle_s: float = SETTLE_S, start_of: StartOf | None = None
) -> Performance:
    """Let the expert carry out `goal` in the scene and from the start pose of `seed`; robot and scene of `world` are replaced.

    Args:
        world: Where it happens.
        goal: What to do.
        seed: Scene, start pose and the expert's own variation.
        every_s: Time between two states that are kept, s; the first is the start, the last comes after the end.
        settle_s: How long the expert holds still at its end.
        start_of: Draws another start in the scene of `world`, by goal and seed; that of the task's episodes when left out.

    Raises:
        ConfigError: If the goal is none of its task's, or out of reach.
    """
    task = find_task(checked_goal(goal).task)
    world.set_scene(task.scene(world.robot, seed, goal))
    start = start_of(world, goal, seed) if start_of else task.start(world, seed)
    path = task.expert(world, goal, start, seed=seed)
    world.set_joints(start)
    check = task.check(world, goal)
    times = np.arange(len(path)) * EXPERT_DT_S
    spline = CubicSpline(times, path, bc_type='clamped')
    frames = int(np.ceil((times[-1] + settle_s) / every_s))
    kept, checked = round(every_s / TIMESTEP_S), round(CHECK_PERIOD_S / TIMESTEP_S)
    states, joints = [world.state], [world.joint_position]
    moments = (np.arange(1, frames * kept + 1) * TIMESTEP_S).clip(max=times[-1])
    for step, (q, rate) in enumerate(zip(spline(moments), spline(moments, 1), strict=True), start=1):
        world.step(q, rate)
        if step % checked == 0:
            check.update(world, CHECK_PERIOD_S)
        if step % kept == 0:
            states.append(world.state)
            joints.append(world.joint_position)
    return Performance(goal=goal, seed=seed, states=np.stack(states), joints=np.stack(joints), success=check.success, text=check.text)
