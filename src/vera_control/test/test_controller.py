# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vera_control.home import HomeCode
from vera_control.safety import Reason, SafetyState
from vera_core.errors import Refusal
from vera_core.types import JointVelocity

MS = 1_000_000
VELOCITY = np.array([0.2, 0.1, -0.2, 0.15, 0.1, 0.2, -0.1])
MakeLoop = Callable[..., Any]
EstimateOf = Callable[..., JointVelocity]


@pytest.fixture
def steady(estimate_of: EstimateOf) -> Callable[[int], JointVelocity]:
    """Estimates of a constant velocity from pictures 100 ms old."""
    return lambda now_ns: estimate_of(VELOCITY, now_ns - 100 * MS)


def rest_after_ms(loop: Any, since: int) -> int:
    """Milliseconds from a trace index until the reference moves no more."""
    moving = [index for index, state in enumerate(loop.trace) if np.max(np.abs(state[1])) > 1e-9]
    return max(0, moving[-1] + 1 - since)


def assert_limits_kept(loop: Any) -> None:
    peaks = loop.peaks()
    assert peaks['position'] <= 0
    assert max(peaks['velocity'], peaks['acceleration'], peaks['jerk']) <= 1.0 + 1e-6
    assert loop.controller.reference.violations.total == 0


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1))
def test_no_storm_of_commands_breaks_a_limit_in_the_driver(make_loop: MakeLoop, estimate_of: EstimateOf, seed: int):
    """Bursts, reversals, gaps, late ticks, slow messages, doubtful and over-limit estimates: the driver's reference stays inside every limit."""
    rng = np.random.default_rng(seed)
    loop = make_loop()
    velocity = np.zeros(7)

    def storm(now_ns: int) -> JointVelocity | None:
        nonlocal velocity
        if rng.random() < 0.3:
            velocity = rng.normal(0, rng.choice([0.1, 0.5, 2.0]), 7)
        elif rng.random() < 0.1:
            velocity = -velocity
        if rng.random() < 0.15:
            return None
        return estimate_of(
            velocity, now_ns - int(rng.integers(0, 400)) * MS, residual_ratio=rng.uniform(0, 1.2), residual_px=rng.uniform(0, 4)
        )

    loop.run(
        3000,
        estimate=storm,
        estimate_every_ms=int(rng.integers(20, 150)),
        tick_every=lambda: int(rng.choice([12, 20, 28, 60, 300], p=[0.2, 0.5, 0.2, 0.08, 0.02])),
        delay_ms=lambda: int(rng.integers(0, 40)),
    )
    loop.run(800)
    assert loop.speed() == 0.0
    assert_limits_kept(loop)


def test_steady_estimates_are_followed_at_their_speed(make_loop: MakeLoop, robot: Any, estimate_of: EstimateOf):
    loop = make_loop()
    begin_ns = loop.now_ns

    def plan(now_ns: int) -> np.ndarray:
        return robot.home + VELOCITY * max(0.0, (now_ns - begin_ns) * 1e-9)

    def estimate(now_ns: int) -> JointVelocity:
        # What a perfect eye would say: from where the arm was in a picture taken 100 ms ago to where the plan wants it 0.35 s later.
        seen = loop.trace[max(0, len(loop.trace) - 131)][0]
        return estimate_of(VELOCITY, now_ns - 100 * MS, delta_q=plan(now_ns + 250 * MS) - seen)

    loop.run(2500, estimate=estimate)
    np.testing.assert_allclose(loop.trace[-1][1], VELOCITY, atol=0.02)
    np.testing.assert_allclose(loop.trace[-1][0], plan(loop.now_ns), atol=0.012)  # 30 ms of tracking delay and the discrete steps
    assert_limits_kept(loop)


def test_arm_converges_on_a_goal_without_overshoot(make_loop: MakeLoop, robot: Any, estimate_of: EstimateOf):
    loop = make_loop()
    goal = robot.home + np.array([0.3, 0.2, -0.2, 0.3, 0.1, -0.3, 0.2])

    def estimate(now_ns: int) -> JointVelocity:
        missing = goal - loop.trace[max(0, len(loop.trace) - 181)][0]  # a picture 150 ms old, taken of an arm that lags 30 ms
        return estimate_of(missing, now_ns - 150 * MS, delta_q=np.clip(missing, -0.15, 0.15), dt_s=0.5, at_plan_end=True)

    loop.run(6000, estimate=estimate, estimate_every_ms=120)
    error = np.array([state[0] for state in loop.trace]) - goal
    assert np.max(np.abs(error[-1])) < 1e-3
    assert np.max(error[:, 0]) < 0.01
    assert_limits_kept(loop)


def test_nothing_is_sent_before_arming(make_loop: MakeLoop, steady: Any):
    loop = make_loop(armed=False)
    loop.run(500, estimate=steady)
    assert not loop.driver.messages
    assert loop.controller.status(loop.now_ns).state is SafetyState.DISARMED


def test_arming_without_joint_states_is_refused_in_words(make_loop: MakeLoop):
    loop = make_loop(armed=False)
    loop.sends_states = False
    loop.run(300)
    refusal = loop.controller.arm(loop.now_ns)
    assert refusal is not None
    assert 'no fresh joint states on /joint_states' in refusal.text


