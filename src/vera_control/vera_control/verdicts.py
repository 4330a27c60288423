# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The sentences of the controller: every hold with its reason code, its value, its limit and what to do about it."""

from __future__ import annotations

from vera_control.safety import Reason, SafetyState, Verdict, reason_of
from vera_core.errors import Refusal


def hold(reason: Reason, text: str) -> Verdict:
    """Hold for a reason given in one sentence."""
    return Verdict(SafetyState.HOLDING, reason, text)


def refused(refusal: Refusal) -> Verdict:
    """Hold because the input that is missing was refused."""
    return hold(reason_of(refusal), refusal.text)


def stale_state(topic: str, age_s: float, limit_s: float) -> Verdict:
    """Hold because measured joints are missing."""
    seen = 'none was received yet' if age_s < 0 else f'the newest is {age_s:.2f} s old'
    return hold(Reason.STALE_JOINT_STATE, f'no fresh joint states on {topic} ({seen}, limit {limit_s} s); is the robot driver running?')


def other_publisher(count: int, topic: str) -> Verdict:
    """Hold because somebody else commands the arm too."""
    text = f'{count} other publisher(s) on {topic}; two senders would fight over the arm, stop the other one (a killed one is forgotten after some seconds)'
    return hold(Reason.OTHER_PUBLISHER, text)


def moving_by_itself() -> Verdict:
    """Hold because the arm moves although nobody here told it to, so there is no place to start from."""
    return hold(Reason.NOT_FOLLOWING, 'the arm moves without a command of this controller; waiting until it is still')


def stale_estimate(age_s: float, limit_s: float) -> Verdict:
    """Hold because the velocity estimates stopped."""
    return hold(
        Reason.STALE_ESTIMATE, f'no usable velocity estimate for {age_s:.2f} s (limit {limit_s} s); the arm rests until the next one'
    )


def ready() -> Verdict:
    """Wait for work."""
    return Verdict(SafetyState.ARMED, Reason.NO_TASK, 'armed: ready, no estimate is being followed')


def waiting_for_task(task_id: int) -> Verdict:
    """Wait for the first estimate of the task in force."""
    return Verdict(SafetyState.ARMED, Reason.OK, f'armed: task {task_id} is in force, waiting for its first estimate')


def going_home(pose: str) -> Verdict:
    """Move to a named pose."""
    return Verdict(SafetyState.RUNNING, Reason.OK, f'moving to pose {pose}')


def frozen(views: tuple[str, ...]) -> Verdict:
    """Hold because a camera sends the same picture again and again."""
    text = f'the picture of {", ".join(views)} stays the same to the last bit although the arm has moved; is the camera frozen? The arm rests until it changes'
    return hold(Reason.FROZEN_CAMERA, text)


def following(plan_id: int, step: int, refusal: Refusal | None, *, is_dry: bool = False) -> Verdict:
    """Follow estimates, and speak of one refused in between."""
    if refusal is not None:
        return Verdict(SafetyState.RUNNING, reason_of(refusal), f'{refusal.text} (still following the estimates before it)')
    dry = ' (dry run: the arm is not moved)' if is_dry else ''
    return Verdict(SafetyState.RUNNING, Reason.OK, f'following plan {plan_id}, frame {step}{dry}')
