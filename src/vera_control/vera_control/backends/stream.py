# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The trajectory in force, for drivers that take one command at a time instead of a trajectory: what to send at a moment, and when to be silent."""

from __future__ import annotations

from vera_control.trajectory import JointMotion, ShapedTrajectory

LINGER_S = 0.3
"""The state at rest is repeated for this long: a lost last message would leave a driver with the one before it."""


class CommandStream:
    """Samples the newest trajectory. Time comes in as an argument."""

    def __init__(self, *, linger_s: float = LINGER_S) -> None:
        self._linger_ns = int(linger_s * 1e9)
        self._trajectory: ShapedTrajectory | None = None

    def take(self, trajectory: ShapedTrajectory) -> None:
        """Put a trajectory in force."""
        self._trajectory = trajectory

    def due(self, now_ns: int) -> JointMotion | None:
        """Return the motion to command now; None when the arm has rested for long enough that nothing need be said."""
        if self._trajectory is None or now_ns > self._trajectory.end_ns + self._linger_ns:
            return None
        return self._trajectory.sample(now_ns)

    def rests_at_ns(self, now_ns: int) -> int:
        """Return when the arm comes to rest, ns: now when it rests already."""
        return now_ns if self._trajectory is None else max(now_ns, self._trajectory.end_ns)
