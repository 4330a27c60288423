# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The gates that belong to people, robot and clock, in a closed loop of one controller and one driver."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vera_control.clock_watch import ClockWatch
from vera_control.driver_mode import MODE_ADAPTERS, DriverMode, DriverState, ModeGate, franka_mode, mode_adapter, text_mode
from vera_control.safety import Reason, SafetyState
from vera_control.start_gate import Deadman
from vera_core.errors import ConfigError
from vera_core.types import JointVelocity, MotionEvidence

MS = 1_000_000
SECOND = 1_000 * MS
VELOCITY = np.array([0.2, 0.1, -0.2, 0.15, 0.1, 0.2, -0.1])
MakeLoop = Callable[..., Any]
EstimateOf = Callable[..., JointVelocity]


@pytest.fixture
def steady(estimate_of: EstimateOf) -> Callable[[int], JointVelocity]:
    """Estimates of a constant velocity from pictures 100 ms old."""
    return lambda now_ns: estimate_of(VELOCITY, now_ns - 100 * MS)


def reason(loop: Any) -> Reason:
    return loop.controller.status(loop.now_ns).reason


def test_arm_rests_when_the_enabling_button_is_released_and_goes_on_when_held(make_loop: MakeLoop, steady: Any):
    loop = make_loop(deadman=True)

    def held(now_ns: int) -> JointVelocity:
        loop.controller.on_deadman(now_ns, is_held=True)
        return steady(now_ns)

    loop.run(600, estimate=steady)
    assert (loop.speed(), reason(loop)) == (0.0, Reason.DEADMAN)
    loop.run(600, estimate=held)
    assert loop.speed() > 0.1
    loop.controller.on_deadman(loop.now_ns, is_held=False)
    loop.run(300, estimate=steady)  # lead 100 ms and a stop of at most 170 ms
    assert (loop.speed(), reason(loop)) == (0.0, Reason.DEADMAN)
    assert 'hold it' in loop.controller.status(loop.now_ns).start_obstacle


def test_silence_on_deadman_counts_as_released_and_so_does_a_time_from_the_future():
    deadman = Deadman(is_required=True, timeout_s=0.3)
    deadman.report(SECOND, is_held=True)
    assert deadman.obstacle(SECOND + 300 * MS) is None
    assert 'limit 0.3 s' in (deadman.obstacle(SECOND + 301 * MS) or '')
    assert deadman.obstacle(SECOND - 1) is not None


def test_going_home_needs_the_enabling_button_too(make_loop: MakeLoop, robot: Any):
    loop = make_loop(start=robot.home + 0.1, deadman=True)
    refusal = loop.controller.start_home('', 0.0, loop.now_ns)
    assert refusal is not None
    assert 'enabling button' in refusal.text


def test_a_task_begins_only_at_home_where_that_is_required_and_then_goes_on_anywhere(make_loop: MakeLoop, robot: Any, steady: Any):
    loop = make_loop(start=robot.home + 0.2, require_home=True, require_task=True)

    def of_task(now_ns: int) -> JointVelocity:
        loop.controller.on_task(1, now_ns, is_active=True)
        return steady(now_ns)

    loop.run(300, estimate=of_task)
    assert (loop.speed(), reason(loop)) == (0.0, Reason.NOT_HOME)
    assert 'go_home' in loop.controller.status(loop.now_ns).text
    near = make_loop(require_home=True, require_task=True)
    near.run(1600, estimate=lambda now_ns: near.controller.on_task(1, now_ns, is_active=True) or steady(now_ns))
    assert np.max(np.abs(near.measured() - robot.home)) > 0.2
    assert near.speed() > 0.1


def test_a_robot_that_moves_is_not_armed(make_loop: MakeLoop, robot: Any):
    loop = make_loop(armed=False)
    state = loop.controller.checks.state
    moving = type(state)(stamp_ns=loop.now_ns, position=state.position, velocity=np.full(7, 0.2))
    loop.controller.on_state(moving, loop.now_ns)
    refusal = loop.controller.arm(loop.now_ns)
    assert refusal is not None
    assert '0.200 rad/s' in refusal.text


@pytest.mark.parametrize('jump_s', [1.0, -1.0])
def test_a_clock_that_jumps_brings_rest_a_named_reason_and_no_wrong_motion(make_loop: MakeLoop, steady: Any, jump_s: float):
    loop = make_loop()
    loop.run(800, estimate=steady)
    before = loop.trace[-1][0]
    end = loop.driver.messages[-1].position[-1]  # where the last trajectory rests
    loop.now_ns += int(jump_s * SECOND)
    messages = len(loop.driver.messages)
    loop.controller.tick(loop.now_ns)
    assert reason(loop) is Reason.CLOCK_JUMP
    assert 'clock went' in loop.controller.status(loop.now_ns).text
    assert len(loop.driver.messages) == messages
    assert np.max(np.abs(end - before)) < 0.2


def test_clock_watch_takes_the_noise_of_synchronisation():
    clock = ClockWatch()
    assert clock.tick(SECOND) is None
    assert clock.tick(SECOND - 40 * MS) is None
    assert '0.06 s' in (clock.tick(SECOND - 100 * MS) or '')
    assert clock.tick(SECOND + 300 * MS) is None
    assert 'ahead by 1.00 s' in (clock.tick(2 * SECOND + 300 * MS) or '')


