# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""rotate: turn the cube on the palm of a hand about the vertical, seen from above, without losing it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import EmbodimentError
from vera_core.goals import Goal
from vera_core.shapes import FloatArray
from vera_sim.scene import Scene, required_simulation, sample_scene
from vera_sim.tasks.gait import load_gait
from vera_sim.world import World

NEEDED_TURN_DEG = 45.0
LARGEST_TILT_DEG = 30.0
PLACE = (-0.01, 0.0215)
"""Middle of where the cube lies, world frame, m: in front of the gap between middle and ring finger, so that either drags one side of it.
Before the index finger it would run into the root of the thumb."""
SPREAD_M = 0.003
YAW_SPREAD_RAD = 0.15
START = np.array([0.15, 0.5, 1.1, 1.0, 0.08, 0.5, 1.1, 1.0, -0.15, 0.5, 1.1, 1.0, 0.8, 0.4, 0.4, 0.5])
"""Fingers curled well above the palm and a little apart, rad. From the straighter ones of home films were a quarter longer, most of it
fingertips that turn away from the cameras; and a finger that touches its neighbour in a film is one that the controller will not follow."""
START_SPREAD_RAD = np.array([0.04, 0.08, 0.08, 0.08] * 4)
EDGE_M = (0.030, 0.034)
SIGN = {'clockwise': -1.0, 'counter-clockwise': 1.0}


class TurnCheck:
    """The cube has turned far enough the right way, and lies on the palm."""

    def __init__(self, world: World, goal: Goal) -> None:
        self._name, self._sign = goal.target, SIGN[goal.direction]
        self._start_z = float(world.cube_position(self._name)[2])
        self._yaw = self._heading(world)
        self._turn = 0.0
        self._is_lost = False

    def _heading(self, world: World) -> float:
        matrix = world.data.body(self._name).xmat
        return math.atan2(matrix[3], matrix[0])

    def update(self, world: World, period_s: float) -> None:
        """Look how far the cube has turned since the last look; less than half a turn."""
        yaw = self._heading(world)
        self._turn += (yaw - self._yaw + math.pi) % (2 * math.pi) - math.pi
        self._yaw = yaw
        tilt = math.degrees(math.acos(float(np.clip(world.data.body(self._name).xmat[8], -1.0, 1.0))))
        self._is_lost |= tilt > LARGEST_TILT_DEG or abs(float(world.cube_position(self._name)[2]) - self._start_z) > 0.015

    @property
    def turn_deg(self) -> float:
        """How far the cube has turned in the direction asked for, degrees."""
        return math.degrees(self._sign * self._turn)

    @property
    def is_lost(self) -> bool:
        """Whether the cube was tipped over or left the palm."""
        return self._is_lost

    @property
    def success(self) -> bool:
        """Whether the cube has turned far enough and was never lost."""
        return not self._is_lost and self.turn_deg >= NEEDED_TURN_DEG

    @property
    def text(self) -> str:
        """How far the cube has turned."""
        return f'turned {self.turn_deg:.0f} of {NEEDED_TURN_DEG:.0f} degrees' + (', and was lost' if self._is_lost else '')


class Rotate:
    """Turn the cube."""

    name = 'rotate'
    robot = 'allegro'
    max_duration_s = 40.0

    def scene(self, robot: Embodiment, seed: int, goal: Goal) -> Scene:
        """Draw a cube of any colour where the curled fingers reach it.

        Raises:
            EmbodimentError: If the robot is not a hand with a cube on it.
        """
        if required_simulation(robot).scene != 'cube_in_hand':
            raise EmbodimentError(f'task rotate needs a hand with a cube on it, and robot {robot.name} has none; take --robot allegro')
        scene, rng = sample_scene(robot, seed), np.random.default_rng([seed, 59])
        x, y = np.array(PLACE) + rng.uniform(-SPREAD_M, SPREAD_M, 2)
        cube = replace(
            scene.cubes[0], xy=(float(x), float(y)), yaw=float(rng.uniform(-1, 1) * YAW_SPREAD_RAD), size=float(rng.uniform(*EDGE_M))
        )
        return Scene(seed=seed, cubes=(cube,))

    def start(self, world: World, seed: int) -> FloatArray:
        """Draw about `START`, where the fingers are well above the cube."""
        robot = world.robot
        drawn = START + np.random.default_rng([seed, 23]).normal(0, START_SPREAD_RAD, len(robot.joints))
        return np.clip(drawn, robot.limits('lower') + 0.05, robot.limits('upper') - 0.05)

    def expert(self, world: World, goal: Goal, q_start: FloatArray, *, seed: int) -> FloatArray:
        """Go through the motion found for the direction, wherever the cube lies."""
        return load_gait(goal.direction).path(q_start)

    def check(self, world: World, goal: Goal) -> TurnCheck:
        """Return a check that remembers how the cube lies now."""
        return TurnCheck(world, goal)
