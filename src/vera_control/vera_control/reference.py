# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The reference trajectory that rolls ahead of the arm: what was published last, and where the next piece takes over.

A new piece takes over a lead time from now, from a point of the trajectory published last; up to there the new message repeats the old
points. So a late tick is a small deceleration (the last message's ramp to rest begins) and a dead sender is a smooth stop.
"""

from __future__ import annotations

import numpy as np

from vera_control.audit import Violations, audit
from vera_control.limits import JointLimits
from vera_control.shaper import Points
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.shapes import FloatArray

PAST_NS = 100_000_000
"""Messages repeat the old points from this long ago on, so that a driver whose clock lags a little finds itself on the same curve."""


LATEST_SHARE = 0.5
"""A trajectory must be on its way within this share of the lead; the rest is for the way itself."""


def joining_time(gap: FloatArray, limits: JointLimits) -> float:
    """Return how long a driver's quintic from rest to rest over a gap (shape (n,), rad) must take to keep the limits, s.

    Rest to rest over d in T has the peaks 1.875 d / T (velocity), 5.774 d / T² (acceleration) and 60 d / T³ (jerk).
    """
    distance = np.abs(gap)
    needed = (1.875 * distance / limits.velocity, np.sqrt(5.774 * distance / limits.acceleration), np.cbrt(60 * distance / limits.jerk))
    return float(max(np.max(times) for times in needed))


class RollingReference:
    """The trajectory in force and the rules of its continuation."""

    def __init__(self, limits: JointLimits, *, lead_s: float, stop_lead_s: float | None = None) -> None:
        """Begin without knowing where the arm is.

        Args:
            limits: Of the joints; the grid of the points.
            lead_s: A new piece takes over this long from now, s.
            stop_lead_s: The same for a ramp to rest; never longer than `lead_s`, s.
        """
        self.limits = limits
        self.lead_ns = int(lead_s * 1e9)
        self.stop_lead_ns = self.lead_ns if stop_lead_s is None else min(self.lead_ns, int(stop_lead_s * 1e9))
        self._used_lead_ns = self.lead_ns
        self.period_ns = round(limits.period_s * 1e9)
        self.violations = Violations()
        self._rest: FloatArray | None = None
        self._trajectory: ShapedTrajectory | None = None
        self._before: tuple[FloatArray | None, ShapedTrajectory | None] = (None, None)

    @property
    def rest(self) -> FloatArray:
        """Where the reference rests or comes to rest, shape (n,), rad. The reference must be anchored."""
        assert self._rest is not None
        return self._rest

    @property
    def is_anchored(self) -> bool:
        """True once it is known where the reference is."""
        return self._rest is not None

    def is_moving(self, now_ns: int) -> bool:
        """True until the last published trajectory has come to rest."""
        return self._trajectory is not None and now_ns < self._trajectory.end_ns

    def anchor(self, position: FloatArray) -> None:
        """Put the resting reference at a position, shape (n,), rad, and forget the last trajectory."""
        self._rest = np.array(position, dtype=np.float64)
        self._trajectory = None

    def forget(self) -> None:
        """Drop all: it is no longer known where the reference is."""
        self._rest = None
        self._trajectory = None

    def rested_s(self, now_ns: int) -> float:
        """Return for how long the last published trajectory has been at rest, s; infinite when there was none."""
        return float('inf') if self._trajectory is None else (now_ns - self._trajectory.end_ns) * 1e-9

    def at(self, now_ns: int) -> JointMotion:
        """Return where the reference is at a time. The reference must be anchored."""
        if self._trajectory is not None:
            return self._trajectory.sample(now_ns)
        return JointMotion.at_rest(self.rest)

    def takeover(self, now_ns: int, *, joining_s: float = 0.0, is_stop: bool = False) -> tuple[int, JointMotion]:
        """Return the grid index and the state from which a new piece goes on.

        Args:
            now_ns: Time of this tick, ns.
            joining_s: How long the driver needs from where it rests to this reference; only used when the reference rests, s.
            is_stop: Whether the new piece only brings the arm to rest.
        """
        self._used_lead_ns = self.stop_lead_ns if is_stop else self.lead_ns
        if self._trajectory is not None and self.is_moving(now_ns):
            index = max(self._ceil(now_ns + self._used_lead_ns), self._trajectory.first)
            return index, self._trajectory.point(index)
        return self._ceil(now_ns + max(self.lead_ns, int(joining_s * 1e9))), self.at(now_ns)

    def extend(self, now_ns: int, index: int, start: JointMotion, points: Points) -> ShapedTrajectory | None:
        """Continue from a takeover with new points, and make the result the trajectory in force.

        Returns:
            The trajectory to publish; None when the last look found a limit broken (counted in `violations`). Then the old one stays in
            force.
        """
        fresh = ShapedTrajectory(
            first=index,
            period_ns=self.period_ns,
            position=np.concatenate([start.position[None], points.position]),
            velocity=np.concatenate([start.velocity[None], points.velocity]),
            acceleration=np.concatenate([start.acceleration[None], points.acceleration]),
        )
        found = audit(fresh, self.limits)
        self.violations.add(found)
        if found.total:
            return None
        trajectory = self._with_committed_part(now_ns, fresh)
        self._before = (self._rest, self._trajectory)
        self._trajectory = trajectory
        self._rest = trajectory.position[-1]
        return trajectory

    def may_send(self, tick_ns: int, now_ns: int) -> bool:
        """Return whether the last continuation can still reach the driver in time; if not it is withdrawn and must not be sent.

        A process can lose the processor for longer than the lead. The driver is on the old ramp to rest by then, and a message from before
        would make it jump.
        """
        if 0 <= now_ns - tick_ns <= LATEST_SHARE * self._used_lead_ns:
            return True
        self.withdraw()
        return False

    def withdraw(self) -> None:
        """Take back the last continuation because it was not sent after all."""
        self._rest, self._trajectory = self._before

    def _with_committed_part(self, now_ns: int, fresh: ShapedTrajectory) -> ShapedTrajectory:
        old = self._trajectory
        if old is None or not self.is_moving(now_ns):
            return fresh
        first = max((now_ns - PAST_NS) // self.period_ns, old.first)
        rows = np.minimum(np.arange(first, fresh.first), old.last) - old.first
        return ShapedTrajectory(
            first=first,
            period_ns=self.period_ns,
            position=np.concatenate([old.position[rows], fresh.position]),
            velocity=np.concatenate([old.velocity[rows], fresh.velocity]),
            acceleration=np.concatenate([old.acceleration[rows], fresh.acceleration]),
        )

    def _ceil(self, time_ns: int) -> int:
        return -(-time_ns // self.period_ns)
