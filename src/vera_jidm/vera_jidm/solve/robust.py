# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Iteratively reweighted least squares: rows that no joint motion explains lose their say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_core.shapes import FloatArray
from vera_jidm.solve.bounded import solve_bounded
from vera_jidm.solve.damped_least_squares import NormalSystem, normal_system
from vera_jidm.solve.rows import Rows


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RobustSolution:
    """The joint step and the system it came from."""

    delta_q: FloatArray
    """Shape (n,), rad."""
    system: NormalSystem
    """Normal system with the final robust weights."""
    weights: FloatArray
    """Shape (N,): row weights x robust weights."""
    residual: FloatArray
    """Length of J delta_q - f per row pair, shape (N,), px."""


def huber_weights(residual: FloatArray, huber_delta_px: float) -> FloatArray:
    """Return 1 inside `huber_delta_px` and delta / residual outside: large errors count linearly, not squared [Huber 1964]."""
    return np.asarray(huber_delta_px / np.maximum(residual, huber_delta_px))


def solve_robust(
    rows: Rows, *, ridge: float, huber_delta_px: float, iterations: int, lower: FloatArray, upper: FloatArray
) -> RobustSolution:
    """Minimise ``sum_i w_i huber(|J_i dq - f_i|) + ridge |dq|^2`` inside a box by a few reweighted solves.

    Args:
        rows: The stacked rows.
        ridge: px²/rad², > 0.
        huber_delta_px: Errors above this count linearly, px, > 0.
        iterations: Reweighted solves after the first plain one, >= 0.
        lower: Smallest joint step, shape (n,), rad.
        upper: Largest joint step, shape (n,), rad.
    """
    solution = _solve(rows, rows.weights, ridge, lower, upper)
    for _ in range(iterations):
        solution = _solve(rows, rows.weights * huber_weights(solution.residual, huber_delta_px), ridge, lower, upper)
    return solution


def _solve(rows: Rows, weights: FloatArray, ridge: float, lower: FloatArray, upper: FloatArray) -> RobustSolution:
    system = normal_system(rows, weights)
    delta_q = solve_bounded(system, ridge, lower, upper)
    residual = np.linalg.norm(rows.jacobian @ delta_q - rows.flow, axis=1)
    return RobustSolution(delta_q=delta_q, system=system, weights=weights, residual=residual)
