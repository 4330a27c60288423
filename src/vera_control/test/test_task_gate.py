# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vera_control.safety import Reason, SafetyState
from vera_control.task_gate import TaskGate
from vera_core.types import JointVelocity

S = 1_000_000_000


def test_task_is_in_force_until_it_ends_or_falls_silent() -> None:
    gate = TaskGate(timeout_s=1.0)
    assert gate.in_force(S) is None
    gate.report(3, S, is_active=True)
    assert gate.in_force(2 * S) == 3
    gate.report(2, 2 * S, is_active=False)
    assert gate.in_force(2 * S) == 3
    gate.report(3, 2 * S, is_active=False)
    assert gate.in_force(2 * S) is None
    gate.report(4, 3 * S, is_active=True)
    assert gate.in_force(4 * S + 1) is None


def test_arm_ramps_to_rest_when_its_task_ends_although_estimates_go_on(
    make_loop: Callable[..., Any], estimate_of: Callable[..., JointVelocity]
) -> None:
    loop = make_loop(require_task=True)
    velocity = np.full(7, 0.2)

    def run(milliseconds: int, *, is_active: bool, task_id: int = 1) -> None:
        for _ in range(milliseconds // 100):
            loop.controller.on_task(task_id, loop.now_ns, is_active=is_active)
            loop.controller.on_estimate(estimate_of(velocity, loop.now_ns, task_id=1), loop.now_ns)
            loop.run(100)

    run(200, is_active=False)
    assert loop.controller.safety.state is SafetyState.ARMED
    run(1000, is_active=True)
    assert loop.controller.safety.state is SafetyState.RUNNING
    assert loop.controller.reference.is_moving(loop.now_ns)
    run(400, is_active=False)
    assert not loop.controller.reference.is_moving(loop.now_ns)
    assert (loop.controller.safety.state, loop.controller.safety.reason) == (SafetyState.ARMED, Reason.NO_TASK)
    run(400, is_active=True, task_id=2)
    assert not loop.controller.reference.is_moving(loop.now_ns), 'estimates of task 1 moved the arm for task 2'


def test_refused_estimates_are_reported_with_and_without_a_task(
    make_loop: Callable[..., Any], estimate_of: Callable[..., JointVelocity]
) -> None:
    loop = make_loop(require_task=True)
    for is_active in (False, True):
        loop.controller.on_task(1, loop.now_ns, is_active=is_active)
        loop.run(200, estimate=lambda now_ns: estimate_of(np.full(7, 30.0), now_ns))
        assert (loop.controller.safety.state, loop.controller.safety.reason) == (SafetyState.HOLDING, Reason.OVER_LIMIT)
    assert not loop.driver.messages
