# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""pick: lift the named cube off the table and hold it there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, EmbodimentError
from vera_core.goals import Goal
from vera_core.shapes import FloatArray
from vera_sim.expert import fingertip_position
from vera_sim.poses import pose_sampler
from vera_sim.robots.panda import GRIPPER, PINION_M
from vera_sim.scene import Cube, Scene, sample_scene
from vera_sim.tasks.hand_path import Waypoint, heading_of, path_through, pointing_down
from vera_sim.world import World

NEEDED_LIFT_M = 0.05
NEEDED_TIME_S = 0.5
LARGEST_EDGE_M = 0.052
"""Of a cube that leaves the open fingers room beside it."""
EXPERT_LIFT_M = 0.12
OPEN_M = 0.038
"""Way of each finger from the middle while the hand comes down."""
SQUEEZE_M = 0.008
"""How far each finger sinks into the foam."""
HOVER_M, HOVER_SPREAD_M = 0.09, 0.025
"""Height of the fingertips over the top face before they go down, and how far it varies."""
HOVER_ASIDE_M, HOVER_FARTHEST_M = 0.013, 0.026
"""Standard deviation, on either axis, of where that is beside the middle of the cube, and the most it may be. An expert that is always exactly over its cube goes
straight down from there, and who learns from it goes straight down too, wherever the hand is."""
GRASP_M = 0.006
"""Height of the fingertips under the middle of the cube."""
LOWEST_M = 0.021
LIFT_SPEED_M_S = 0.10
CLOSING_S = 2.6
STRADDLE_M = 0.008
"""Room beside the cube, each finger, with which a hand over it goes straight down."""
OVER_M = 0.012
"""A hand is over a cube when its fingertips are this far over its top face …"""
SLOPE = 0.4
"""… and at most this much aside of its middle for each metre over it."""
MISSED_OPEN_SHARE = 0.4
"""Share of the misses after which the fingers are wide open; they are anywhere in the others."""
MISSED_SPREAD_M = 0.018
"""Standard deviation of how far aside a hand is that missed and stands over its cube."""
MISSED_ASIDE_M = (0.045, 0.07)
MISSED_OVER_M = (OVER_M, 0.13)
MISSED_BESIDE_SHARE = 0.3
ATTEMPTS = 400


class PickCheck:
    """The cube has been off the table for long enough, and still is."""

    def __init__(self, world: World, goal: Goal) -> None:
        self._goal = goal
        self._start_m = float(world.cube_position(goal.target)[2])
        self._lift_m = 0.0
        self._held_s = 0.0

    def update(self, world: World, period_s: float) -> None:
        """Look how high the cube is."""
        self._lift_m = float(world.cube_position(self._goal.target)[2]) - self._start_m
        self._held_s = self._held_s + period_s if self._lift_m >= NEEDED_LIFT_M else 0.0

    @property
    def success(self) -> bool:
        """Whether the cube is held up."""
        return self._held_s >= NEEDED_TIME_S

    @property
    def text(self) -> str:
        """How high it is."""
        return f'{self._goal.target} is {self._lift_m * 1e3:.0f} of {NEEDED_LIFT_M * 1e3:.0f} mm up, for {self._held_s:.1f} of {NEEDED_TIME_S} s'


class Pick:
    """Lift the target."""

    name = 'pick'
    robot = 'panda_gripper'
    max_duration_s = 40.0

    def scene(self, robot: Embodiment, seed: int, goal: Goal) -> Scene:
        """Draw scenes until the target fits between the fingers.

        Raises:
            EmbodimentError: If the robot has no driven gripper.
            ConfigError: If no draw fits; the text says what to do.
        """
        return fitting_scene(robot, seed, goal)

    def start(self, world: World, seed: int) -> FloatArray:
        """Draw from the robot's usual start poses."""
        return pose_sampler(world).start_pose(seed)

    def expert(self, world: World, goal: Goal, q_start: FloatArray, *, seed: int) -> FloatArray:
        """Go above the cube, down around it, close, and lift.

        Raises:
            ConfigError: If the goal is out of reach.
        """
        grasp = grasp_waypoints(world.scene.cube(goal.target), q_start, np.random.default_rng([seed, 43]))
        last = grasp[-1]
        up = Waypoint(
            position=last.position + np.array([0.0, 0.0, EXPERT_LIFT_M]),
            rotation=last.rotation,
            opening=last.opening,
            peak_speed_m_s=LIFT_SPEED_M_S,
        )
        return path_through(q_start, (*grasp, up))

    def check(self, world: World, goal: Goal) -> PickCheck:
        """Return a check that remembers how high the cube is now."""
        return PickCheck(world, goal)


