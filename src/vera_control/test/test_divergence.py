# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vera_control.divergence import ENOUGH_PX2, PROBATION, PROVEN_PX2, TRIES, UNPROVEN_SHARE, DivergenceRule, DivergenceWatch, Doubt
from vera_control.safety import Reason, SafetyState
from vera_core.types import JointVelocity, MotionEvidence

MS = 1_000_000
VELOCITY = np.array([0.2, 0.1, -0.2, 0.15, 0.1, 0.2, -0.1])
MakeLoop = Callable[..., Any]
EstimateOf = Callable[..., JointVelocity]


def evidence(gain: float = 1.0, agreement: float = 0.95, expected_px2: float = 100.0, joint: int = 3) -> MotionEvidence:
    gains = np.ones(7)
    gains[joint] = gain
    return MotionEvidence(gain=gains, gain_std=np.full(7, 0.2), agreement=agreement, expected_px2=expected_px2)


def watch_of(*items: MotionEvidence, plan_id: int = 1) -> DivergenceWatch:
    watch = DivergenceWatch(DivergenceRule())
    for item in items:
        watch.update(item, task_id=1, plan_id=plan_id)
    return watch


def test_good_evidence_leaves_the_full_speed():
    watch = watch_of(evidence())
    assert (watch.doubt, watch.share(), watch.text) == (Doubt.NONE, 1.0, '')


def test_speed_rises_with_the_motion_that_was_seen():
    assert watch_of(evidence(expected_px2=0.0)).share() == UNPROVEN_SHARE
    assert watch_of(evidence(expected_px2=PROVEN_PX2 / 2)).share() == (1 + UNPROVEN_SHARE) / 2
    assert watch_of().share() == 1.0  # nobody looks


def test_a_weak_joint_slows_and_slowness_ends_only_well_above_its_bound():
    watch = watch_of(evidence(0.25))
    assert watch.doubt is Doubt.SLOW
    assert watch.share() < 1.0
    watch.update(evidence(0.32), task_id=1, plan_id=1)
    assert watch.doubt is Doubt.SLOW
    watch.update(evidence(0.4), task_id=1, plan_id=1)
    assert watch.doubt is Doubt.NONE


def test_little_motion_is_no_ground_for_doubt_in_the_agreement():
    assert watch_of(evidence(agreement=-1.0, expected_px2=0.5 * ENOUGH_PX2)).doubt is Doubt.NONE


def test_a_joint_that_hardly_shows_holds_until_a_new_plan_is_followed():
    watch = watch_of(evidence(0.05))
    assert (watch.doubt, watch.share()) == (Doubt.HOLD, 0.0)
    assert 'joint 4 shows 0.05' in watch.text
    watch.update(evidence(1.0, expected_px2=120.0), task_id=1, plan_id=1)
    assert watch.doubt is Doubt.HOLD
    watch.update(evidence(0.05), task_id=1, plan_id=2)
    assert watch.doubt is Doubt.SLOW
    assert 0.0 < watch.share() < 0.5


def test_plans_that_do_not_help_stop_the_arm():
    watch = watch_of(evidence(0.05))
    count = 0.0
    for plan_id in range(2, TRIES + 2):
        for _ in range(PROBATION):
            count += 1.0
            watch.update(evidence(0.05, expected_px2=100.0 + count), task_id=1, plan_id=plan_id)
    assert watch.doubt is Doubt.STOP


def test_a_reversed_joint_and_unrelated_pictures_stop_at_once():
    assert watch_of(evidence(-0.6)).doubt is Doubt.STOP
    assert watch_of(evidence(agreement=-0.2)).doubt is Doubt.STOP


def test_another_task_begins_without_doubt():
    watch = watch_of(evidence(-0.6))
    watch.update(evidence(), task_id=2, plan_id=9)
    assert watch.doubt is Doubt.NONE


def test_controller_latches_a_reversed_joint_and_an_operator_can_release_it(make_loop: MakeLoop, estimate_of: EstimateOf):
    loop = make_loop()
    loop.run(400, estimate=lambda now_ns: estimate_of(VELOCITY, now_ns - 100 * MS, evidence=evidence()))
    assert loop.speed() > 0.1
    loop.run(400, estimate=lambda now_ns: estimate_of(VELOCITY, now_ns - 100 * MS, evidence=evidence(-0.5)))
    assert (loop.speed(), loop.controller.safety.state) == (0.0, SafetyState.STOPPED_LATCHED)
    assert loop.controller.safety.reason is Reason.DIVERGED
    assert loop.controller.reset(loop.now_ns) is None
    assert loop.controller.arm(loop.now_ns) is None
    loop.run(50)
    assert loop.controller.safety.is_armed


def test_controller_goes_on_slowly_with_a_new_plan_after_a_hold(make_loop: MakeLoop, estimate_of: EstimateOf):
    loop = make_loop()
    loop.run(400, estimate=lambda now_ns: estimate_of(VELOCITY, now_ns - 100 * MS, evidence=evidence(0.05)))
    assert (loop.speed(), loop.controller.safety.reason) == (0.0, Reason.DIVERGED)
    loop.run(600, estimate=lambda now_ns: estimate_of(VELOCITY, now_ns - 100 * MS, evidence=evidence(0.05), plan_id=2))
    assert 0.0 < loop.speed() < 0.5 * np.linalg.norm(VELOCITY)


def test_what_is_seen_outside_of_a_task_stops_nobody(make_loop: MakeLoop, estimate_of: EstimateOf):
    """A scene that is reset while estimates of the task before still come: pictures and joints jump, and that says nothing about the robot."""
    loop = make_loop(require_task=True)
    for is_active, expected in ((False, SafetyState.ARMED), (True, SafetyState.STOPPED_LATCHED)):
        loop.controller.on_task(1, loop.now_ns, is_active=is_active)
        loop.run(200, estimate=lambda now_ns: estimate_of(VELOCITY, now_ns - 100 * MS, task_id=1, evidence=evidence(-0.6)))
        assert loop.controller.safety.state is expected
