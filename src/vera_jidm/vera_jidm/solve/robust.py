# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Iteratively reweighted least squares: rows that no joint motion explains lose their say."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vera_core.shapes import FloatArray
from vera_jidm.solve.bounded import solve_bounded
from vera_jidm.solve.damped_least_squares import NormalSystem, Ridge, normal_system, project, weighted_gram
from vera_jidm.solve.rows import Rows, squared_length

COARSE_ROWS = 1024
"""About this many row pairs are enough to start from."""
LARGE = 4
"""With this many times `COARSE_ROWS` a start from fewer rows pays; the shipped grids (two views of 32 x 32 cells) are below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustCost:
    """What is minimised: ``sum_i w_i huber(|J_i dq - f_i|) + sum_j ridge_j dq_j^2`` over ``lower <= dq <= upper``.

    huber(r) = r² up to delta and 2 delta r - delta² beyond [Huber 1964].
    """

    ridge: Ridge
    """px²/rad², > 0, one number or one per joint."""
    huber_delta_px: float
    """Errors above this count linearly, px, > 0."""
    lower: FloatArray
    """Smallest joint step, shape (n,), rad; may be -inf."""
    upper: FloatArray
    """Largest joint step, shape (n,), rad; may be inf."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RobustSolution:
    """The joint step and the system it came from."""

    delta_q: FloatArray
    """Shape (n,), rad."""
    system: NormalSystem
    """Normal system of the last solve; its matrix is the curvature of the robust cost."""


def huber_weights(squared_error: FloatArray, huber_delta_px: float) -> FloatArray:
    """Return 1 inside `huber_delta_px` and delta / error outside: large errors count linearly, not squared.

    Args:
        squared_error: Shape (N,), px².
        huber_delta_px: px, > 0.
    """
    return np.asarray(huber_delta_px / np.sqrt(np.maximum(squared_error, huber_delta_px**2)))


def solve_robust(rows: Rows, cost: RobustCost, *, iterations: int) -> RobustSolution:
    """Minimise the robust cost by a few reweighted solves.

    From `LARGE` times `COARSE_ROWS` on the reweighting runs on every k-th row pair, and the last reweighted solve is on all of them, with its
    matrix in float32.

    Args:
        rows: The stacked rows.
        cost: Damping, robustness and bounds.
        iterations: Reweighted solves after the first plain one, >= 0.
    """
    stride = len(rows) // COARSE_ROWS
    if stride < LARGE or iterations == 0:
        solution = _solved(normal_system(rows), cost)
        for _ in range(iterations):
            solution = _solved(_system_near(rows, solution.delta_q, cost.huber_delta_px, np.float64), cost)
        return solution
    start = solve_robust(rows.every(stride), replace(cost, ridge=cost.ridge / stride), iterations=iterations - 1)
    return _solved(_system_near(rows, start.delta_q, cost.huber_delta_px, np.float32), cost)


def _system_near(rows: Rows, delta_q: FloatArray, huber_delta_px: float, precision: type[np.floating]) -> NormalSystem:
    """Return the system whose solution is the next step towards the minimum of the robust cost: ``matrix delta_q + slope`` as its vector.

    Rows inside delta count in full. A row outside gives the slope of its Huber cost, and as curvature the mean of that of ``2 delta |r|``
    along the row's error (none) and across it (all), where ordinary reweighting takes all. So each solve is nearly a Newton step and leaves a
    tenth of what an ordinary one does; and as an ordinary one is a descent step with a curvature at most twice as large, the cost cannot
    rise: ``g'd + d'Md/2 <= g'd + d'Hd <= 0`` for M <= 2 H.

    The slope is always float64. The matrix may be summed in float32, a relative error of 1e-7: it acts only on the step from `delta_q`.
    """
    error = rows.error(delta_q)
    huber = huber_weights(squared_length(error), huber_delta_px)
    weights = rows.weights * huber
    slope = project(rows, error, weights)
    weights[huber < 1.0] *= 0.5
    matrix = weighted_gram(rows.jacobian, weights, precision)
    return NormalSystem(matrix=matrix, vector=matrix @ delta_q + slope)


def _solved(system: NormalSystem, cost: RobustCost) -> RobustSolution:
    return RobustSolution(delta_q=solve_bounded(system, cost.ridge, cost.lower, cost.upper), system=system)
