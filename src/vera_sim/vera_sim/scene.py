# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What lies about a robot, drawn from a seed: four coloured cubes on a table, one cube on the palm of a hand, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, EmbodimentError, nearest_name_hint
from vera_core.shapes import FloatArray
from vera_core.simulated import Simulation

COLOURS: dict[str, tuple[float, float, float]] = {
    'red': (0.82, 0.10, 0.09),
    'green': (0.10, 0.58, 0.16),
    'blue': (0.10, 0.22, 0.78),
    'yellow': (0.92, 0.78, 0.08),
}
"""Colour word to RGB, 0..1."""

TABLE_X = (0.36, 0.66)
TABLE_Y = (-0.26, 0.26)
EDGE = (0.04, 0.06)
SPACING = 0.13

# A hand lies with its palm up: the palm's top is here in the world frame, m, and the fingers begin at x = 0.
PALM_HEIGHT = 0.1311
PALM_X = (-0.075, -0.055)
PALM_Y = (0.015, 0.03)
PALM_EDGE = (0.024, 0.034)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """One cube at rest."""

    name: str
    colour: str
    size: float
    """Edge, m."""
    xy: tuple[float, float]
    """Centre, world frame, m."""
    yaw: float
    """rad"""
    floor: float = 0.0
    """Height of what it lies on, world frame, m."""

    @property
    def top(self) -> FloatArray:
        """Centre of the top face, world frame, shape (3,), m."""
        return np.array([self.xy[0], self.xy[1], self.floor + self.size])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that is drawn anew for an episode."""

    seed: int
    cubes: tuple[Cube, ...]

    def cube(self, name: str) -> Cube:
        """Return the cube of that name.

        Raises:
            ConfigError: If no cube has it; the text lists the names there are.
        """
        for cube in self.cubes:
            if cube.name == name:
                return cube
        raise ConfigError(f"no object '{name}' in the scene; {nearest_name_hint(name, [cube.name for cube in self.cubes])}")


def cube_names(kind: str) -> tuple[str, ...]:
    """Names of all cubes of a kind of scene (`vera_core.simulated.SCENES`)."""
    return {'table_cubes': tuple(f'{colour}_cube' for colour in COLOURS), 'cube_in_hand': ('cube',), 'none': ()}[kind]


def sample_scene(robot: Embodiment, seed: int, *, attempt: int = 0) -> Scene:
    """Draw the scene of a robot: same seed and attempt, same scene.

    Args:
        robot: What lies about it depends on it.
        seed: Which scene.
        attempt: Another draw of the same seed, for tasks that need room in some places.

    Raises:
        EmbodimentError: If the robot cannot be simulated.
    """
    kind = required_simulation(robot).scene
    draw = {'table_cubes': _table_cubes, 'cube_in_hand': _cube_in_hand}.get(kind)
    key = [seed, attempt] if attempt else [seed]
    return Scene(seed=seed, cubes=draw(key) if draw is not None else ())


def required_simulation(robot: Embodiment) -> Simulation:
    """Return how the robot stands in the simulator.

    Raises:
        EmbodimentError: If its file does not say.
    """
    if robot.simulation is None:
        raise EmbodimentError(
            f"robot {robot.name} has no 'simulation' block, so it cannot be simulated; docs/add_a_robot.md tells how to write one"
        )
    return robot.simulation


def _table_cubes(key: list[int]) -> tuple[Cube, ...]:
    """One cube of every colour, at least SPACING apart, uniformly over the reachable part of the table."""
    rng = np.random.default_rng([*key, 11])
    while True:
        places: list[FloatArray] = []
        for _ in range(200):
            place = np.array([rng.uniform(*TABLE_X), rng.uniform(*TABLE_Y)])
            if all(np.hypot(*(place - other)) >= SPACING for other in places):
                places.append(place)
            if len(places) == len(COLOURS):
                break
        if len(places) == len(COLOURS):
            break
    return tuple(
        Cube(
            name=f'{colour}_cube',
            colour=colour,
            size=float(rng.uniform(*EDGE)),
            xy=(float(place[0]), float(place[1])),
            yaw=float(rng.uniform(-np.pi / 4, np.pi / 4)),
        )
        for colour, place in zip(COLOURS, places, strict=True)
    )


def _cube_in_hand(key: list[int]) -> tuple[Cube, ...]:
    """One cube on the palm between the fingers' and the hand's root, of any colour, where few postures of the fingers reach it."""
    rng = np.random.default_rng([*key, 13])
    return (
        Cube(
            name='cube',
            colour=str(rng.choice(list(COLOURS))),
            size=float(rng.uniform(*PALM_EDGE)),
            xy=(float(rng.uniform(*PALM_X)), float(rng.uniform(*PALM_Y))),
            yaw=float(rng.uniform(-np.pi / 4, np.pi / 4)),
            floor=PALM_HEIGHT,
        ),
    )
