# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Faults of streams: late, not finite, cut short, frozen, swapped, replayed, with a wrong clock or a wrong quality of service."""

from __future__ import annotations

from functools import partial

from vera_bringup.faults.fault import Fault
from vera_bringup.faults.rig import Rig
from vera_control.params import ControllerParams
from vera_control.safety import Reason

R = Reason
DEFAULTS = ControllerParams()
ESTIMATE_S = DEFAULTS.estimate_timeout_s
"""The estimate in force may be used this long; a missing one cannot be known before."""
ON_THEIR_WAY_S = 0.15
"""Pictures that were good are still being worked on when a camera fails."""
STATE_S = DEFAULTS.state_timeout_s
LOST = (R.STALE_ESTIMATE, R.BAD_INPUT)
JOINTS = (R.STALE_JOINT_STATE, R.BAD_INPUT)
WRONG_PICTURES = (R.DIVERGED, R.LOW_CONFIDENCE, R.STALE_ESTIMATE, R.FROZEN_CAMERA)


def _spoil(rig: Rig, *, settings: str) -> None:
    rig.spoil(settings)


def _fault(
    name: str,
    text: str,
    settings: str,
    reasons: tuple[Reason, ...] = (),
    *,
    known_after_s: float | None = 0.0,
    is_harmless: bool = False,
    goes_on: bool = True,
    during: str = 'task',
    watch_s: float = 1.6,
) -> Fault:
    return Fault(
        name=name,
        text=text,
        act=partial(_spoil, settings=settings),
        mend=partial(_spoil, settings=''),
        reasons=reasons,
        known_after_s=known_after_s,
        is_harmless=is_harmless,
        goes_on=goes_on,
        during='start' if during == 'start' else 'task',
        watch_s=watch_s,
    )


CAMERA_FAULTS: tuple[Fault, ...] = (
    _fault('camera-unplugged', 'one camera unplugged', 'front=stop', LOST, known_after_s=ESTIMATE_S + ON_THEIR_WAY_S),
    _fault('cameras-unplugged', 'both cameras unplugged', 'front=stop, side=stop', LOST, known_after_s=ESTIMATE_S + ON_THEIR_WAY_S),
    _fault('camera-frozen', 'one camera frozen, the same stamp again and again', 'front=freeze', LOST, known_after_s=ESTIMATE_S + ON_THEIR_WAY_S),
    _fault(
        'camera-frozen-restamped', 'one camera frozen, the same picture under new stamps', 'front=freeze_pixels', WRONG_PICTURES, known_after_s=None,
        watch_s=4.0,
    ),
    _fault('cameras-swapped', 'views swapped while the arm moves', 'front=swap:side, side=swap:front', WRONG_PICTURES, known_after_s=None, watch_s=4.0),
    _fault('camera-late', 'pictures of one camera 1 s late', 'front=late:1.0', LOST, known_after_s=ESTIMATE_S + ON_THEIR_WAY_S),
    _fault('camera-cut', 'pictures of one camera cut short', 'front=short', LOST, known_after_s=ESTIMATE_S + ON_THEIR_WAY_S),
    _fault('camera-clock-behind', "cameras' clock 1 s behind", 'front=shift:-1.0, side=shift:-1.0', LOST, known_after_s=ESTIMATE_S + ON_THEIR_WAY_S),
    _fault('camera-clock-ahead', "cameras' clock 1 s ahead", 'front=shift:1.0, side=shift:1.0', LOST, known_after_s=ESTIMATE_S + ON_THEIR_WAY_S),
    _fault('cameras-loop', 'the last 2 s of both cameras replayed, old stamps', 'front=loop:0, side=loop:0', LOST, known_after_s=ESTIMATE_S + ON_THEIR_WAY_S),
)  # fmt: skip

JOINT_FAULTS: tuple[Fault, ...] = (
    _fault('joints-stop', 'joint states stop', 'joint_states=stop', JOINTS, known_after_s=STATE_S),
    _fault('joints-reordered', 'joints named in another order (nothing is wrong)', 'joint_states=reorder', is_harmless=True),
    _fault('joints-shuffled', 'values under the names of other joints', 'joint_states=shuffle', (R.NOT_FOLLOWING, *JOINTS), known_after_s=DEFAULTS.follow_patience_s),
    _fault('joints-nan', 'a joint is NaN', 'joint_states=nan', JOINTS, known_after_s=STATE_S),
    _fault('joints-short', 'a position is missing', 'joint_states=short', JOINTS, known_after_s=STATE_S),
    _fault('joints-clock-behind', "driver's clock 1 s behind", 'joint_states=shift:-1.0', JOINTS, known_after_s=STATE_S),
    _fault('joints-clock-ahead', "driver's clock 1 s ahead", 'joint_states=shift:1.0', JOINTS, known_after_s=STATE_S),
    _fault('joints-loop', 'the last 2 s of joint states replayed, old stamps', 'joint_states=loop:0', JOINTS, known_after_s=STATE_S),
)  # fmt: skip

REPLY_FAULTS: tuple[Fault, ...] = (
    _fault('estimates-late', 'estimates 1 s late', 'estimates=late:1.0', LOST, known_after_s=ESTIMATE_S),
    _fault('estimates-nan', 'estimates are NaN', 'estimates=nan', LOST, known_after_s=ESTIMATE_S),
    _fault('estimates-short', 'estimates with one joint too few', 'estimates=short', LOST, known_after_s=ESTIMATE_S),
    _fault('estimates-loop', 'the last 2 s of estimates replayed, old stamps', 'estimates=loop:0', LOST, known_after_s=ESTIMATE_S),
    _fault('estimates-qos', 'estimates offered best effort (QoS mismatch)', 'estimates=best_effort', LOST, known_after_s=ESTIMATE_S),
    _fault('plan-nan', 'a plan whose step is NaN', 'plan=nan', (R.OK, R.NO_TASK), during='start', watch_s=3.0, goes_on=False),
    _fault('plan-short', 'a plan with a picture missing', 'plan=short', (R.OK, R.NO_TASK), during='start', watch_s=3.0, goes_on=False),
    _fault('plan-late', 'a plan 5 s late', 'plan=late:5.0', (R.OK, R.NO_TASK), during='start', watch_s=3.0, goes_on=False),
)  # fmt: skip

CLOCK_FAULTS: tuple[Fault, ...] = (
    _fault('clock-back', "controller's clock set back by 1 s", 'clock=shift:-1.0', (R.CLOCK_JUMP,), goes_on=True),
    _fault('clock-ahead', "controller's clock set ahead by 1 s", 'clock=shift:1.0', (R.CLOCK_JUMP,), goes_on=True),
)
