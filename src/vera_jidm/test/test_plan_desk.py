# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where plans wait for their verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip('rclpy')

from vera_core.ros.messages import plan_to_msg
from vera_core.types import VideoPlan
from vera_jidm.flow.dis import QUICK, DisFlow
from vera_jidm.ros.plan_desk import PlanDesk
from vera_msgs.msg import PlanVerdict
from vera_msgs.msg import VideoPlan as VideoPlanMsg

FRAMES = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)


def message(plan_id: int, task_id: int = 4) -> VideoPlanMsg:
    return plan_to_msg(VideoPlan(plan_id=plan_id, task_id=task_id, prompt='x', stamp_ns=0, step_dt_s=0.3, frames={'front': FRAMES}))


def verdict(plan_id: int, *, accepted: bool, task_id: int = 4) -> PlanVerdict:
    return PlanVerdict(plan_id=plan_id, task_id=task_id, accepted=accepted)


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def make(faults: list[str]) -> Iterator[Callable[[bool], PlanDesk]]:
    desks: list[PlanDesk] = []

    def made(awaits: bool) -> PlanDesk:
        desks.append(PlanDesk(DisFlow(QUICK), awaits_verdict=awaits, on_ready=lambda: None, on_fault=lambda e: faults.append(str(e))))
        return desks[-1]

    yield made
    for desk in desks:
        desk.close()


def until(done: Callable[[], object]) -> None:
    end = time.monotonic() + 20.0
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_plan_waits_for_its_verdict(make: Callable[[bool], PlanDesk]) -> None:
    desk = make(True)
    desk.put(message(1))
    until(desk.waiting_for)
    assert desk.take() is None
    desk.judge(verdict(1, accepted=True, task_id=3))
    assert desk.take() is None
    desk.judge(verdict(1, accepted=True))
    ready = desk.take()
    assert ready is not None and ready.plan.plan_id == 1 and ready.to_end_px.shape == (3,)
    assert desk.take() is None and desk.waiting_for() is None and desk.take_dropped() == []


def test_a_verdict_may_come_before_its_plan(make: Callable[[bool], PlanDesk]) -> None:
    desk = make(True)
    desk.judge(verdict(2, accepted=True))
    desk.judge(verdict(3, accepted=False))
    desk.put(message(3))
    desk.put(message(2))
    ready = []
    until(lambda: ready.append(found) or True if (found := desk.take()) else False)
    assert ready[0].plan.plan_id == 2 and desk.waiting_for() is None
    assert desk.take_dropped() == [(4, 3)]


def test_without_a_check_plans_are_handed_out_as_they_come(make: Callable[[bool], PlanDesk]) -> None:
    desk = make(False)
    desk.put(message(1))
    until(desk.take)


def test_the_end_of_a_task_and_a_broken_plan_leave_nothing(make: Callable[[bool], PlanDesk], faults: list[str]) -> None:
    desk = make(True)
    desk.put(message(1))
    until(desk.waiting_for)
    desk.end_task(4)
    desk.judge(verdict(1, accepted=True))
    assert desk.take() is None
    broken = message(2)
    broken.frames = broken.frames[:1]
    desk.put(broken)
    until(lambda: faults)
    assert '1 frames but' in faults[0]
