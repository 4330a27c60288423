# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Videos: of the scripted experts, what a video planner learns from and the `recorded` planner plays back; and of any motion of any robot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from vera_core.errors import ConfigError
from vera_core.goals import Goal, all_goals, held_out_goals, training_goals
from vera_core.imaging import to_working_size
from vera_core.shapes import Array, FloatArray, RgbArray, check_shapes
from vera_sim.expert import PRESS_M, reach_path, sample_start
from vera_sim.scene import COLOURS, sample_scene
from vera_sim.tasks.perform import Performance, StartOf, perform
from vera_sim.tasks.pick import missed_start
from vera_sim.world import World

STEP_DT_S = 0.3
HOLD_FRAMES = 3
WORKING_SIZE = 128
LOW_STARTS: Mapping[str, StartOf] = {'pick': missed_start, 'stack': missed_start}
"""Where a low start is, by task; reach has its own."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Clip:
    """One expert video, all views at working size, `STEP_DT_S` between frames."""

    seed: int
    goal: Goal
    success: bool
    """Whether the expert reached the goal; reach is drawn without physics and always does."""
    colour: str
    """Colour word of the goal's target."""
    frames: Mapping[str, RgbArray]
    """View to (T, 128, 128, 3), uint8."""
    masks: Mapping[str, Array]
    """View to (T, 128, 128), uint8: how much of each pixel the robot covers, 0..255."""
    tip_uv: Mapping[str, FloatArray]
    """View to (T, 2): pixel of the fingertip. For evaluation only."""
    marks_uv: Mapping[str, FloatArray]
    """View to (T, K, 2): pixels of the points that tell how the fingers stand, `World.marks`."""
    cube_uv: Mapping[str, FloatArray]
    """View to (C, 2): pixel of every cube's touch point at the start, in the order of `scene.COLOURS`."""
    moved_uv: Mapping[str, FloatArray]
    """View to (T, C, 2): pixel of every cube's middle. For evaluation only."""
    joints: FloatArray
    """Shape (T, n), rad or m: for evaluation only; data sets for planners leave it out."""

    @property
    def target(self) -> str:
        """Cube the goal is about."""
        return self.goal.target


def clip_target(seed: int) -> str:
    """Cube a clip or an episode of reach of that seed is about."""
    colours = list(COLOURS)
    return f'{colours[int(np.random.default_rng([seed, 51]).integers(len(colours)))]}_cube'


def clip_goal(task: str, seed: int, *, held_out: bool | None = False) -> Goal:
    """Draw the goal of a clip or an episode of that seed.

    Args:
        task: Name of the task.
        seed: Same seed, same goal.
        held_out: Draw among the goals trainings may show, among those held out of them, or among all (None).

    Raises:
        ConfigError: If the task is unknown or holds nothing out.
    """
    if task == 'reach':
        return Goal(task=task, target=clip_target(seed))
    goals = all_goals(task) if held_out is None else held_out_goals(task) if held_out else training_goals(task)
    if not goals:
        raise ConfigError(f'task {task} holds no goal out of training; see vera_core/goals.yaml')
    return goals[int(np.random.default_rng([seed, 53]).integers(len(goals)))]


def make_clip(
    world: World, seed: int, *, target: str | None = None, goal: Goal | None = None, low_start: bool = False, with_masks: bool = True
) -> Clip:
    """Film the expert at work in the scene of `seed`, from the start pose of `seed`; the last frames hold still.

    The robot of `world` is moved and its scene replaced.

    Args:
        world: Where it happens.
        seed: Scene, start pose and the expert's own variation.
        target: Short for a goal of reach.
        goal: What is shown; when both are left out, reach for the cube `clip_target` draws.
        low_start: Start reach from just above the cubes, pick and stack as after a grasp that failed; see `LOW_STARTS`.
        with_masks: Whether to render where the robot is, which costs as much as the pictures.

    Raises:
        ConfigError: If the goal cannot be asked for, or is out of reach.
    """
    goal = goal or Goal(task='reach', target=target or clip_target(seed))
    if goal.task == 'reach':
        shown = _reach_states(world, seed, goal.target, low_start=low_start)
    else:
        shown = perform(world, goal, seed, every_s=STEP_DT_S, start_of=LOW_STARTS.get(goal.task) if low_start else None)
    cubes = world.scene.cubes
    tops = np.array([cube.top - [0.0, 0.0, PRESS_M] for cube in cubes]).reshape(-1, 3)
    views = world.robot.view_names
    cube_uv = {view: world.project(view, tops, WORKING_SIZE) for view in views}
    frames: dict[str, list[RgbArray]] = {view: [] for view in views}
    masks: dict[str, list[Array]] = {view: [] for view in views}
    tips: dict[str, list[FloatArray]] = {view: [] for view in views}
    moved: dict[str, list[FloatArray]] = {view: [] for view in views}
    marks: dict[str, list[FloatArray]] = {view: [] for view in views}
    for state in shown.states:
        world.show(state)
        middles = np.array([world.cube_position(cube.name) for cube in cubes]).reshape(-1, 3)
        for view in views:
            frames[view].append(to_working_size(world.render(view), (WORKING_SIZE, WORKING_SIZE)))
            tips[view].append(world.project(view, world.fingertip, WORKING_SIZE)[0])
            moved[view].append(world.project(view, middles, WORKING_SIZE))
            marks[view].append(world.project(view, world.marks, WORKING_SIZE))
            if with_masks:
                mask = world.robot_mask(view).astype(np.uint8) * 255
                masks[view].append(cv2.resize(mask, (WORKING_SIZE, WORKING_SIZE), interpolation=cv2.INTER_AREA))
    return Clip(
        seed=seed,
        goal=goal,
        success=shown.success,
        colour=world.scene.cube(goal.target).colour,
        frames={view: np.stack(frames[view]) for view in views},
        masks={view: np.stack(masks[view]) if with_masks else np.zeros((0, WORKING_SIZE, WORKING_SIZE), np.uint8) for view in views},
        tip_uv={view: np.stack(tips[view]) for view in views},
        marks_uv={view: np.stack(marks[view]) for view in views},
        cube_uv=cube_uv,
        moved_uv={view: np.stack(moved[view]) for view in views},
        joints=shown.joints,
    )


def _reach_states(world: World, seed: int, target: str, *, low_start: bool) -> Performance:
    """The reaching arm without physics: nothing moves but the robot."""
    world.set_scene(sample_scene(world.robot, seed))
    path = reach_path(world, target, sample_start(seed, low=low_start), dt_s=STEP_DT_S, seed=seed)
    path = np.concatenate([path, np.repeat(path[-1:], HOLD_FRAMES, axis=0)])
    states = []
    for q in path:
        world.set_joints(q)
        states.append(world.state)
    return Performance(goal=Goal(task='reach', target=target), seed=seed, states=np.stack(states), joints=path, success=True, text='')


def make_motion_clip(world: World, path: FloatArray) -> dict[str, RgbArray]:
    """Render the robot of `world` in the poses of `path`, shape (T, n), rad, one picture each; objects stay where they are.

    Returns:
        View name to pictures at the robot's working size, shape (T, H, W, 3), uint8.
    """
    check_shapes(path=(path, f'T {len(world.robot.joints)}'))
    frames: dict[str, list[RgbArray]] = {view: [] for view in world.robot.view_names}
    for q in path:
        world.set_joints(q)
        for view, pictures in frames.items():
            pictures.append(to_working_size(world.render(view), world.robot.working_size))
    return {view: np.stack(pictures) for view, pictures in frames.items()}