def fitting_scene(robot: Embodiment, seed: int, goal: Goal, fits: Callable[[Scene], bool] = lambda scene: True) -> Scene:
    """Draw scenes until the target of `goal` fits between the fingers, and whatever else a task asks for `fits`: same seed and goal, same scene.

    Raises:
        EmbodimentError: If the robot has no driven gripper.
        ConfigError: If no draw fits; the text says what to do.
    """
    if GRIPPER not in robot.joint_names:
        raise EmbodimentError(
            f'task {goal.task} needs a gripper that is driven, and robot {robot.name} has none; take --robot panda_gripper'
        )
    for attempt in range(ATTEMPTS):
        scene = sample_scene(robot, seed, attempt=attempt)
        if scene.cube(goal.target).size <= LARGEST_EDGE_M and fits(scene):
            return scene
    raise ConfigError(f'seed {seed} has no scene for {goal} in {ATTEMPTS} draws; take another seed')


def grasp_waypoints(cube: Cube, q_start: FloatArray, rng: np.random.Generator) -> tuple[Waypoint, ...]:
    """Return the way from above a cube to a closed grip around it; a hand that is there with open fingers goes straight down.

    The hand keeps its heading: a cube that lies askew is turned by the fingers as they close.
    """
    heading = heading_of(q_start[:7]) + rng.normal(0, 0.03)
    down = pointing_down(heading)
    middle = cube.floor + cube.size / 2
    at = np.array([*cube.xy, max(cube.floor + LOWEST_M, middle - GRASP_M)])
    above = np.array([*(np.asarray(cube.xy) + near(rng)), cube.floor + cube.size + HOVER_M + rng.uniform(-1, 1) * HOVER_SPREAD_M])
    begin = () if _stands_ready(cube, q_start) else (Waypoint(position=above, rotation=down, opening=OPEN_M),)
    return (
        *begin,
        Waypoint(position=at, rotation=down, opening=OPEN_M),
        Waypoint(position=at, rotation=down, opening=cube.size / 2 - SQUEEZE_M, shortest_s=CLOSING_S, wait_s=0.3),
    )


def near(rng: np.random.Generator) -> FloatArray:
    """Draw a place beside the middle of a cube where a hand that goes down to it, or brings something, may begin, (2,), m."""
    aside = rng.normal(0.0, HOVER_ASIDE_M, 2)
    return np.asarray(aside * min(1.0, HOVER_FARTHEST_M / float(np.linalg.norm(aside))))


def _stands_ready(cube: Cube, q: FloatArray) -> bool:
    tip = fingertip_position(q[:7])
    height = tip[2] - cube.floor - cube.size
    is_over = np.linalg.norm(tip[:2] - cube.xy) < SLOPE * height and OVER_M < height < HOVER_M + HOVER_SPREAD_M
    return bool(is_over and PINION_M * q[7:].sum() > cube.size / 2 + STRADDLE_M)


def missed_start(world: World, goal: Goal, seed: int) -> FloatArray:
    """Draw a pose as after a grasp that failed: over the target or beside it, the fingers anywhere between closed and open; same seed, same pose.

    Raises:
        ConfigError: If it is out of reach.
    """
    rng, cube = np.random.default_rng([seed, 61]), world.scene.cube(goal.target)
    q = pose_sampler(world).start_pose(seed)
    angle, opening = rng.uniform(-np.pi, np.pi), OPEN_M if rng.random() < MISSED_OPEN_SHARE else rng.uniform(0.0, OPEN_M)
    if rng.random() < MISSED_BESIDE_SHARE:
        aside, height = rng.uniform(*MISSED_ASIDE_M), cube.floor + rng.uniform(LOWEST_M, cube.size)
    else:
        aside, height = abs(rng.normal(0.0, MISSED_SPREAD_M)), cube.floor + cube.size + rng.uniform(*MISSED_OVER_M)
    there = np.array([*(np.asarray(cube.xy) + aside * np.array([np.cos(angle), np.sin(angle)])), height])
    down = pointing_down(heading_of(q[:7]) + rng.normal(0, 0.03))
    return np.asarray(path_through(q, (Waypoint(position=there, rotation=down, opening=opening),))[-1])
