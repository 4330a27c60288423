# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Damped (ridge) least squares through the small normal system of all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from vera_core.shapes import FloatArray
from vera_jidm.solve.rows import Rows

Ridge: TypeAlias = float | FloatArray
"""px²/rad², > 0: one number, or one per joint, shape (n,)."""

BLOCK = 4096
"""Row pairs weighted and summed at a time: with 16 joints at most 1 MB, which stays in a core's cache instead of going through memory twice."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NormalSystem:
    """Everything the rows say about the joint step: minimise x' matrix x - 2 vector' x."""

    matrix: FloatArray
    """J' W J, shape (n, n), px²/rad²."""
    vector: FloatArray
    """J' W f, shape (n,), px²/rad."""

    def damped(self, ridge: Ridge) -> FloatArray:
        """Return the matrix with the ridge on its diagonal, shape (n, n), px²/rad²."""
        matrix = self.matrix.copy()
        np.einsum('ii->i', matrix)[:] += ridge
        return matrix


def normal_system(rows: Rows) -> NormalSystem:
    """Form J' W J and J' W f in float64. Weights enter once: weight 4 is the same as the row four times."""
    return NormalSystem(matrix=weighted_gram(rows.jacobian, rows.weights), vector=project(rows, rows.flow, rows.weights))


def weighted_gram(jacobian: FloatArray, weights: FloatArray, dtype: type[np.floating] = np.float64) -> FloatArray:
    """Return J' W J, shape (n, n), for a Jacobian of shape (N, 2, n) and weights of shape (N,); float32 takes half the time of float64."""
    joints = jacobian.shape[2]
    pairs = jacobian.reshape(len(weights), 2 * joints)
    # The root on both sides makes the product symmetric, which BLAS knows to do in half the work.
    root = np.sqrt(weights).astype(dtype)[:, None]
    matrix = np.zeros((joints, joints))
    block = np.empty((min(BLOCK, len(weights)), 2 * joints), dtype=dtype)
    for first in range(0, len(weights), BLOCK):
        part = slice(first, first + BLOCK)
        weighted = block[: len(root[part])]
        weighted[:] = pairs[part]
        weighted *= root[part]
        tall = weighted.reshape(-1, joints)
        matrix += tall.T @ tall
    return matrix


def project(rows: Rows, motion: FloatArray, weights: FloatArray) -> FloatArray:
    """Return J' W m for image motion m of shape (N, 2), px, and weights of shape (N,); shape (n,), px²/rad."""
    weighted = motion * weights[:, None]
    return np.asarray(weighted.reshape(-1) @ rows.jacobian.reshape(-1, rows.jacobian.shape[2]))


def solve_damped(system: NormalSystem, ridge: Ridge) -> FloatArray:
    """Find the joint step whose image motion best matches the wanted flow.

    Minimises ``sum_i w_i |J_i dq - f_i|^2 + sum_j ridge_j dq_j^2`` [Wampler 1986]. The ridge is in absolute units: along a direction of
    joint space with image energy e (px²/rad²) the gain is e / (e + ridge), so what the images hardly show moves little instead of
    amplifying noise, and what they do not show at all keeps still: the answer is in the range of ridge^-1 J'.

    Args:
        system: Normal system of the rows.
        ridge: px²/rad², > 0, one number or one per joint.

    Returns:
        Joint step, shape (n,), rad.
    """
    return np.asarray(np.linalg.solve(system.damped(ridge), system.vector))
