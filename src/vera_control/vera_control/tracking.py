# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the reference and the real arm together: where the reference was, whether the arm follows, and where it begins again after a rest."""

from __future__ import annotations

import numpy as np

from vera_control.follow import ReferenceHistory
from vera_control.params import ControllerParams
from vera_control.reference import RollingReference, joining_time
from vera_control.watchdog import FollowWatch
from vera_core.shapes import FloatArray
from vera_core.types import RobotState

STILL_RAD_S = 0.05
"""Measured joints slower than this count as still."""
SETTLE_S = 0.3
"""After the reference came to rest the arm gets this long to catch up before the two are compared."""
ELSEWHERE_RAD = 0.3
"""A resting arm this far from its reference was put there (a reset scene, another program); it did not sag, so its driver rests there too."""
UNKNOWN_JOINING_S = 0.25
"""The driver gets this long to join a reference that was just put to the measured joints, s."""
SECOND_LOSS_S = 10.0
"""An arm that stops following twice within this time is beyond help."""


class Tracking:
    """Compares the rolling reference with the measured joints every tick."""

    def __init__(self, reference: RollingReference, params: ControllerParams) -> None:
        self._reference = reference
        self._params = params
        self._history = ReferenceHistory()
        self._follow = FollowWatch(bound_rad=params.follow_bound_rad, patience_s=params.follow_patience_s)
        self._joining_s = UNKNOWN_JOINING_S
        self._last_loss_ns: int | None = None
        self.lost: str | None = None
        """Why the arm is held: it does not follow its commands. None while it does."""
        self.is_hopeless = False
        """True when the arm stopped following again soon after the last time."""

    def forget(self) -> None:
        """Drop all that was known, for example after the clock jumped."""
        self._reference.forget()
        self._history.clear()
        self._follow.reset()
        self.lost = None

    def acknowledge(self) -> None:
        """An operator reset the stop: count losses anew."""
        self._last_loss_ns = None
        self.is_hopeless = False

    def reference_behind(self, stamp_ns: int) -> FloatArray | None:
        """Return the reference that the arm was at when a measurement was taken, shape (n,), rad; None when unknown."""
        return self._history.at(stamp_ns - int(self._params.tracking_delay_s * 1e9))

    def joining_s(self, now_ns: int) -> float:
        """Return how long the driver needs from where it rests to the resting reference, s."""
        if self._reference.rested_s(now_ns) == float('inf'):
            return self._joining_s
        # The driver rests exactly where the last trajectory ended.
        return 0.0

    def update(self, state: RobotState, now_ns: int) -> None:
        """Take in fresh measured joints: notice an arm that does not follow, and put a resting reference where the arm really is."""
        is_still = bool(np.all(np.abs(state.velocity) < STILL_RAD_S))
        if not self._reference.is_anchored:
            if is_still:
                self._anchor(state.position, UNKNOWN_JOINING_S)
        elif self._reference.is_moving(now_ns):
            self._watch_motion(state, now_ns)
        elif self._reference.rested_s(now_ns) > SETTLE_S and is_still:
            self._meet_at_rest(state)
        if self._reference.is_anchored:
            self._history.add(now_ns, self._reference.at(now_ns).position)

    def _watch_motion(self, state: RobotState, now_ns: int) -> None:
        then = self.reference_behind(state.stamp_ns)
        if then is None or not self._follow.update(state.position, then, now_ns) or self.lost is not None:
            return
        self.lost = (
            f'joint {self._follow.worst_joint + 1} is {self._follow.worst_rad:.3f} rad away from its command (limit {self._params.follow_bound_rad} rad '
            f'for {self._params.follow_patience_s} s); is the arm blocked or its driver not listening?'
        )
        self.is_hopeless = self._last_loss_ns is not None and (now_ns - self._last_loss_ns) * 1e-9 < SECOND_LOSS_S
        self._last_loss_ns = now_ns

    def _meet_at_rest(self, state: RobotState) -> None:
        gap = state.position - self._reference.rest
        distance = float(np.max(np.abs(gap)))
        if distance > self._params.rest_bound_rad:
            sagged = distance < ELSEWHERE_RAD
            self._anchor(state.position, max(UNKNOWN_JOINING_S, joining_time(gap, self._reference.limits)) if sagged else UNKNOWN_JOINING_S)
        self._follow.reset()
        self.lost = None

    def _anchor(self, position: FloatArray, joining_s: float) -> None:
        self._reference.anchor(np.clip(position, self._reference.limits.lower, self._reference.limits.upper))
        self._history.clear()
        self._joining_s = joining_s
