# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a JointTrajectory message means to the driver that runs it: which ones joint_trajectory_controller refuses, and how it joins the points.

The simulated robot's driver and the stand-in for joint_trajectory_controller both work from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vera_core.errors import Refusal
from vera_core.shapes import FloatArray

END_SPEED = float(np.finfo(np.float32).eps)
"""A last point that is faster does not count as at rest, rad/s."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Position (rad), velocity (rad/s) and acceleration (rad/s²) of all joints at one moment, each of shape (n,)."""

    position: FloatArray
    velocity: FloatArray
    acceleration: FloatArray

    @classmethod
    def at_rest(cls, position: FloatArray) -> Motion:
        """Standing still at a position, shape (n,), rad."""
        return cls(np.array(position, dtype=np.float64), np.zeros(len(position)), np.zeros(len(position)))


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The way between two points: a polynomial of time since the first of them, s, for every joint."""

    coefficients: FloatArray
    """Of 1, t, ... t⁵, shape (6, n)."""

    @classmethod
    def linear(cls, begin: Motion, end: Motion, duration_s: float) -> Segment:
        """Straight line between two positions: the velocity jumps at every point."""
        return cls._of(begin.position, (end.position - begin.position) / duration_s)

    @classmethod
    def cubic(cls, begin: Motion, end: Motion, duration_s: float) -> Segment:
        """Third-order segment through position and velocity at both ends: the acceleration jumps at every point."""
        h, gap = duration_s, end.position - begin.position
        c2 = (3 * gap - (2 * begin.velocity + end.velocity) * h) / h**2
        c3 = (-2 * gap + (begin.velocity + end.velocity) * h) / h**3
        return cls._of(begin.position, begin.velocity, c2, c3)

    @classmethod
    def quintic(cls, begin: Motion, end: Motion, duration_s: float) -> Segment:
        """Fifth-order segment through position, velocity and acceleration at both ends."""
        h, v0, a0, v1, a1 = duration_s, begin.velocity, begin.acceleration, end.velocity, end.acceleration
        gap = end.position - begin.position
        c3 = (20 * gap - (8 * v1 + 12 * v0) * h - (3 * a0 - a1) * h**2) / (2 * h**3)
        c4 = (-30 * gap + (14 * v1 + 16 * v0) * h + (3 * a0 - 2 * a1) * h**2) / (2 * h**4)
        c5 = (12 * gap - 6 * (v1 + v0) * h + (a1 - a0) * h**2) / (2 * h**5)
        return cls._of(begin.position, v0, a0 / 2, c3, c4, c5)

    @classmethod
    def _of(cls, *coefficients: FloatArray) -> Segment:
        rows = np.zeros((6, len(coefficients[0])))
        rows[: len(coefficients)] = coefficients
        return cls(rows)

    def at(self, elapsed_s: float) -> Motion:
        """Return the motion at a time since the first point, s."""
        t = elapsed_s
        powers = (
            (1.0, t, t**2, t**3, t**4, t**5),
            (0.0, 1.0, 2 * t, 3 * t**2, 4 * t**3, 5 * t**4),
            (0.0, 0.0, 2.0, 6 * t, 12 * t**2, 20 * t**3),
        )
        position, velocity, acceleration = np.array(powers) @ self.coefficients
        return Motion(position, velocity, acceleration)

    def positions(self, elapsed_s: FloatArray) -> FloatArray:
        """Return the positions at many times, shape (K,), s: shape (K, n), rad."""
        return np.asarray(np.vander(elapsed_s, 6, increasing=True) @ self.coefficients)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JointTrajectory:
    """A trajectory message: what it says, joints in the order of its names."""

    names: tuple[str, ...]
    times: FloatArray
    """Time from start of every point, shape (P,), s."""
    positions: FloatArray
    """Shape (P, n), rad."""
    velocities: FloatArray | None = None
    """Shape (P, n), rad/s; None when the message gives none: points are joined by straight lines."""
    accelerations: FloatArray | None = None
    """Shape (P, n), rad/s²; None when the message gives none: points are joined by cubics."""
    _segments: dict[int, Segment] = field(default_factory=dict, init=False, repr=False)
    """By the row of their end: a driver looks at each many times."""

    def in_order(self, joint_names: Sequence[str]) -> JointTrajectory:
        """Return the same with the joints in another order; the names must have been checked."""
        order = [self.names.index(name) for name in joint_names]
        velocities = None if self.velocities is None else self.velocities[:, order]
        accelerations = None if self.accelerations is None else self.accelerations[:, order]
        return replace(
            self, names=tuple(joint_names), positions=self.positions[:, order], velocities=velocities, accelerations=accelerations
        )

    def point(self, row: int) -> Motion:
        """Return a point; what the message does not give is zero."""
        zero = np.zeros(self.positions.shape[1])
        velocity = zero if self.velocities is None else self.velocities[row]
        acceleration = zero if self.accelerations is None else self.accelerations[row]
        return Motion(self.positions[row], velocity, acceleration)

    def at(self, elapsed_s: float, before: Motion, before_s: float) -> Motion:
        """Return the motion at a time.

        Args:
            elapsed_s: Time since the trajectory's start, s.
            before: Where the driver was when it took the trajectory over; it goes from there to the first point.
            before_s: When that was, in the trajectory's own time, s.
        """
        if elapsed_s >= self.times[-1]:
            return self.point(-1)
        row = int(np.searchsorted(self.times, elapsed_s, side='right'))
        if row == 0:
            return self._join(before, self.point(0), float(self.times[0]) - before_s).at(elapsed_s - before_s)
        return self._segment(row).at(elapsed_s - float(self.times[row - 1]))

    def ticks(self, tick_s: float) -> FloatArray:
        """Return the positions every `tick_s` from the first point's time to the last one's, shape (K, n), rad: what a driver goes through.

        The same as `at`, a segment at a time: a look at a whole trajectory has to be short.
        """
        times = np.arange(float(self.times[0]), float(self.times[-1]), tick_s)
        rows = np.searchsorted(self.times, times, side='right')
        parts = [self._segment(int(row)).positions(times[rows == row] - self.times[row - 1]) for row in np.unique(rows)]
        return np.concatenate(parts) if parts else np.array(self.positions[:1])

    def _segment(self, row: int) -> Segment:
        """Return the way from the point before to a point, row >= 1."""
        segment = self._segments.get(row)
        if segment is None:
            segment = self._join(self.point(row - 1), self.point(row), float(self.times[row] - self.times[row - 1]))
            self._segments[row] = segment
        return segment

    def _join(self, begin: Motion, end: Motion, duration_s: float) -> Segment:
        if self.velocities is None:
            return Segment.linear(begin, end, duration_s)
        return (Segment.cubic if self.accelerations is None else Segment.quintic)(begin, end, duration_s)


def check(
    trajectory: JointTrajectory, joint_names: Sequence[str], *, ended_s: float | None, allow_moving_end: bool = False
) -> Refusal | None:
    """Return why joint_trajectory_controller would refuse a message; None when it would run it.

    In two things this is stricter than the real one, which takes a name twice and values that are not finite and then does what nobody meant.

    Args:
        trajectory: What came.
        joint_names: The joints of the controller.
        ended_s: How long ago the trajectory ended, s; None when it starts on receipt.
        allow_moving_end: The controller's allow_nonzero_velocity_at_trajectory_end.
    """
    names, times = trajectory.names, trajectory.times
    if sorted(names) != sorted(joint_names):
        return Refusal('wrong_joint_names', f'trajectory names {list(names)} but the robot has {list(joint_names)}; send every joint once')
    shape = (len(times), len(names))
    fields = (('positions', trajectory.positions), ('velocities', trajectory.velocities), ('accelerations', trajectory.accelerations))
    for label, array in fields:
        if array is None:
            continue
        if array.shape != shape or not len(times):
            return Refusal('wrong_length', f'{label} have shape {array.shape} but {shape} was expected, with at least one point')
        if not np.isfinite(array).all():
            wrong = int((~np.isfinite(array)).sum())
            return Refusal('not_finite', f'{label} hold {wrong} values that are not finite; the whole trajectory is refused')
    if trajectory.velocities is None and trajectory.accelerations is not None:
        return Refusal('no_velocities', 'the points have accelerations but no velocities; send both or neither')
    if (np.diff(times) <= 0).any() or times[0] < 0:
        return Refusal('times', f'time_from_start must rise strictly from 0 on; got {np.round(times[:5], 4).tolist()} ...')
    if trajectory.velocities is not None and not allow_moving_end:
        fastest = float(np.abs(trajectory.velocities[-1]).max())
        if fastest > END_SPEED:
            return Refusal('moving_end', f'the last point moves at up to {fastest:.3g} rad/s; a trajectory must end at rest')
    if ended_s is not None and ended_s > 0:
        return Refusal('ended', f'the trajectory ended {ended_s:.3f} s ago; check the clocks of sender and driver')
    return None