@pytest.mark.parametrize(
    ('mode', 'state'),
    [
        (2, DriverState.READY),
        (1, DriverState.WAITING),
        (3, DriverState.STOPPED),
        (4, DriverState.STOPPED),
        (5, DriverState.STOPPED),
        (77, DriverState.STOPPED),
    ],
)
def test_franka_modes(mode: int, state: DriverState):
    assert franka_mode(SimpleNamespace(robot_mode=mode)).state is state


@pytest.mark.parametrize(
    ('words', 'state'),
    [('ready', DriverState.READY), ('', DriverState.READY), ('waiting: brakes', DriverState.WAITING), ('fault 12', DriverState.STOPPED)],
)
def test_text_modes(words: str, state: DriverState):
    assert text_mode(SimpleNamespace(data=words)).state is state


def test_unknown_mode_adapter_is_named():
    with pytest.raises(ConfigError, match="driver_state is 'frank'.*franka"):
        mode_adapter('frank')
    assert set(MODE_ADAPTERS) == {'franka', 'text'}


def test_a_mode_that_is_missing_or_old_lets_the_arm_wait():
    gate = ModeGate(is_watched=True, timeout_s=0.5)
    assert gate.obstacle(0) is not None
    gate.report(DriverMode(DriverState.READY, ''), SECOND)
    assert gate.obstacle(SECOND) is None
    assert 'limit 0.5 s' in gate.obstacle(SECOND + 600 * MS).text  # type: ignore[union-attr]
    assert ModeGate(is_watched=False, timeout_s=0.5).obstacle(0) is None


def test_a_reflex_of_the_robot_latches_and_its_end_restarts_nothing(make_loop: MakeLoop, steady: Any):
    loop = make_loop(armed=False, driver_state='franka')
    mode = [2]

    def estimate(now_ns: int) -> JointVelocity:
        loop.controller.on_mode(franka_mode(SimpleNamespace(robot_mode=mode[0])), now_ns)
        return steady(now_ns)

    loop.run(100, estimate=estimate)
    assert loop.controller.arm(loop.now_ns) is None
    loop.run(500, estimate=estimate)
    assert loop.speed() > 0.1
    mode[0] = 4
    loop.run(400, estimate=estimate)
    assert loop.controller.safety.state is SafetyState.STOPPED_LATCHED
    assert 'REFLEX' in loop.controller.safety.text
    mode[0] = 2
    loop.run(400, estimate=estimate)
    assert (loop.speed(), loop.controller.safety.state) == (0.0, SafetyState.STOPPED_LATCHED)


def test_a_frozen_picture_holds_and_is_named(make_loop: MakeLoop, estimate_of: EstimateOf):
    loop = make_loop()
    frozen = MotionEvidence(gain=np.ones(7), gain_std=np.ones(7), agreement=1.0, expected_px2=0.0, frozen_views=('front',))
    loop.run(400, estimate=lambda now_ns: estimate_of(VELOCITY, now_ns - 100 * MS, evidence=frozen))
    assert (loop.speed(), reason(loop)) == (0.0, Reason.FROZEN_CAMERA)
    assert 'front' in loop.controller.status(loop.now_ns).text


def test_a_blocked_arm_holds_before_the_command_runs_away(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.blocked = True
    loop.run(800, estimate=steady)
    assert loop.controller.safety.reason is Reason.NOT_FOLLOWING
    assert 'blocked' in loop.controller.safety.text
    ahead = np.max(np.abs(loop.driver.messages[-1].position[-1] - loop.driver.position))
    assert ahead < 0.05 + 0.2 * 0.5  # the bound, and half a second at the speed of the fastest joint until rest


def test_a_joint_that_moves_against_its_command_stops_for_good_at_once(make_loop: MakeLoop, robot: Any, steady: Any):
    loop = make_loop()
    sign = np.array([1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    straight = loop.measured
    loop.measured = lambda: robot.home + sign * (straight() - robot.home)
    loop.run(1500, estimate=steady)
    assert (loop.speed(), loop.controller.safety.state) == (0.0, SafetyState.STOPPED_LATCHED)
    assert 'joint 2 moves against its command' in loop.controller.safety.text
    assert abs(loop.measured()[1] - robot.home[1]) < np.radians(4.0)


def test_a_dry_run_never_leaves_the_arm_far_behind_and_cannot_go_home(make_loop: MakeLoop, steady: Any):
    loop = make_loop(dry_run=True)
    loop.blocked = True  # nothing reaches the driver
    seen: set[Reason] = set()
    for _ in range(20):
        loop.run(100, estimate=steady)
        seen.add(reason(loop))
        assert np.max(np.abs(loop.driver.messages[-1].position[-1] - loop.driver.position)) < 0.2
    assert Reason.DRY_RUN in seen
    assert Reason.OK in seen
    assert loop.controller.safety.state is not SafetyState.STOPPED_LATCHED
    assert loop.controller.status(loop.now_ns).is_dry
    refusal = loop.controller.start_home('', 0.0, loop.now_ns)
    assert refusal is not None


def test_a_dry_task_begins_and_ends_where_the_arm_is(make_loop: MakeLoop, steady: Any):
    loop = make_loop(require_task=True)
    loop.controller.on_task(1, loop.now_ns, is_active=True, is_dry=True)
    assert loop.controller.checks.is_dry
    loop.run(300)
    loop.controller.on_task(1, loop.now_ns, is_active=False)
    assert not loop.controller.checks.is_dry
    loop.run(100)
    np.testing.assert_allclose(loop.controller.reference.rest, loop.measured())
