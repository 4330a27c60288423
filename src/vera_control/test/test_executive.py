# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vera_control.executive import PLANNER_FAILED, PLANNER_REFUSED, Executive
from vera_control.params import ExecutiveParams
from vera_control.safety import Reason, SafetyState
from vera_control.task import SafetyReport, Task, TaskCode, TaskOutcome
from vera_core.errors import Refusal
from vera_core.types import JointVelocity

MS = 1_000_000
EstimateOf = Callable[..., JointVelocity]


class Clock:
    """Runs an executive with a controller that reports at 10 Hz."""

    def __init__(self, **params: Any) -> None:
        self.core = Executive(ExecutiveParams(**params))
        self.now_ns = 5_000 * MS
        self.safety: SafetyReport | None = report()
        self.feed_safety()

    def feed_safety(self) -> None:
        if self.safety is not None:
            self.core.on_safety(self.safety, self.now_ns)

    def run(self, duration_ms: int, estimate: Callable[[int], JointVelocity] | None = None) -> TaskOutcome | None:
        for _ in range(duration_ms // 50):
            self.now_ns += 50 * MS
            if self.now_ns % (100 * MS) == 0:
                self.feed_safety()
                if estimate is not None:
                    self.core.on_estimate(estimate(self.now_ns), self.now_ns)
            outcome = self.core.tick(self.now_ns)
            if outcome is not None:
                return outcome
        return None

    def begin(self, prompt: str = 'touch the red cube', max_duration_s: float = 0.0) -> Task:
        task = self.core.submit(prompt, max_duration_s, self.now_ns)
        assert isinstance(task, Task)
        return task


def report(
    state: SafetyState = SafetyState.ARMED, reason: Reason = Reason.OK, text: str = 'fine', lost: tuple[str, ...] = (), speed: float = 0.0
) -> SafetyReport:
    return SafetyReport(state=state, reason=reason, text=text, lost_nodes=lost, speed_rms=speed)


@pytest.fixture
def moving(estimate_of: EstimateOf) -> Callable[[int], JointVelocity]:
    return lambda now_ns: estimate_of(np.full(7, 0.2), now_ns)


@pytest.fixture
def settled(estimate_of: EstimateOf) -> Callable[[int], JointVelocity]:
    return lambda now_ns: estimate_of(np.full(7, 0.001), now_ns, at_plan_end=True, remaining_px=1.0, plan_id=3)


def refusal_text(answer: Task | Refusal) -> str:
    assert isinstance(answer, Refusal)
    return answer.text


def test_task_goes_through_its_phases_to_success(moving: Any, settled: Any):
    clock = Clock()
    task = clock.begin()
    assert task.task_id == 1
    assert clock.run(500) is None
    assert task.phase == 'planning'
    clock.safety = report(SafetyState.RUNNING, speed=0.2)
    assert clock.run(2000, moving) is None
    assert task.phase == 'following'
    clock.safety = report(SafetyState.HOLDING, Reason.LOW_CONFIDENCE)
    clock.run(200, moving)
    assert task.phase == 'holding'
    clock.safety = report(SafetyState.RUNNING, speed=0.001)
    clock.run(200, settled)
    assert task.phase == 'settling'
    outcome = clock.run(1000, settled)
    assert outcome is not None
    assert outcome.code is TaskCode.SUCCEEDED
    assert outcome.plans == 2
    assert outcome.moving_s == pytest.approx(2.0, abs=0.11)
    assert outcome.elapsed_s == pytest.approx(3.4, abs=0.2)
    assert clock.core.task is None


def test_arm_that_still_moves_is_not_done(settled: Any):
    clock = Clock()
    clock.begin()
    clock.safety = report(SafetyState.RUNNING, speed=0.1)
    assert clock.run(3000, settled) is None


def test_settled_time_starts_over_when_motion_is_wanted_again(moving: Any, settled: Any):
    clock = Clock()
    clock.begin()
    for _ in range(5):
        assert clock.run(400, settled) is None
        assert clock.run(100, moving) is None
    assert clock.run(700, settled) is not None


def test_estimates_of_another_task_do_not_count(estimate_of: EstimateOf):
    clock = Clock()
    task = clock.begin()
    clock.run(2000, lambda now_ns: estimate_of(np.zeros(7), now_ns, at_plan_end=True, remaining_px=0.0, task_id=9))
    assert task.phase == 'planning'
    assert not task.plans


def test_time_limit_ends_the_task_with_what_is_missing(moving: Any):
    clock = Clock()
    clock.begin(max_duration_s=2.0)
    outcome = clock.run(5000, moving)
    assert outcome is not None
    assert outcome.code is TaskCode.TIMED_OUT
    assert outcome.elapsed_s == pytest.approx(2.0, abs=0.1)
    assert 'phase following, 20.0 px of motion still missing after 1 plans' in outcome.text


def test_time_limit_without_any_plan_points_at_the_planner():
    clock = Clock(default_duration_s=1.0)
    clock.begin()
    outcome = clock.run(3000)
    assert outcome is not None
    assert 'no plan was ever followed: see planner_status' in outcome.text


@pytest.mark.parametrize(('state', 'verb'), [(PLANNER_FAILED, 'failed'), (PLANNER_REFUSED, 'refused')])
def test_planner_failure_ends_the_task_with_its_words(state: int, verb: str):
    clock = Clock()
    task = clock.begin()
    clock.core.on_planner(state=state, text='an old one', task_id=1, stamp_ns=task.start_ns - 1)
    clock.core.on_planner(state=state, text='another task', task_id=2, stamp_ns=clock.now_ns)
    assert clock.run(100) is None
    clock.core.on_planner(state=state, text='weights are missing', task_id=1, stamp_ns=clock.now_ns)
    outcome = clock.run(100)
    assert outcome is not None
    assert (outcome.code, outcome.text) == (TaskCode.PLANNER_FAILED, f'the planner {verb}: weights are missing')


def test_safety_stop_ends_the_task(moving: Any):
    clock = Clock()
    clock.begin()
    clock.run(500, moving)
    clock.safety = report(SafetyState.STOPPED_LATCHED, Reason.OPERATOR_STOP, 'stopped by the operator')
    outcome = clock.run(300, moving)
    assert outcome is not None
    assert (outcome.code, outcome.text) == (TaskCode.STOPPED, 'the controller is STOPPED_LATCHED: stopped by the operator')


def test_lost_node_ends_the_task_with_its_name(moving: Any):
    clock = Clock()
    clock.core.on_node('flow_node', is_alive=True)
    clock.begin()
    clock.run(500, moving)
    clock.core.on_node('flow_node', is_alive=False)
    assert clock.run(500, moving) is None
    outcome = clock.run(200, moving)
    assert outcome is not None
    assert outcome.code is TaskCode.STOPPED
    assert 'flow_node is gone' in outcome.text
    assert 'flow_node is gone' in refusal_text(clock.core.submit('again', 0.0, clock.now_ns))


def test_node_lost_by_the_controller_ends_the_task_too():
    clock = Clock()
    clock.begin()
    clock.safety = report(SafetyState.HOLDING, Reason.NODE_LOST, lost=('jidm_node',))
    outcome = clock.run(800)
    assert outcome is not None
    assert 'jidm_node is gone' in outcome.text


def test_node_that_comes_back_in_time_does_not_end_the_task(moving: Any):
    clock = Clock()
    clock.core.on_node('flow_node', is_alive=True)
    clock.begin()
    for _ in range(3):
        clock.core.on_node('flow_node', is_alive=False)
        assert clock.run(400, moving) is None
        clock.core.on_node('flow_node', is_alive=True)
        assert clock.run(400, moving) is None


def test_silent_controller_ends_the_task(moving: Any):
    clock = Clock()
    clock.begin()
    clock.run(500, moving)
    clock.safety = None
    outcome = clock.run(2000, moving)
    assert outcome is not None
    assert outcome.code is TaskCode.STOPPED
    assert 'controller_node has been silent' in outcome.text


def test_cancel_ends_the_task():
    clock = Clock()
    clock.begin()
    clock.core.cancel()
    outcome = clock.run(100)
    assert outcome is not None
    assert outcome.code is TaskCode.CANCELED


def test_one_task_at_a_time():
    clock = Clock()
    clock.begin('touch the blue cube')
    assert "task 1 ('touch the blue cube') is being carried out" in refusal_text(clock.core.submit('another', 0.0, clock.now_ns))
    clock.core.cancel()
    clock.run(100)
    assert clock.begin().task_id == 2


@pytest.mark.parametrize(
    ('prompt', 'duration_s', 'words'),
    [
        ('', 0.0, 'the prompt is empty'),
        ('x' * 10_000, 0.0, 'has 10000 characters, at most 500'),
        ('ok', -1.0, 'max_duration is -1.0 s'),
        ('ok', float('nan'), 'max_duration is nan s'),
        ('ok', 1e9, 'between 0 (the default) and 600 s'),
    ],
)
def test_bad_goals_are_refused_in_words(prompt: str, duration_s: float, words: str):
    clock = Clock()
    assert words in refusal_text(clock.core.submit(prompt, duration_s, clock.now_ns))
    assert clock.core.task is None


def test_goals_are_refused_while_the_controller_cannot_move():
    clock = Clock()
    clock.safety = report(SafetyState.DISARMED, text='call the service arm')
    clock.feed_safety()
    assert refusal_text(clock.core.submit('ok', 0.0, clock.now_ns)) == 'the controller is DISARMED: call the service arm'
    clock.safety = report(SafetyState.HOLDING, Reason.STALE_JOINT_STATE, 'no fresh joint states')
    clock.feed_safety()
    assert 'holds the arm: no fresh joint states' in refusal_text(clock.core.submit('ok', 0.0, clock.now_ns))
    clock.now_ns += 2000 * MS
    assert 'no safety_status from controller_node' in refusal_text(clock.core.submit('ok', 0.0, clock.now_ns))


def test_a_task_may_go_home_first_and_begins_when_it_is_there(moving: Callable[[int], JointVelocity]):
    clock = Clock()
    clock.safety = SafetyReport(
        state=SafetyState.ARMED, reason=Reason.OK, text='', lost_nodes=(), speed_rms=0.0, start_obstacle='joint1 is 0.2 rad from home'
    )
    clock.feed_safety()
    refusal = clock.core.submit('go', 0.0, clock.now_ns)
    assert isinstance(refusal, Refusal)
    assert 'from home' in refusal.text
    task = clock.core.submit('go', 0.0, clock.now_ns, home_first=True)
    assert isinstance(task, Task)
    assert clock.run(1000) is None
    assert task.phase == 'homing'
    clock.core.on_home(task.task_id, succeeded=True, text='', now_ns=clock.now_ns)
    assert clock.run(100) is None
    assert task.phase == 'planning'
    assert clock.core.elapsed_s(task, clock.now_ns) < 0.2


def test_a_task_whose_way_home_fails_ends_with_the_words_about_it():
    clock = Clock()
    task = clock.core.submit('go', 0.0, clock.now_ns, home_first=True)
    assert isinstance(task, Task)
    clock.core.on_home(task.task_id, succeeded=False, text='the arm is blocked', now_ns=clock.now_ns)
    outcome = clock.run(100)
    assert outcome is not None
    assert (outcome.code, 'the arm is blocked' in outcome.text) == (TaskCode.STOPPED, True)


def test_divergence_asks_for_new_plans_and_then_ends_the_task(moving: Callable[[int], JointVelocity]):
    clock = Clock(max_replans=2)
    task = clock.begin()
    held = report(SafetyState.HOLDING, Reason.DIVERGED, 'the pictures do not show the motion')
    for count in (1, 2):
        clock.safety = held
        assert clock.run(400, moving) is None
        assert task.replans == count
        clock.safety = report(SafetyState.RUNNING)
        assert clock.run(400, moving) is None
    clock.safety = held
    outcome = clock.run(400, moving)
    assert outcome is not None
    assert (outcome.code, outcome.replans) == (TaskCode.STOPPED, 2)
    assert 'after 2 new plans: the pictures' in outcome.text


def test_a_task_that_gets_no_new_plan_ends(moving: Callable[[int], JointVelocity]):
    clock = Clock()
    clock.begin(max_duration_s=100.0)
    clock.safety = report(SafetyState.HOLDING, Reason.DIVERGED, 'the pictures do not show the motion')
    outcome = clock.run(20_000, moving)
    assert outcome is not None
    assert (outcome.code, outcome.replans) == (TaskCode.STOPPED, 1)
    assert 14.5 < outcome.elapsed_s < 16.0


def test_a_canceled_task_is_over_when_the_arm_rests(moving: Callable[[int], JointVelocity]):
    clock = Clock()
    clock.begin()
    clock.safety = report(SafetyState.RUNNING, speed=0.3)
    assert clock.run(300, moving) is None
    clock.core.cancel()
    assert clock.run(200, moving) is None
    assert clock.core.is_ending
    clock.safety = report(SafetyState.ARMED, speed=0.0)
    outcome = clock.run(200, moving)
    assert outcome is not None
    assert outcome.code is TaskCode.CANCELED


def test_progress_is_the_share_of_the_motion_of_the_plan_that_is_behind(estimate_of: EstimateOf):
    clock = Clock()
    task = clock.begin()
    assert task.progress == 0.0
    for plan_id, remaining, share in ((1, 20.0, 0.0), (1, 5.0, 0.75), (2, 8.0, 0.0), (2, 2.0, 0.75)):
        estimate = estimate_of(np.zeros(7), clock.now_ns, plan_id=plan_id, remaining_px=remaining, task_id=task.task_id)
        clock.core.on_estimate(estimate, clock.now_ns)
        assert task.progress == share