def test_arming_outside_the_limits_is_refused(make_loop: MakeLoop, robot: Any):
    start = robot.home.copy()
    start[3] = 0.0
    loop = make_loop(start, armed=False)
    refusal = loop.controller.arm(loop.now_ns)
    assert refusal is not None
    assert 'panda_joint4 stands at 0.0000 rad' in refusal.text


def test_lost_estimates_bring_the_arm_to_rest_within_half_a_second(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(1000, estimate=steady)
    assert loop.controller.status(loop.now_ns).state is SafetyState.RUNNING
    since = len(loop.trace)
    loop.run(700)
    assert 0 < rest_after_ms(loop, since) <= 450
    status = loop.controller.status(loop.now_ns)
    assert (status.state, status.reason) == (SafetyState.HOLDING, Reason.STALE_ESTIMATE)
    loop.run(1500)
    assert loop.controller.status(loop.now_ns).state is SafetyState.ARMED
    assert_limits_kept(loop)


def test_dead_controller_leaves_a_trajectory_that_ends_at_rest(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(1000, estimate=steady)
    since = len(loop.trace)
    loop.run(600, tick_every=lambda: 10_000)  # one more tick, then never again
    assert 0 < rest_after_ms(loop, since) <= 350
    assert_limits_kept(loop)


def test_tick_that_took_too_long_is_not_sent_and_the_next_one_joins_the_driver(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(700, estimate=steady)
    late = loop.controller.tick(loop.now_ns)
    assert late is not None
    assert not loop.controller.reference.may_send(loop.now_ns, loop.now_ns + 300 * MS)
    loop.run(300, tick_every=lambda: 10_000, estimate=steady)  # one tick that is sent, then 300 ms without the processor
    loop.run(500, estimate=steady)
    assert loop.speed() > 0.05
    assert_limits_kept(loop)


def test_driver_whose_clock_lags_notices_no_seam(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(1500, estimate=steady, delay_ms=lambda: 5)
    lagging = type(loop.driver)(loop.driver.position)
    messages = list(loop.driver.messages)
    trace = []
    for index, message in enumerate(messages):
        now_ns = message.start_ns + (100 if index > 8 else 0) * MS  # when its sender sent it: 100 ms of repeated points lie before
        lagging.receive(message, now_ns - 70 * MS)
        trace += [lagging.desired(now_ns + (step - 70) * MS) for step in range(20)]
    jerk = np.diff(np.array(trace)[400:, 2], axis=0) / 0.001
    assert np.max(np.abs(jerk) / loop.controller.limits.jerk) <= 1.0


def test_lost_node_brings_the_arm_to_rest_and_is_named(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.controller.on_node('planner_node', is_alive=True)
    loop.run(1000, estimate=steady)
    loop.controller.on_node('planner_node', is_alive=False)
    since = len(loop.trace)
    loop.run(500, estimate=steady)
    assert 0 < rest_after_ms(loop, since) <= 300
    status = loop.controller.status(loop.now_ns)
    assert (status.reason, status.lost_nodes) == (Reason.NODE_LOST, ('planner_node',))
    loop.controller.on_node('planner_node', is_alive=True)
    loop.run(300, estimate=steady)
    assert loop.speed() > 0.05


def test_bad_estimates_are_refused_whole_and_never_move_the_arm(make_loop: MakeLoop, estimate_of: EstimateOf):
    loop = make_loop()
    loop.run(500, estimate=lambda now_ns: estimate_of(np.full(7, 30.0), now_ns))
    assert not loop.driver.messages
    status = loop.controller.status(loop.now_ns)
    assert (status.state, status.reason) == (SafetyState.HOLDING, Reason.OVER_LIMIT)
    assert status.refused_messages == 8


def test_estimate_of_a_picture_from_the_future_is_refused(make_loop: MakeLoop, estimate_of: EstimateOf):
    loop = make_loop()
    refusal = loop.controller.on_estimate(estimate_of(VELOCITY, loop.now_ns + 1000 * MS), loop.now_ns)
    assert isinstance(refusal, Refusal)
    assert refusal.code == 'from_the_future'


def test_low_confidence_holds_and_says_why(make_loop: MakeLoop, estimate_of: EstimateOf):
    loop = make_loop()
    loop.run(500, estimate=lambda now_ns: estimate_of(VELOCITY, now_ns, residual_ratio=0.99, residual_px=4.0))
    assert not loop.driver.messages
    status = loop.controller.status(loop.now_ns)
    assert (status.state, status.reason) == (SafetyState.HOLDING, Reason.LOW_CONFIDENCE)


def test_speed_scale_slows_the_arm(make_loop: MakeLoop, steady: Any):
    speeds = []
    for scale in (1.0, 0.5, 0.0):
        loop = make_loop(speed_scale=scale, compensate_latency=False)
        loop.run(1000, estimate=steady)
        speeds.append(np.linalg.norm(loop.trace[-1][1]))
    assert speeds[0] == pytest.approx(np.linalg.norm(VELOCITY), rel=0.01)
    assert speeds[1] == pytest.approx(speeds[0] / 2, rel=0.01)
    assert speeds[2] == 0.0


def test_stop_ramps_to_rest_and_needs_reset_and_arm(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(1000, estimate=steady)
    loop.controller.stop('the operator')
    since = len(loop.trace)
    loop.run(600, estimate=steady)
    assert 0 < rest_after_ms(loop, since) <= 300
    assert loop.controller.arm(loop.now_ns) is not None
    assert loop.controller.reset(loop.now_ns) is None
    assert loop.controller.arm(loop.now_ns) is None
    loop.run(500, estimate=steady)
    assert loop.speed() > 0.1
    assert_limits_kept(loop)


def test_blocked_arm_is_held_then_stopped_for_good(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.blocked = True
    seen = set()
    for _ in range(40):
        loop.run(100, estimate=steady)
        status = loop.controller.status(loop.now_ns)
        seen.add(status.reason)
        if status.state is SafetyState.STOPPED_LATCHED:
            break
    assert Reason.NOT_FOLLOWING in seen
    assert loop.controller.safety.state is SafetyState.STOPPED_LATCHED
    assert 'rad away from its command' in loop.controller.safety.text


def test_arm_put_elsewhere_at_rest_is_taken_up_where_it_is(make_loop: MakeLoop, robot: Any, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    loop.run(1000)
    moved = robot.home + 0.4
    loop.driver.position, loop.driver.messages, loop.trace = moved, [], []
    loop.run(600)
    loop.run(800, estimate=steady)
    np.testing.assert_allclose(loop.driver.messages[0].position[0], moved, atol=1e-9)
    assert_limits_kept(loop)


def test_second_sender_holds_the_arm(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    loop.controller.on_publisher_count(2)
    loop.run(500, estimate=steady)
    assert loop.speed() == 0.0
    assert '1 other publisher(s) on /joint_trajectory_controller' in loop.controller.safety.text
    loop.controller.on_publisher_count(1)
    loop.run(300, estimate=steady)
    assert loop.speed() > 0.05


def test_clock_set_back_rests_and_begins_anew(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    loop.controller.tick(loop.now_ns - 2000 * MS)  # the last tick was 20 ms before now
    assert not loop.controller.reference.is_anchored
    assert 'the clock went back by 1.98 s' in loop.controller.safety.text


def test_home_arrives_within_limits_and_reports(make_loop: MakeLoop, robot: Any):
    loop = make_loop(robot.home + np.array([0.4, -0.3, 0.2, 0.3, -0.2, 0.3, 0.4]))
    assert loop.controller.start_home('', 0.0, loop.now_ns) is None
    busy = loop.controller.start_home('home', 0.0, loop.now_ns)
    assert busy is not None
    assert busy.text == 'already moving to pose home; cancel that first'
    loop.run(4000)
    outcome = loop.controller.take_home_outcome()
    assert outcome is not None
    assert outcome.code is HomeCode.SUCCEEDED
    assert outcome.max_error < 0.02
    np.testing.assert_allclose(loop.trace[-1][0], robot.home, atol=1e-6)
    assert loop.speed() == 0.0
    assert_limits_kept(loop)


def test_home_ends_with_a_code_when_stopped_canceled_or_impossible(make_loop: MakeLoop, robot: Any):
    away = robot.home + 0.3
    loop = make_loop(away)
    assert loop.controller.start_home('', 0.0, loop.now_ns) is None
    loop.run(300)
    loop.controller.stop('the operator')
    outcome = loop.controller.take_home_outcome()
    assert outcome is not None
    assert outcome.code is HomeCode.STOPPED

    loop = make_loop(away)
    assert loop.controller.start_home('', 1.0, loop.now_ns) is None
    loop.run(300)
    loop.controller.cancel_home()
    loop.run(500)
    outcome = loop.controller.take_home_outcome()
    assert outcome is not None
    assert outcome.code is HomeCode.CANCELED
    assert loop.speed() == 0.0
    assert_limits_kept(loop)

    for pose, scale, words in (
        ('hme', 0.0, "unknown pose 'hme'"),
        ('home', 1.5, 'speed_scale is 1.5'),
        ('home', float('nan'), 'speed_scale is nan'),
    ):
        refusal = loop.controller.start_home(pose, scale, loop.now_ns)
        assert refusal is not None
        assert words in refusal.text


def test_home_is_refused_while_a_task_runs_or_disarmed(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    refusal = loop.controller.start_home('', 0.0, loop.now_ns)
    assert refusal is not None
    assert 'a task is being followed' in refusal.text
    loop = make_loop(armed=False)
    refusal = loop.controller.start_home('', 0.0, loop.now_ns)
    assert refusal is not None
    assert 'DISARMED' in refusal.text


def test_tick_costs_little(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    loop.controller.on_estimate(steady(loop.now_ns), loop.now_ns)
    begin = time.process_time()
    for index in range(100):
        loop.controller.tick(loop.now_ns + index * MS)
    cost_ms = (time.process_time() - begin) / 100 * 1e3
    print(f'one tick costs {cost_ms:.2f} ms')
    assert cost_ms < 3.0
