# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Damped (ridge) least squares through the small normal system of all rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_core.shapes import FloatArray
from vera_jidm.solve.rows import Rows


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NormalSystem:
    """Everything the rows say about the joint step: minimise x' matrix x - 2 vector' x."""

    matrix: FloatArray
    """J' W J, shape (n, n), px²/rad²."""
    vector: FloatArray
    """J' W f, shape (n,), px²/rad."""

    def damped(self, ridge: float) -> FloatArray:
        """Return the matrix with the ridge on its diagonal, shape (n, n), px²/rad²."""
        return np.asarray(self.matrix + ridge * np.eye(len(self.vector)))


def normal_system(rows: Rows, weights: FloatArray) -> NormalSystem:
    """Form J' W J and J' W f.

    Args:
        rows: The stacked rows.
        weights: Trust in each row pair, shape (N,); it enters once, so weight 4 is the same as the row four times.
    """
    joints = rows.jacobian.shape[2]
    flat = rows.jacobian.reshape(-1, joints)
    weighted = (rows.jacobian * weights[:, None, None]).reshape(-1, joints)
    return NormalSystem(matrix=weighted.T @ flat, vector=weighted.T @ rows.flow.reshape(-1))


def solve_damped(system: NormalSystem, ridge: float) -> FloatArray:
    """Find the joint step whose image motion best matches the wanted flow.

    Minimises ``sum_i w_i |J_i dq - f_i|^2 + ridge |dq|^2`` [Wampler 1986]. The ridge is in absolute units: along a direction of joint
    space with image energy e (px²/rad²) the gain is e / (e + ridge), so what the images hardly show moves little instead of amplifying
    noise, and what they do not show at all keeps still.

    Args:
        system: Normal system of the rows.
        ridge: px²/rad², > 0.

    Returns:
        Joint step, shape (n,), rad.
    """
    return np.asarray(np.linalg.solve(system.damped(ridge), system.vector))
