# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A joint reference held against the manufacturer's own limits, tick by tick, by differences: what a robot would feel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.shapes import FloatArray

TOLERANCE = 1.001
JUMP_TICKS = 3
"""A jump is in the velocity of one tick, the acceleration of two and the jerk of three."""


@dataclass(slots=True)
class Violations:
    """How often the reference broke a limit of the robot, in driver ticks."""

    position: int = 0
    velocity: int = 0
    acceleration: int = 0
    jerk: int = 0


@dataclass(slots=True)
class Peaks:
    """The largest share of a limit that any joint has used; 1 is the limit."""

    velocity: float = 0.0
    acceleration: float = 0.0
    jerk: float = 0.0


class LimitWatch:
    """Looks at a reference once per tick. Velocity, acceleration and jerk are differences from tick to tick."""

    def __init__(self, robot: Embodiment, tick_s: float) -> None:
        self._tick_s = tick_s
        joints = robot.joints
        self._lower, self._upper, self._velocity, self._acceleration, self._jerk = (
            np.array([getattr(joint, quantity) for joint in joints]) for quantity in ('lower', 'upper', 'velocity', 'acceleration', 'jerk')
        )
        self._lowest, self._highest = self._lower - 1e-9, self._upper + 1e-9
        self._limits = np.stack((self._velocity, self._acceleration, self._jerk))
        self._has_window = np.array([joint.deceleration is not None for joint in joints])
        self._deceleration = np.array([joint.deceleration or 0.0 for joint in joints])
        self._offset = np.array([joint.velocity_offset for joint in joints])
        self.reset(np.zeros(len(joints)))

    def reset(self, position: FloatArray) -> None:
        """Begin anew from a reference at rest, shape (n,), rad."""
        self._last = np.zeros((3, len(position)))
        """Position, velocity and acceleration at the last tick."""
        self._last[0] = position
        self._after_jump = 0
        self.violations = Violations()
        self.late_ticks = 0
        """Ticks outside a limit that a command which came too late is to blame for, not its points; they are not in `violations`."""
        self.peaks = Peaks()

    def expect_jump(self) -> None:
        """The next reference belongs to a command that came too late: what differences over the gap show is no fault of its points."""
        self._after_jump = JUMP_TICKS

    def look(self, position: FloatArray) -> None:
        """Take in the reference of the next tick, shape (n,), rad."""
        last, tick_s = self._last, self._tick_s
        velocity = (position - last[0]) / tick_s
        acceleration = (velocity - last[1]) / tick_s
        jerk = (acceleration - last[2]) / tick_s
        last[0], last[1], last[2] = position, velocity, acceleration
        counts, peaks = self.violations, self.peaks
        is_late, self._after_jump = self._after_jump > 0, max(0, self._after_jump - 1)
        counts.position += int(bool(((position < self._lowest) | (position > self._highest)).any()))
        # One division and one maximum for all three: this runs five hundred times a second.
        shares = np.abs(np.concatenate((velocity, acceleration, jerk))).reshape(3, -1) / self._limits
        if self._has_window.any():
            shares[0] = self._velocity_share(position, velocity)
        largest = shares.max(axis=1).tolist()
        if is_late:
            self.late_ticks += int(max(largest) > TOLERANCE)
            return
        for quantity, worst in zip(('velocity', 'acceleration', 'jerk'), largest, strict=True):
            setattr(counts, quantity, getattr(counts, quantity) + int(worst > TOLERANCE))
            setattr(peaks, quantity, max(getattr(peaks, quantity), worst))

    def breaks(self, positions: FloatArray) -> bool:
        """Whether references of successive ticks, shape (K, n), rad, break a limit between them; notes nothing, and may begin in the middle of a motion."""
        velocity = np.diff(positions, axis=0) / self._tick_s
        acceleration = np.diff(velocity, axis=0) / self._tick_s
        jerk = np.diff(acceleration, axis=0) / self._tick_s
        outside = ((positions < self._lowest) | (positions > self._highest)).any()
        shares = (self._velocity_share(positions[1:], velocity), np.abs(acceleration) / self._acceleration, np.abs(jerk) / self._jerk)
        return bool(outside or any(share.size and float(share.max()) > TOLERANCE for share in shares))

    def _velocity_share(self, position: FloatArray, velocity: FloatArray) -> FloatArray:
        """Share of the velocity limit, which for some robots shrinks towards the position limits."""
        limit = self._velocity
        if self._has_window.any():
            room = np.where(velocity > 0, self._upper - position, position - self._lower)
            braking = np.maximum(np.sqrt(2 * self._deceleration * np.maximum(room, 0.0)) - self._offset, 1e-9)
            limit = np.where(self._has_window, np.minimum(limit, braking), limit)
        return np.asarray(np.abs(velocity) / limit)
