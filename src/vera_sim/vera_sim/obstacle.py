# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A block of glass in the robot's way: no camera sees it, so no planner knows of it; what pushes against it is measured."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from vera_core.errors import ConfigError
from vera_core.shapes import Array, FloatArray
from vera_sim.xml_text import WORLD_CONTACT

NAME = 'obstacle'


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A box fixed in the world frame, sides along its axes."""

    centre: tuple[float, float, float]
    """m"""
    half: tuple[float, float, float]
    """Half of its edges, m."""


def obstacle_from(numbers: tuple[float, ...]) -> Obstacle | None:
    """Return the obstacle of six numbers, centre and half edges, m; None of none.

    Raises:
        ConfigError: If they are not six, or an edge is not positive.
    """
    if not numbers:
        return None
    if len(numbers) != 6 or min(numbers[3:]) <= 0:
        raise ConfigError(f'obstacle is {list(numbers)}; x, y, z of its centre and three positive half edges are needed, all in m')
    x, y, z, a, b, c = numbers
    return Obstacle((x, y, z), (a, b, c))


def add_obstacle(model: mujoco.MjSpec, obstacle: Obstacle) -> None:
    """Put it into a model, invisible."""
    model.worldbody.add_geom(
        name=NAME,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=obstacle.centre,
        size=obstacle.half,
        rgba=[0.0, 0.0, 0.0, 0.0],
        contype=int(WORLD_CONTACT['contype']),
        conaffinity=int(WORLD_CONTACT['conaffinity']),
    )


class PushMeter:
    """The force of a robot against the obstacle of its world."""

    def __init__(self, model: mujoco.MjModel, robot_geoms: Array) -> None:
        """Prepare.

        Args:
            model: A model with an obstacle.
            robot_geoms: Which geoms are the robot's, shape (ngeom,), bool.
        """
        self._model = model
        self._geom = model.geom(NAME).id
        self._robot_geoms = robot_geoms

    def force(self, data: mujoco.MjData) -> float:
        """Return the norm of all contact forces between robot and obstacle together, N."""
        total: FloatArray = np.zeros(3)
        wrench = np.zeros(6)
        for index, contact in enumerate(data.contact):
            first, second = (int(geom) for geom in contact.geom)
            if self._geom not in (first, second) or not self._robot_geoms[second if first == self._geom else first]:
                continue
            mujoco.mj_contactForce(self._model, data, index, wrench)
            # The frame's rows are the contact's axes in the world; the force is on the second geom.
            sign = 1.0 if second == self._geom else -1.0
            total += sign * (contact.frame.reshape(3, 3).T @ wrench[:3])
        return float(np.linalg.norm(total))
