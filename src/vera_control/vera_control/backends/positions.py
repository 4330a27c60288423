# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Joint positions for a hand whose driver takes nothing else: integrated from the last command, never far from where the joints are."""

from __future__ import annotations

import numpy as np

from vera_control.limits import JointLimits
from vera_core.shapes import FloatArray

BOUND_RAD = 0.25
"""A command is at most this far from the measured joint: what blocks a finger feels no more than this much of the driver's spring."""
LONGEST_STEP_S = 0.05
"""After a pause the command goes on as after a step this long, s."""


class PositionFollower:
    """Follows the wanted positions from its own last command on, so that a finger that sags under load is not let down further and further."""

    def __init__(self, limits: JointLimits, *, bound_rad: float = BOUND_RAD) -> None:
        self._limits = limits
        self._bound_rad = bound_rad
        self._command: FloatArray | None = None
        self._time_ns = 0

    def next(self, wanted: FloatArray, measured: FloatArray, now_ns: int) -> FloatArray:
        """Return the positions to command.

        Where the reference was put elsewhere at rest, the command does not jump there: it goes no faster than a command may.

        Args:
            wanted: The reference now, shape (n,), rad.
            measured: Newest measured joints, shape (n,), rad.
            now_ns: Time, ns.

        Returns:
            Shape (n,), rad, within the position limits and within `bound_rad` of the measured joints where those allow it.
        """
        last = measured if self._command is None else self._command
        step_s = min(max((now_ns - self._time_ns) * 1e-9, 0.0), LONGEST_STEP_S)
        reach = self._limits.velocity * step_s
        command = np.clip(wanted, last - reach, last + reach)
        command = np.clip(command, measured - self._bound_rad, measured + self._bound_rad)
        self._command, self._time_ns = np.clip(command, self._limits.lower, self._limits.upper), now_ns
        return self._command
