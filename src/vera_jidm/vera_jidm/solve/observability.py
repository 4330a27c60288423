# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the images show of each joint, and how far the recovered step can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_core.shapes import FloatArray
from vera_jidm.solve.damped_least_squares import NormalSystem

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
    """Unit directions of joint space as columns, shape (n, n), the least visible first."""
    direction_gain: FloatArray
    """Shape (n,), 0..1: e / (e + ridge) of each direction."""


def observe(system: NormalSystem, ridge: float, noise_px: float) -> Observability:
    """Describe what a system shows.

    With image noise sigma per row and the prior that the ridge stands for (delta_q ~ N(0, sigma² / ridge)), the posterior covariance is
    sigma² (J' W J + ridge I)^-1: a joint no picture shows keeps its prior instead of looking certain.

    Args:
        system: Normal system of the rows.
        ridge: px²/rad², > 0.
        noise_px: Standard deviation of the flow of one row, px. Neighbouring cells share their errors, so the covariance is optimistic.
    """
    inverse = np.linalg.inv(system.damped(ridge))
    energy, directions = np.linalg.eigh(system.matrix)
    energy = np.maximum(energy, 0.0)
    condition = min(float(energy[-1] / energy[0]), WORST_CONDITION) if energy[0] > 0 else WORST_CONDITION
    return Observability(
        gain=np.clip(np.diag(inverse @ system.matrix), 0.0, 1.0),
        covariance=noise_px**2 * inverse,
        condition=condition,
        directions=directions,
        direction_gain=energy / (energy + ridge),
    )
