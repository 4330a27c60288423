# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A published trajectory: joint states on a fixed time grid, joined by quintics exactly as the driver joins them, ending at rest.

All trajectories share one absolute grid (multiples of `period_ns` of the clock), so that the part two consecutive messages have in common
consists of the same points and hence of the same quintics: a driver that swaps one for the other notices nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_core.shapes import FloatArray, check_shapes

# Derivatives 0 to 3 of s, s², ... s⁵: factors and exponents, shape (4, 1, 5) each.
_POWERS = np.arange(1, 6)
_FACTORS = np.array([np.prod([_POWERS - lower for lower in range(order)], axis=0) * np.ones(5) for order in range(4)])[:, None]
_EXPONENTS = np.maximum(_POWERS - np.arange(4)[:, None], 0)[:, None]


def _derivatives(shares: FloatArray) -> FloatArray:
    """Return the derivatives 0 to 3 of s, s², ... s⁵ at shares of a unit interval, shape (4, len(shares), 5)."""
    return np.asarray(_FACTORS * np.asarray(shares, dtype=np.float64)[:, None] ** _EXPONENTS)


_COEFFICIENTS = np.linalg.inv(_derivatives(np.array([0.0, 1.0]))[[0, 1, 2, 1, 2], [1, 0, 0, 1, 1]])
"""From the states at both ends of a unit interval (p1 - p0, v0, a0, v1, a1) to the coefficients of s, s², ... s⁵."""


def quintic_looks(shares: FloatArray) -> FloatArray:
    """Return what leads from the states at both ends of a unit interval (p1 - p0, v0, a0, v1, a1) to the quintic between them.

    Its position from p0 on, velocity, acceleration and jerk at the shares, one after the other: shape (4 len(shares), 5).
    """
    return np.asarray(_derivatives(shares).reshape(-1, 5) @ _COEFFICIENTS)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JointMotion:
    """Position, velocity and acceleration of all joints at one moment."""

    position: FloatArray
    """Shape (n,), rad."""
    velocity: FloatArray
    """Shape (n,), rad/s."""
    acceleration: FloatArray
    """Shape (n,), rad/s²."""

    @classmethod
    def at_rest(cls, position: FloatArray) -> JointMotion:
        """Standing still at a position of shape (n,), rad."""
        zero = np.zeros(len(position))
        return cls(position=np.array(position, dtype=np.float64), velocity=zero, acceleration=zero)

    @property
    def is_at_rest(self) -> bool:
        """True when neither velocity nor acceleration is left."""
        return bool(np.all(np.abs(self.velocity) < 1e-9) and np.all(np.abs(self.acceleration) < 1e-6))

    def rests_at(self, goal: FloatArray) -> bool:
        """True when it rests at a pose, shape (n,), rad, so that nothing is left to do."""
        return self.is_at_rest and bool(np.all(np.abs(self.position - goal) < 1e-6))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ShapedTrajectory:
    """Joint states at consecutive grid times; the last one is at rest."""

    first: int
    """Grid index of the first point: its time is first * period_ns."""
    period_ns: int
    """Time between two points, ns."""
    position: FloatArray
    """Shape (K, n), rad."""
    velocity: FloatArray
    """Shape (K, n), rad/s."""
    acceleration: FloatArray
    """Shape (K, n), rad/s²."""

    def __post_init__(self) -> None:
        check_shapes(position=(self.position, 'K n'), velocity=(self.velocity, 'K n'), acceleration=(self.acceleration, 'K n'))
        for array in (self.position, self.velocity, self.acceleration):
            array.flags.writeable = False

    @property
    def last(self) -> int:
        """Grid index of the last point, which is at rest."""
        return self.first + len(self.position) - 1

    @property
    def start_ns(self) -> int:
        """Time of the first point, ns."""
        return self.first * self.period_ns

    @property
    def end_ns(self) -> int:
        """Time of the last point, from which on the arm rests, ns."""
        return self.last * self.period_ns

    def point(self, index: int) -> JointMotion:
        """Return the state at a grid index; before the first point that point, after the last one rest."""
        row = min(max(index - self.first, 0), len(self.position) - 1)
        return JointMotion(position=self.position[row], velocity=self.velocity[row], acceleration=self.acceleration[row])

    def sample(self, time_ns: int) -> JointMotion:
        """Return the state at any time, between two points by the quintic the driver uses."""
        index, rest_ns = divmod(time_ns, self.period_ns)
        if rest_ns == 0 or index < self.first or index >= self.last:
            return self.point(index if index >= self.first else self.first)
        row = index - self.first
        position, velocity, acceleration, _ = self.dense(np.array([rest_ns / self.period_ns]), start=row, stop=row + 1)
        return JointMotion(position=position[0, 0], velocity=velocity[0, 0], acceleration=acceleration[0, 0])

    def dense(
        self, shares: FloatArray, *, start: int = 0, stop: int | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Evaluate the quintics of the segments start..stop-1 at shares of a segment in [0, 1].

        Returns:
            Position (rad), velocity (rad/s), acceleration (rad/s²) and jerk (rad/s³), each of shape (S, len(shares), n).
        """
        return self.look(quintic_looks(shares), start=start, stop=stop)

    def look(self, looks: FloatArray, *, start: int = 0, stop: int | None = None) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Do as `dense` does with what `quintic_looks` made of the shares."""
        h = self.period_ns * 1e-9
        stop = len(self.position) - 1 if stop is None else stop
        p0, velocity, acceleration = (
            self.position[start:stop],
            self.velocity[start : stop + 1] * h,
            self.acceleration[start : stop + 1] * h**2,
        )
        ends = np.empty((5, *p0.shape))
        np.subtract(self.position[start + 1 : stop + 1], p0, out=ends[0])
        ends[1], ends[2], ends[3], ends[4] = velocity[:-1], acceleration[:-1], velocity[1:], acceleration[1:]
        seen = (looks @ ends.reshape(5, -1)).reshape(4, -1, *p0.shape)
        seen[0] += p0
        for order in (1, 2, 3):
            seen[order] /= h**order
        position, rate, change, jerk = seen.swapaxes(1, 2)
        return position, rate, change, jerk
