# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""stack: put one cube on another and let it go."""

from __future__ import annotations

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.goals import Goal
from vera_core.shapes import FloatArray
from vera_sim.poses import pose_sampler
from vera_sim.robots.panda import GRIPPER, PINION_M
from vera_sim.scene import Cube, Scene
from vera_sim.tasks.hand_path import Waypoint, path_through
from vera_sim.tasks.pick import OPEN_M, fitting_scene, grasp_waypoints, near
from vera_sim.world import World

NEEDED_TIME_S = 0.5
HEIGHT_TOLERANCE_M = 0.008
"""The upper cube's middle may be this far from where a cube that lies on the other has it."""
STILL_M_S = 0.01
RELEASED_M = 0.004
"""The open fingers are at least this far from the sides of the cube, each."""
CARRY_M = 0.05
"""Gap between the cubes while one is carried over the other."""
RELEASE_GAP_M = 0.002
"""The cube is let go this far over the other one."""
CARRY_SPEED_M_S = 0.11
OPENING_S = 2.0
RETREAT_M = 0.09
SMALLEST_BASE_M = 0.044


class StackCheck:
    """The target lies on the other cube, let go and still, for long enough."""

    def __init__(self, world: World, goal: Goal) -> None:
        self._goal = goal
        self._target, self._base = world.scene.cube(goal.target), world.scene.cube(goal.onto)
        self._column = world.robot.joint_names.index(GRIPPER)
        self._last = world.cube_position(goal.target)
        self._rests_s = 0.0
        self._state = ''

    def update(self, world: World, period_s: float) -> None:
        """Look where both cubes and the fingers are."""
        here, below = world.cube_position(self._goal.target), world.cube_position(self._goal.onto)
        speed, self._last = float(np.linalg.norm(here - self._last)) / period_s, here
        height = float(here[2] - below[2]) - (self._target.size + self._base.size) / 2
        aside = float(np.linalg.norm(here[:2] - below[:2]))
        opening = PINION_M * float(world.joint_position[self._column]) - self._target.size / 2
        is_on = abs(height) <= HEIGHT_TOLERANCE_M and aside <= self._base.size / 2
        if is_on and opening >= RELEASED_M and speed <= STILL_M_S:
            self._rests_s += period_s
        else:
            self._rests_s = 0.0
        self._state = f'{height * 1e3:.0f} mm over it and {aside * 1e3:.0f} mm aside, fingers {opening * 1e3:.0f} mm off'

    @property
    def success(self) -> bool:
        """Whether the tower stands by itself."""
        return self._rests_s >= NEEDED_TIME_S

    @property
    def text(self) -> str:
        """How the cubes lie."""
        return f'{self._goal.target} on {self._goal.onto}: {self._state}; at rest for {self._rests_s:.1f} of {NEEDED_TIME_S} s'


class Stack:
    """Put the target onto the other cube."""

    name = 'stack'
    robot = 'panda_gripper'
    max_duration_s = 60.0

    def scene(self, robot: Embodiment, seed: int, goal: Goal) -> Scene:
        """Draw scenes until the target fits between the fingers and on the other cube.

        Raises:
            EmbodimentError: If the robot has no driven gripper.
            ConfigError: If no draw fits; the text says what to do.
        """
        return fitting_scene(robot, seed, goal, lambda scene: scene.cube(goal.onto).size >= SMALLEST_BASE_M)

    def start(self, world: World, seed: int) -> FloatArray:
        """Draw from the robot's usual start poses."""
        return pose_sampler(world).start_pose(seed)

    def expert(self, world: World, goal: Goal, q_start: FloatArray, *, seed: int) -> FloatArray:
        """Grasp the target as for a pick, carry it over the other cube, set it down, open and retreat.

        Raises:
            ConfigError: If the goal is out of reach.
        """
        target, base = world.scene.cube(goal.target), world.scene.cube(goal.onto)
        rng = np.random.default_rng([seed, 47])
        grasp = grasp_waypoints(target, q_start, rng)
        grip = grasp[-1]
        down, closed = grip.rotation, grip.opening
        # Where the fingertips are on the carried cube stays as it was when they closed.
        on_cube = float(grip.position[2]) - target.floor

        def hand(cube: Cube, height: float) -> FloatArray:
            return np.array([*cube.xy, height + on_cube])

        top = base.floor + base.size
        carry = max(top, target.floor) + CARRY_M
        place = hand(base, top + RELEASE_GAP_M)
        legs = (
            Waypoint(position=hand(target, carry), rotation=down, opening=closed, peak_speed_m_s=CARRY_SPEED_M_S),
            Waypoint(
                position=hand(base, carry) + np.array([*near(rng), 0.0]), rotation=down, opening=closed, peak_speed_m_s=CARRY_SPEED_M_S
            ),
            Waypoint(position=place, rotation=down, opening=closed, peak_speed_m_s=0.06, wait_s=0.3),
            Waypoint(position=place, rotation=down, opening=OPEN_M, shortest_s=OPENING_S, wait_s=0.2),
            Waypoint(position=place + np.array([0.0, 0.0, RETREAT_M]), rotation=down, opening=OPEN_M),
        )
        return path_through(q_start, (*grasp, *legs))

    def check(self, world: World, goal: Goal) -> StackCheck:
        """Return a new check."""
        return StackCheck(world, goal)
