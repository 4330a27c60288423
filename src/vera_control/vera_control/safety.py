# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether and why the robot may move: the state machine behind SafetyStatus.

DISARMED --arm--> ARMED <-> RUNNING <-> HOLDING; any --stop--> STOPPED_LATCHED --reset--> DISARMED. Holding goes on by itself, a latched
stop never does. This is software: it is no rated safety function and replaces no stop button.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from vera_core.errors import Refusal


class SafetyState(IntEnum):
    """States of SafetyStatus.msg."""

    DISARMED = 0
    ARMED = 1
    RUNNING = 2
    HOLDING = 3
    STOPPED_LATCHED = 4


class Reason(IntEnum):
    """Reason codes of SafetyStatus.msg."""

    OK = 0
    STALE_ESTIMATE = 1
    STALE_JOINT_STATE = 2
    BAD_INPUT = 3
    OVER_LIMIT = 4
    NODE_LOST = 5
    OPERATOR_STOP = 6
    LOW_CONFIDENCE = 7
    NOT_FOLLOWING = 8
    OTHER_PUBLISHER = 9
    NO_TASK = 10
    DRIVER_NOT_READY = 11
    TOO_CLOSE = 12
    DEADMAN = 13
    NOT_HOME = 14
    CLOCK_JUMP = 15
    FROZEN_CAMERA = 16
    DIVERGED = 17
    DRY_RUN = 18


def reason_of(refusal: Refusal) -> Reason:
    """Return the reason code a refused input is reported under."""
    return {'over_limit': Reason.OVER_LIMIT, 'clock_jump': Reason.CLOCK_JUMP}.get(refusal.code, Reason.BAD_INPUT)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks of one tick say: move, wait for work, or hold, and why."""

    state: SafetyState
    """ARMED, RUNNING or HOLDING."""
    reason: Reason
    text: str


class SafetyMachine:
    """The state, its reason and its sentence. Moves only by the four methods below."""

    def __init__(self) -> None:
        self.state = SafetyState.DISARMED
        self.reason = Reason.OK
        self.text = 'disarmed: nothing is sent to the arm; call the service arm'

    @property
    def may_move(self) -> bool:
        """True while estimates are being followed."""
        return self.state is SafetyState.RUNNING

    @property
    def is_armed(self) -> bool:
        """True in ARMED, RUNNING and HOLDING."""
        return self.state in (SafetyState.ARMED, SafetyState.RUNNING, SafetyState.HOLDING)

    def arm(self, obstacle: Refusal | None) -> Refusal | None:
        """Arm, unless something stands in the way or a stop is latched. Arming an armed arm changes nothing."""
        if self.state is SafetyState.STOPPED_LATCHED:
            return Refusal('latched', f'not armed: a stop is latched ({self.text}); call reset first, then arm')
        if self.is_armed:
            return None
        if obstacle is not None:
            return Refusal(obstacle.code, f'not armed: {obstacle.text}')
        self._set(SafetyState.ARMED, Reason.NO_TASK, 'armed: ready, no estimate is being followed')
        return None

    def stop(self, reason: Reason, text: str) -> None:
        """Stop and stay stopped. The first reason is kept until reset."""
        if self.state is not SafetyState.STOPPED_LATCHED:
            self._set(SafetyState.STOPPED_LATCHED, reason, text)

    def reset(self, *, is_at_rest: bool) -> Refusal | None:
        """Release a latched stop into DISARMED, once the arm rests."""
        if self.state is not SafetyState.STOPPED_LATCHED:
            return Refusal('not_latched', f'nothing to reset: the state is {self.state.name}')
        if not is_at_rest:
            return Refusal('moving', 'not reset: the arm is still coming to rest; call reset again in a moment')
        self._set(SafetyState.DISARMED, Reason.OK, 'disarmed after a stop; call the service arm')
        return None

    def judge(self, verdict: Verdict) -> None:
        """Take over a tick's verdict while armed; in the other states it has no say."""
        if self.is_armed:
            self._set(verdict.state, verdict.reason, verdict.text)

    def _set(self, state: SafetyState, reason: Reason, text: str) -> None:
        self.state, self.reason, self.text = state, reason, text
