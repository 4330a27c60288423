# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""push: shove the named cube some centimetres left, right, away or towards, as the robot itself sees these words, and no other cube."""

from __future__ import annotations

import math

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.goals import Goal
from vera_core.shapes import FloatArray
from vera_sim.poses import pose_sampler
from vera_sim.scene import TABLE_X, TABLE_Y, Cube, Scene, sample_scene
from vera_sim.tasks.hand_path import Waypoint, heading_of, nearest_heading, path_through, pointing_down
from vera_sim.world import World

DIRECTIONS: dict[str, tuple[float, float]] = {'left': (0.0, 1.0), 'right': (0.0, -1.0), 'away': (1.0, 0.0), 'towards': (-1.0, 0.0)}
"""Word to unit vector in the base frame: left of the robot is +y, away from it is +x."""

EXPERT_WAY_M = 0.09
NEEDED_WAY_M = 0.05
"""How far the cube must come, measured along the direction."""
LARGEST_ANGLE_DEG = 45.0
OTHERS_MAY_MOVE_M = 0.02

HOVER_M = 0.13
HEIGHT_M = 0.026
"""Height of the fingertips while they push: below the middle of the lowest cubes, and no part of the hand meets the neighbours."""
STANDOFF_M = 0.03
"""Gap between fingers and cube when they come down."""
FINGERS_HALF_M = (0.0125, 0.031)
"""Half extent of the shut fingers along the hand's x and y axes; the side that needs less turning of the hand pushes."""
PUSH_SPEED_M_S = 0.09
ROOM_M = 0.095
"""Other cubes' centres stay this far from the way of fingers and cube."""
REACH_X, REACH_Y = (0.29, 0.70), (-0.36, 0.36)
LONGEST_REACH_M = 0.73
"""Distance from the base to which a hand pointing down gets near the table."""
ATTEMPTS = 400


class PushCheck:
    """The cube came far enough the right way, and the others stayed."""

    def __init__(self, world: World, goal: Goal) -> None:
        self._goal = goal
        self._direction = np.array(DIRECTIONS[goal.direction])
        self._start = {cube.name: world.cube_position(cube.name) for cube in world.scene.cubes}
        self._moved = np.zeros(3)
        self._others_m = 0.0

    def update(self, world: World, period_s: float) -> None:
        """Look where the cubes are."""
        for name, start in self._start.items():
            moved = world.cube_position(name) - start
            if name == self._goal.target:
                self._moved = moved
            else:
                self._others_m = max(self._others_m, float(np.linalg.norm(moved)))

    @property
    def way_m(self) -> float:
        """Way of the target along the direction asked for, m."""
        return float(self._moved[:2] @ self._direction)

    @property
    def angle_deg(self) -> float:
        """Angle between the way of the target and the direction asked for, degrees; 0 while it has not moved."""
        across = float(self._direction[0] * self._moved[1] - self._direction[1] * self._moved[0])
        return math.degrees(abs(math.atan2(across, self.way_m))) if np.linalg.norm(self._moved[:2]) > 1e-3 else 0.0

    @property
    def success(self) -> bool:
        """Whether the target is far enough the right way now and no other cube has moved."""
        return self.way_m >= NEEDED_WAY_M and self.angle_deg <= LARGEST_ANGLE_DEG and self._others_m <= OTHERS_MAY_MOVE_M

    @property
    def text(self) -> str:
        """How far the target came."""
        return (
            f'{self._goal.target} moved {self.way_m * 1e3:.0f} of {NEEDED_WAY_M * 1e3:.0f} mm {self._goal.direction}, {self.angle_deg:.0f} degrees '
            f'off, others {self._others_m * 1e3:.0f} mm'
        )


