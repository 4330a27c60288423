# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From waypoints to a trajectory from rest to rest: a cubic spline through them, run through with a minimum-jerk law slow enough for every limit."""

from __future__ import annotations

import numpy as np

from vera_control.audit import audit
from vera_control.clearance import Clearance
from vera_control.limits import JointLimits
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.errors import Refusal
from vera_core.shapes import FloatArray

SHORTEST_S = 0.5
SLOWER = 1.2
LONGEST_S = 60.0
"""A way that needs longer is none."""
SAME_RAD = 1e-4
"""Waypoints closer together than this are one."""
STRIDE = 4
"""Distances between links are looked at in every so many points."""


def timed_path(
    waypoints: FloatArray, limits: JointLimits, clearance: Clearance | None, *, speed_scale: float
) -> ShapedTrajectory | Refusal:
    """Return the trajectory along waypoints that keeps every limit, or why there is none.

    Args:
        waypoints: Poses from the first, where the arm rests, to the last, where it is to rest, shape (W, n), rad.
        limits: Of the joints.
        clearance: Of the links from each other and the table, and their speed; None where they are not known.
        speed_scale: Share of the velocity limit to use, (0, 1].
    """
    apart = np.concatenate([[True], np.max(np.abs(np.diff(waypoints, axis=0)), axis=1) > SAME_RAD])
    points = waypoints[apart] if apart.sum() > 1 else waypoints[[0, -1]]
    outside = np.flatnonzero(np.any((points < limits.lower) | (points > limits.upper), axis=0))
    if len(outside):
        joint = int(outside[0])
        text = f'the way leaves the limits {limits.lower[joint]:.3f} .. {limits.upper[joint]:.3f} rad of joint {limits.names[joint]}'
        return Refusal('way_outside_limits', text)
    spline = _Spline(points)
    duration_s = max(SHORTEST_S, spline.shortest_s(limits.shaped_velocity * speed_scale))
    start = JointMotion.at_rest(points[0])
    while duration_s <= LONGEST_S:
        trajectory = spline.trajectory(duration_s, limits.period_s)
        if audit(trajectory, limits).total:
            duration_s *= SLOWER
            continue
        permitted = 1.0
        if clearance is not None:
            permitted = clearance.permitted(start, trajectory.position[::STRIDE], trajectory.velocity[::STRIDE])
        if permitted == 1.0:
            return trajectory
        duration_s *= max(SLOWER, 1.0 / permitted)
    why = clearance.text if clearance is not None and clearance.text else 'no speed keeps the limits of the joints'
    return Refusal('way_not_clear', f'there is no clear way to the pose: {why}')


class _Spline:
    """A natural cubic spline q(u) through waypoints, u in [0, 1] by the distance in joint space."""

    def __init__(self, points: FloatArray) -> None:
        lengths = np.maximum(np.linalg.norm(np.diff(points, axis=0), axis=1), SAME_RAD)
        self._knots = np.concatenate([[0.0], np.cumsum(lengths)]) / lengths.sum()
        self._points = points
        self._bends = _bends(self._knots, points)

    def shortest_s(self, velocity: FloatArray) -> float:
        """Return the least duration with which no joint passes its velocity, shape (n,), rad/s."""
        # The peak rate of the minimum-jerk law is 1.875 times its mean.
        _, rate, _ = self._at(np.linspace(0.0, 1.0, 20 * len(self._points) + 1))
        return 1.875 * float(np.max(np.abs(rate) / velocity))

    def trajectory(self, duration_s: float, period_s: float) -> ShapedTrajectory:
        """Return the states on a grid, from rest to rest."""
        count = int(np.ceil(duration_s / period_s))
        duration_s = count * period_s
        share = np.arange(count + 1) / count
        law = share**3 * (10 - 15 * share + 6 * share**2)
        rate = (30 * share**2 * (1 - share) ** 2 / duration_s)[:, None]
        change = (60 * share * (1 - share) * (1 - 2 * share) / duration_s**2)[:, None]
        position, slope, bend = self._at(law)
        velocity, acceleration = slope * rate, bend * rate**2 + slope * change
        velocity[-1] = acceleration[-1] = 0.0
        return ShapedTrajectory(first=0, period_ns=round(period_s * 1e9), position=position, velocity=velocity, acceleration=acceleration)

    def _at(self, u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return q, dq/du and d²q/du², each of shape (len(u), n)."""
        knots, points, bends = self._knots, self._points, self._bends
        left = np.clip(np.searchsorted(knots, u, side='right') - 1, 0, len(knots) - 2)
        h = (knots[left + 1] - knots[left])[:, None]
        b = (u[:, None] - knots[left][:, None]) / h
        a = 1.0 - b
        low, high = bends[left], bends[left + 1]
        position = a * points[left] + b * points[left + 1] + ((a**3 - a) * low + (b**3 - b) * high) * h**2 / 6
        slope = (points[left + 1] - points[left]) / h + ((1 - 3 * a**2) * low + (3 * b**2 - 1) * high) * h / 6
        return position, slope, a * low + b * high


def _bends(knots: FloatArray, points: FloatArray) -> FloatArray:
    """Return the second derivatives of the natural spline at the knots, shape (W, n)."""
    size = len(knots)
    matrix, right = np.eye(size), np.zeros_like(points)
    h = np.diff(knots)
    for row in range(1, size - 1):
        matrix[row, row - 1 : row + 2] = h[row - 1], 2 * (h[row - 1] + h[row]), h[row]
        right[row] = 6 * ((points[row + 1] - points[row]) / h[row] - (points[row] - points[row - 1]) / h[row - 1])
    return np.linalg.solve(matrix, right)
