# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Joints that follow another joint, as the model's equality constraints between two joints say: the fingers of a gripper with one motor."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from vera_core.shapes import FloatArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CoupledJoint:
    """One joint that follows another."""

    joint: int
    """Id of the joint that follows."""
    leader: int
    """Id of the joint it follows."""
    coefficients: FloatArray
    """Shape (5,): its way from rest is this polynomial of the leader's way from rest."""
    rest: tuple[float, float]
    """Positions of both at rest, rad or m."""

    def position(self, leader: float) -> float:
        """Return where it is when the leader is at a position, rad or m."""
        return self.rest[0] + float(np.polyval(self.coefficients[::-1], leader - self.rest[1]))

    def rate(self, leader: float) -> float:
        """Return how fast it moves per motion of the leader, rad or m per rad or m."""
        return float(np.polyval(np.polyder(self.coefficients[::-1]), leader - self.rest[1]))


def coupled_joints(model: mujoco.MjModel) -> tuple[CoupledJoint, ...]:
    """Return the joints of a model that follow another one."""
    found = []
    for index in np.flatnonzero((model.eq_type == int(mujoco.mjtEq.mjEQ_JOINT)) & (model.eq_active0 == 1)):
        joint, leader = int(model.eq_obj1id[index]), int(model.eq_obj2id[index])
        if leader >= 0:
            rest = (float(model.qpos0[model.jnt_qposadr[joint]]), float(model.qpos0[model.jnt_qposadr[leader]]))
            found.append(CoupledJoint(joint=joint, leader=leader, coefficients=model.eq_data[index, :5].copy(), rest=rest))
    return tuple(found)
