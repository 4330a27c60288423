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

# Position, velocity and acceleration at both ends of a unit interval to the coefficients of s^3, s^4, s^5.
_HERMITE = np.linalg.inv(np.array([[1.0, 1.0, 1.0], [3.0, 4.0, 5.0], [6.0, 12.0, 20.0]]))


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
        h = self.period_ns * 1e-9
        stop = len(self.position) - 1 if stop is None else stop
        p0, p1 = self.position[start:stop], self.position[start + 1 : stop + 1]
        v0, v1 = self.velocity[start:stop] * h, self.velocity[start + 1 : stop + 1] * h
        a0, a1 = self.acceleration[start:stop] * h * h, self.acceleration[start + 1 : stop + 1] * h * h
        ends = np.stack([p1 - p0 - v0 - a0 / 2, v1 - v0 - a0, a1 - a0])
        c3, c4, c5 = np.einsum('ij,jkn->ikn', _HERMITE, ends)[:, :, None, :]
        s = np.asarray(shares, dtype=np.float64)[None, :, None]
        p0, v0, a0 = p0[:, None, :], v0[:, None, :], a0[:, None, :]
        position = p0 + s * (v0 + s * (a0 / 2 + s * (c3 + s * (c4 + s * c5))))
        velocity = v0 + s * (a0 + s * (3 * c3 + s * (4 * c4 + s * 5 * c5)))
        acceleration = a0 + s * (6 * c3 + s * (12 * c4 + s * 20 * c5))
        jerk = 6 * c3 + s * (24 * c4 + s * 60 * c5)
        return position, velocity / h, acceleration / h**2, jerk / h**3
