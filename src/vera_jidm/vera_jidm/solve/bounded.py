# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The damped solve inside a box of joint steps, for when a joint limit or step limit binds."""

from __future__ import annotations

import numpy as np

from vera_core.errors import ShapeError
from vera_core.shapes import Array, FloatArray
from vera_jidm.solve.damped_least_squares import NormalSystem, solve_damped


def solve_bounded(system: NormalSystem, ridge: float, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Minimise the damped cost subject to lower <= delta_q <= upper.

    Clipping the free solution would leave the image motion of the clipped joint unexplained; here the other joints take over what they can.
    Primal active set on the n x n system: strictly convex, so it ends at the one minimum after finitely many changes of the set.

    Args:
        system: Normal system of the rows.
        ridge: px²/rad², > 0.
        lower: Smallest joint step, shape (n,), rad.
        upper: Largest joint step, shape (n,), rad.

    Raises:
        ShapeError: If a lower bound is above its upper bound.
    """
    if np.any(lower > upper):
        joint = int(np.argmax(lower > upper))
        raise ShapeError(f'joint {joint}: the smallest step {lower[joint]:.4f} rad is above the largest {upper[joint]:.4f} rad')
    free_solution = solve_damped(system, ridge)
    if np.all(free_solution >= lower) and np.all(free_solution <= upper):
        return free_solution
    return _active_set(system.damped(ridge), system.vector, lower, upper, np.clip(free_solution, lower, upper))


def _active_set(matrix: FloatArray, vector: FloatArray, lower: FloatArray, upper: FloatArray, start: FloatArray) -> FloatArray:
    step = start.copy()
    held = (step <= lower) | (step >= upper)
    # Each pass either reaches the minimum of the current face or holds one more joint, and each release lowers the cost,
    # so no set comes back; 3^n passes bound it in theory and fewer than 3 n are seen in practice.
    for _ in range(3 ** len(step)):
        target = step.copy()
        free = ~held
        if free.any():
            target[free] = np.linalg.solve(matrix[np.ix_(free, free)], vector[free] - matrix[np.ix_(free, held)] @ step[held])
        share, blocking = _largest_share(step, target, lower, upper, free)
        step = step + share * (target - step)
        if blocking is not None:
            step[blocking] = lower[blocking] if target[blocking] < lower[blocking] else upper[blocking]
            held[blocking] = True
            continue
        slope = matrix @ step - vector
        # A held joint may go when the cost falls towards the inside of its box; joints with no room stay held.
        pull = np.where(step <= lower, -slope, slope) * (held & (lower < upper))
        if pull.max() <= 1e-12 * max(1.0, float(np.abs(vector).max())):
            break
        held[int(np.argmax(pull))] = False
    return np.clip(step, lower, upper)


def _largest_share(step: FloatArray, target: FloatArray, lower: FloatArray, upper: FloatArray, free: Array) -> tuple[float, int | None]:
    """Return how much of the way to `target` stays inside the box, and the joint that blocks the rest."""
    share, blocking = 1.0, None
    for joint in np.flatnonzero(free):
        bound = lower[joint] if target[joint] < lower[joint] else upper[joint] if target[joint] > upper[joint] else None
        if bound is None:
            continue
        possible = (bound - step[joint]) / (target[joint] - step[joint])
        if possible < share or blocking is None:
            share, blocking = max(float(possible), 0.0), int(joint)
    return share, blocking
