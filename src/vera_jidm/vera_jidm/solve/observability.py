# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the images show of each joint, and how far the recovered step can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_core.shapes import FloatArray
from vera_jidm.solve.damped_least_squares import NormalSystem, Ridge

WORST_CONDITION = 1e12
"""Reported instead of infinity when a direction of joint space is not seen at all."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Observability:
    """How well one normal system pins the joint step down."""

    gain: FloatArray
    """Shape (n,), 0..1: share of a motion of each joint alone that comes back through image and damping."""
    covariance: FloatArray
    """Shape (n, n), rad²."""
    condition: float
    """Condition number of the undamped normal matrix, at most 1e12."""
    directions: FloatArray
    """Unit directions of joint space as columns, shape (n, n), the least visible first; orthogonal in the metric of the ridge."""
    direction_gain: FloatArray
    """Shape (n,), 0..1: share of a motion along each direction that comes back, e / (e + ridge) with its image energy e."""


def observe(system: NormalSystem, ridge: Ridge, noise_px: float) -> Observability:
    """Describe what a system shows.

    With image noise sigma per component of a row of weight 1 (sigma / sqrt(w) for weight w) and the prior that the ridge stands for,
    delta_q ~ N(0, sigma² ridge^-1), the error of the solve has exactly the posterior covariance sigma² (J' W J + ridge)^-1. The covariance
    of the estimate alone, sigma² A^-1 J'WJ A^-1 with A the damped matrix, is not used: it leaves out what the damping takes away, and a
    joint no picture shows would look certain instead of keeping its prior. Binding bounds are not taken into account.

    Args:
        system: Normal system of the rows.
        ridge: px²/rad², > 0, one number or one per joint.
        noise_px: Standard deviation of one component of the flow of a row of weight 1, px. Neighbouring cells share their errors, so the
            covariance is optimistic.
    """
    inverse = np.linalg.inv(system.damped(ridge))
    energy = np.maximum(np.linalg.eigvalsh(system.matrix), 0.0)
    condition = min(float(energy[-1] / energy[0]), WORST_CONDITION) if energy[0] > 0 else WORST_CONDITION
    # Directions that the damping does not mix: eigenvectors of the matrix where every joint is measured in units of its own damping.
    unit = 1.0 / np.sqrt(np.broadcast_to(ridge, system.vector.shape))
    ratio, axes = np.linalg.eigh(system.matrix * np.outer(unit, unit))
    ratio = np.maximum(ratio, 0.0)
    directions = axes * unit[:, None]
    return Observability(
        gain=np.clip(np.diag(inverse @ system.matrix), 0.0, 1.0),
        covariance=noise_px**2 * inverse,
        condition=condition,
        directions=directions / np.linalg.norm(directions, axis=0),
        direction_gain=ratio / (ratio + 1.0),
    )
