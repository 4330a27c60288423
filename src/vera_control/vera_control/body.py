# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the links of a robot are, how fast their fastest point moves, and how near they come to each other and to the table. By MuJoCo."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from vera_control.body_model import BodyModel
from vera_core.shapes import Array, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """The pairs of shapes that are near each other in one posture; every array is of shape (C,)."""

    pair: Array
    """Which two shapes: first * ngeom + second, int."""
    distance: FloatArray
    """m; negative where they overlap."""
    margin: FloatArray
    """Distance that is to be kept, m."""


class Body:
    """One posture of a robot at a time, set by `place` or `move`."""

    def __init__(self, model: BodyModel) -> None:
        self.names = model.shape_names
        self.margins = model.margins
        """Distance to be kept by every pair of shapes, shape (ngeom * ngeom,), m."""
        self._model = model.compiled
        self._data = mujoco.MjData(self._model)
        self._qpos, self._dof = model.qpos, model.dof
        self._points, self._radii = model.points, model.radii
        self._used_bodies, self._used_index = np.unique(model.point_bodies, return_inverse=True)

    @property
    def model(self) -> mujoco.MjModel:
        """The compiled model, whose bodies have the names of the links."""
        return self._model

    def place(self, position: FloatArray) -> mujoco.MjData:
        """Put the joints at a position, shape (n,), rad, and return where everything is: frames of links by name."""
        self._data.qpos[self._qpos] = position
        mujoco.mj_kinematics(self._model, self._data)
        return self._data

    def gaps(self) -> Gaps:
        """Return the near pairs in the posture that was set last."""
        mujoco.mj_collision(self._model, self._data)
        contacts = self._data.contact
        geom = contacts.geom
        pair = np.min(geom, axis=1) * self._model.ngeom + np.max(geom, axis=1) if len(geom) else np.zeros(0, int)
        return Gaps(pair=pair, distance=np.array(contacts.dist), margin=self.margins[pair])

    def move(self, velocity: FloatArray) -> None:
        """Let the joints move at a velocity, shape (n,), rad/s, in the posture that was set last."""
        self._data.qvel[self._dof] = velocity
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_comVel(self._model, self._data)

    def opening_rates(self) -> FloatArray:
        """Return how fast each pair that `gaps` found opens at the velocity that was set last, shape (C,), m/s; negative where it closes."""
        contacts = self._data.contact
        if not len(contacts.dist):
            return np.zeros(0)
        normal = contacts.frame[:, :3]
        half = 0.5 * contacts.dist[:, None] * normal
        bodies = self._model.geom_bodyid[contacts.geom]
        first = self._velocity_at(bodies[:, 0], contacts.pos - half)
        second = self._velocity_at(bodies[:, 1], contacts.pos + half)
        return np.asarray(np.sum(normal * (second - first), axis=1))

    def motion(self) -> FloatArray:
        """Return how every link moves at the velocity that was set last, for `fastest_point`: frame, place and twist, shape (nbody, 18)."""
        data = self._data
        return np.hstack([data.xmat, data.xpos - data.subtree_com[self._model.body_rootid], data.cvel])

    def fastest_point(self, motions: list[FloatArray]) -> FloatArray:
        """Return the speed of the fastest point of any moving link or of the tool in each of M motions, shape (M,), m/s.

        Exact for boxes and points. For capsules the speed at both ends plus what the turn adds at their radius, which no point exceeds.
        """
        links = np.stack(motions)[:, self._used_bodies]
        turn = links[:, :, 12:15]
        # A point r of a link moves at v + w x (p + R r), all about the robot's centre of mass.
        frame = links[:, :, :9].reshape(*turn.shape[:2], 3, 3)
        middle = links[:, :, 15:] + _cross(turn, links[:, :, 9:12])
        arm = (frame[:, self._used_index] @ self._points[:, :, None])[..., 0]
        turn = turn[:, self._used_index]
        linear = middle[:, self._used_index] + _cross(turn, arm)
        speed = np.sqrt(np.sum(linear**2, axis=2)) + np.sqrt(np.sum(turn**2, axis=2)) * self._radii
        return np.asarray(speed.max(axis=1))

    def _velocity_at(self, bodies: Array, point: FloatArray) -> FloatArray:
        """Return the velocity of points, shape (P, 3), m/s, that move with bodies; MuJoCo has those about the whole robot's centre of mass."""
        spatial = self._data.cvel[bodies]
        return np.asarray(spatial[:, 3:] + _cross(spatial[:, :3], point - self._data.subtree_com[self._model.body_rootid[bodies]]))


def _cross(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the cross product along the last axis; numpy's own costs five times as much for a handful of vectors."""
    (a, b, c), (x, y, z) = np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0)
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=-1)
