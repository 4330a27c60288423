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
AGAINST_RAD = 0.02
"""A joint this far from its command that has moved away from it needs no patience, rad."""
ON_ITS_WAY_S = 0.05
"""A command to join may take so long to the driver, s; what is left of the time to join must be enough."""
LAG_S = 0.2
"""An arm may be this far behind its commands."""
RETREAT_SHARE = 0.2
"""A blocked arm is bent: its command goes back to where it is, and further by this share of how far ahead it was."""
MOST_BENT_RAD = 0.2
"""No obstacle is found later than this, rad: an arm further from its command is not to be believed."""
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
        self._missed_s, self._joined_ns = 0.0, 0
        self._last_loss_ns: int | None = None
        self._began: FloatArray | None = None
        self.way_back: FloatArray | None = None
        """Where the reference of a blocked arm has to come back to, shape (n,), rad, or the servos push on for ever; None while it is not blocked."""
        self.lost: str | None = None
        """Why the arm is held: it does not follow its commands. None while it does."""
        self.is_hopeless = False
        """True when the arm stopped following again soon after the last time."""

    @property
    def is_anchored(self) -> bool:
        """True once it is known where the arm rests or is led."""
        return self._reference.is_anchored

    def is_moving(self, now_ns: int) -> bool:
        """True while the arm is led."""
        return self._reference.is_moving(now_ns)

    def forget(self) -> None:
        """Drop all that was known, for example after the clock jumped."""
        self._reference.forget()
        self._history.clear()
        self._follow.reset()
        self.lost = self.way_back = None

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
        # The driver rests where the last trajectory ended, or, had that one come too late for it, where the one before did.
        return 0.0 if self._reference.is_moving(now_ns) else self._missed_s

    def update(self, state: RobotState, now_ns: int, *, is_dry: bool = False) -> None:
        """Take in fresh measured joints: notice an arm that does not follow, and put a resting reference where the arm really is.

        In a dry run no arm follows: there the reference only comes back to the arm when it is far from it.
        """
        is_still = bool(np.all(np.abs(state.velocity) < STILL_RAD_S))
        if self._reference.is_anchored:
            # Before the look: the joints may have been measured after the last tick.
            self._remember(now_ns)
            if self._reference.is_moving(now_ns):
                self._watch_motion(state, now_ns, is_dry=is_dry)
            else:
                self._look_for_missed(state, now_ns)
                if self._reference.rested_s(now_ns) > SETTLE_S and is_still:
                    self._meet_at_rest(state, now_ns)
        elif is_still:
            self._anchor(state.position, UNKNOWN_JOINING_S, now_ns)
        if self._reference.is_anchored and not self._reference.is_moving(now_ns):
            self._began = self._reference.rest

    def _look_for_missed(self, state: RobotState, now_ns: int) -> None:
        """Note how long a driver that has missed the last commands will need from where the arm is. A blocked arm's driver has missed nothing."""
        gap = state.position - self._reference.rest
        needed_s = ON_ITS_WAY_S + joining_time(gap, self._reference.limits)
        is_near = np.max(np.abs(gap)) < self._params.follow_bound_rad  # further away it does not follow, which is told
        is_missed = self.lost is None and is_near and needed_s * 1e9 > self._reference.lead_ns
        self._missed_s = needed_s if is_missed else 0.0
        if is_missed:
            self._joined_ns = now_ns + int((needed_s + LAG_S) * 1e9)

    def _remember(self, now_ns: int) -> None:
        self._history.add(now_ns, self._reference.at(now_ns).position)

    def _watch_motion(self, state: RobotState, now_ns: int, *, is_dry: bool) -> None:
        then = self.reference_behind(state.stamp_ns)
        if then is None:
            return
        is_lost = self._follow.update(state.position, then, now_ns)
        # On its way to where the reference begins it may come from either side.
        is_against = now_ns >= self._joined_ns and self._follow.worst_rad > AGAINST_RAD and self._goes_the_other_way(state)
        if self.lost is not None or not (is_lost or is_against):
            return
        if is_dry:
            self.lost = f'dry run: the commands are {self._follow.worst_rad:.2f} rad ahead of the arm, which is not moved; they begin again where it is'
            return
        self.lost = (
            f'joint {self._follow.worst_joint + 1} is {self._follow.worst_rad:.3f} rad away from its command (limit {self._params.follow_bound_rad} rad '
            f'for {self._params.follow_patience_s} s); is the arm blocked or its driver not listening?'
        )
        self.is_hopeless = self._last_loss_ns is not None and (now_ns - self._last_loss_ns) * 1e-9 < SECOND_LOSS_S
        self._last_loss_ns = now_ns
        if self.is_hopeless:
            self.lost = f'twice within {SECOND_LOSS_S:.0f} s: {self.lost}'
        # Against its command a way back would lead further away, and nothing bends an arm that far.
        retreat = state.position - RETREAT_SHARE * (then - state.position)
        is_bent = not is_against and self._follow.worst_rad < MOST_BENT_RAD
        self.way_back = None if not is_bent else np.clip(retreat, self._reference.limits.lower, self._reference.limits.upper)
        if is_against:
            self.lost = (
                f'joint {self._follow.worst_joint + 1} moves against its command; is its sign wrong in the robot file or its driver?'
            )
            self.is_hopeless = True

    def _goes_the_other_way(self, state: RobotState) -> bool:
        """Whether the worst joint has moved against its commands since the last rest: nothing that is only in its way makes it do that.

        An arm that lags through a reversal is on the other side of its command too, but not of what it was told within LAG_S.
        """
        commanded = self._history.since(state.stamp_ns - int(LAG_S * 1e9))
        if self._began is None or not len(commanded):
            return False
        joint = self._follow.worst_joint
        done, wanted = state.position[joint] - self._began[joint], commanded[:, joint] - self._began[joint]
        return bool(np.all(done * wanted <= 0.0) and abs(done) > 0.3 * self._follow.worst_rad)

    def _meet_at_rest(self, state: RobotState, now_ns: int) -> None:
        gap = state.position - self._reference.rest
        distance = float(np.max(np.abs(gap)))
        if distance > self._params.rest_bound_rad:
            sagged = distance < ELSEWHERE_RAD
            joining_s = max(UNKNOWN_JOINING_S, joining_time(gap, self._reference.limits)) if sagged else UNKNOWN_JOINING_S
            self._anchor(state.position, joining_s, now_ns)
        self._follow.reset()
        self.lost = self.way_back = None

    def _anchor(self, position: FloatArray, joining_s: float, now_ns: int) -> None:
        self._reference.anchor(np.clip(position, self._reference.limits.lower, self._reference.limits.upper))
        self._history.clear()
        self._remember(now_ns)
        self._joining_s = joining_s
