# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What stands on the table: four coloured cubes at random places and sizes, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_core.errors import ConfigError, nearest_name_hint
from vera_core.shapes import FloatArray

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """One cube lying on the table."""

    name: str
    colour: str
    size: float
    """Edge, m."""
    xy: tuple[float, float]
    """Centre in the robot's base frame, m."""
    yaw: float
    """rad"""

    @property
    def top(self) -> FloatArray:
        """Centre of the top face in the base frame, shape (3,), m."""
        return np.array([self.xy[0], self.xy[1], self.size])


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


def sample_scene(seed: int) -> Scene:
    """Draw one cube of every colour, at least SPACING apart, uniformly over the reachable part of the table."""
    rng = np.random.default_rng([seed, 11])
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
    cubes = tuple(
        Cube(
            name=f'{colour}_cube',
            colour=colour,
            size=float(rng.uniform(*EDGE)),
            xy=(float(place[0]), float(place[1])),
            yaw=float(rng.uniform(-np.pi / 4, np.pi / 4)),
        )
        for colour, place in zip(COLOURS, places, strict=True)
    )
    return Scene(seed=seed, cubes=cubes)