class Push:
    """Shove the target."""

    name = 'push'
    robot = 'panda'
    max_duration_s = 40.0

    def scene(self, robot: Embodiment, seed: int, goal: Goal) -> Scene:
        """Draw scenes until there is room for the push.

        Raises:
            ConfigError: If no draw has room; the text says what to do.
        """
        for attempt in range(ATTEMPTS):
            scene = sample_scene(robot, seed, attempt=attempt)
            if _has_room(scene, goal):
                return scene
        raise ConfigError(f'seed {seed} has no scene with room for {goal} in {ATTEMPTS} draws; take another seed')

    def start(self, world: World, seed: int) -> FloatArray:
        """Draw from the robot's usual start poses."""
        return pose_sampler(world).start_pose(seed)

    def expert(self, world: World, goal: Goal, q_start: FloatArray, *, seed: int) -> FloatArray:
        """Come down behind the cube, fingers shut, and shove it straight ahead; end beside it.

        Raises:
            ConfigError: If the goal is out of reach.
        """
        rng = np.random.default_rng([seed, 41])
        direction = DIRECTIONS[goal.direction]
        # The wrist's turning hardly shows in the pictures, so the hand turns as little as it can.
        ahead = math.atan2(direction[1], direction[0])
        heading = nearest_heading(heading_of(q_start), ahead, math.pi / 2)
        side = round((heading - ahead) / (math.pi / 2)) % 2
        behind, end = (np.array([*point, HEIGHT_M]) for point in _way(world.scene.cube(goal.target), goal.direction, FINGERS_HALF_M[side]))
        down = pointing_down(heading + rng.normal(0, 0.03))
        hover = np.array([*behind[:2], HOVER_M])
        waypoints = (
            Waypoint(position=hover, rotation=down),
            Waypoint(position=behind, rotation=down),
            Waypoint(position=end, rotation=down, peak_speed_m_s=PUSH_SPEED_M_S),
        )
        return path_through(q_start, waypoints)

    def check(self, world: World, goal: Goal) -> PushCheck:
        """Return a check that remembers where the cubes are now."""
        return PushCheck(world, goal)


def _way(cube: Cube, direction: str, fingers_half_m: float) -> tuple[FloatArray, FloatArray]:
    """Where the fingertips go down and where they end, shape (2,) each, m."""
    unit, centre = np.array(DIRECTIONS[direction]), np.array(cube.xy)
    reach = _half_extent(cube, unit) + fingers_half_m
    return centre - (reach + STANDOFF_M) * unit, centre + (EXPERT_WAY_M - reach) * unit


def _half_extent(cube: Cube, unit: FloatArray) -> float:
    """Half the width of a cube along a direction, m."""
    turn = math.atan2(unit[1], unit[0]) - cube.yaw
    return cube.size / 2 * (abs(math.cos(turn)) + abs(math.sin(turn)))


def _has_room(scene: Scene, goal: Goal) -> bool:
    target = scene.cube(goal.target)
    behind, end = _way(target, goal.direction, max(FINGERS_HALF_M))
    ahead = np.array(target.xy) + EXPERT_WAY_M * np.array(DIRECTIONS[goal.direction])
    if not all(_in_reach(point) for point in (behind, end)) or not _on_table(ahead):
        return False
    others = [np.array(cube.xy) for cube in scene.cubes if cube is not target]
    return all(_distance_to_segment(other, behind, ahead) >= ROOM_M for other in others)


def _in_reach(point: FloatArray) -> bool:
    return bool(REACH_X[0] <= point[0] <= REACH_X[1] and REACH_Y[0] <= point[1] <= REACH_Y[1] and np.hypot(*point) <= LONGEST_REACH_M)


def _on_table(point: FloatArray) -> bool:
    """Whether a cube there is still where a next task could begin."""
    return bool(TABLE_X[0] - 0.05 <= point[0] <= TABLE_X[1] + 0.05 and TABLE_Y[0] - 0.05 <= point[1] <= TABLE_Y[1] + 0.05)


def _distance_to_segment(point: FloatArray, first: FloatArray, last: FloatArray) -> float:
    along = last - first
    share = float(np.clip((point - first) @ along / (along @ along), 0.0, 1.0))
    return float(np.linalg.norm(point - first - share * along))
