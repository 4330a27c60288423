# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Homing by others than the controller itself: the way, and who tells whom what. The drivers' actions and MoveIt are in test_homing_movers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from vera_control.audit import audit
from vera_control.clearance import clearance_of
from vera_control.home import HomeCode, HomeMove
from vera_control.homing import MoveEnd
from vera_control.homing.path import timed_path
from vera_control.homing.relay import HomeRelay
from vera_control.limits import limits_of
from vera_control.safety import SafetyState
from vera_control.wire import pose_from_goal
from vera_core.embodiment import load_embodiment
from vera_core.errors import Refusal, ShapeError
from vera_core.shapes import FloatArray
from vera_msgs.action import GoHome

PANDA = load_embodiment('panda')
LIMITS = limits_of(PANDA)
HOME = np.array(PANDA.home)
AWAY = HOME + np.array([0.4, -0.3, 0.2, 0.3, -0.2, 0.3, 0.4])
MS = 1_000_000


# Timing a way.


def test_a_straight_way_is_as_fast_as_one_joint_may_go_and_ends_exactly_at_rest() -> None:
    way = timed_path(np.stack([AWAY, HOME]), LIMITS, None, speed_scale=0.5)
    assert not isinstance(way, Refusal)
    np.testing.assert_array_equal(way.position[0], AWAY)
    np.testing.assert_allclose(way.position[-1], HOME, atol=1e-12)
    assert not way.velocity[[0, -1]].any()
    assert audit(way, LIMITS).total == 0
    share = np.max(np.abs(way.velocity) / LIMITS.shaped_velocity)
    assert 0.45 < share <= 0.5 + 1e-9
    steps = np.linalg.norm(np.diff(way.position, axis=0), axis=1).sum()
    assert steps == pytest.approx(float(np.linalg.norm(AWAY - HOME)))  # straight in joint space


def test_a_way_with_corners_goes_through_every_waypoint() -> None:
    middle = 0.5 * (HOME + AWAY) + np.array([0.0, 0.3, 0.0, 0.2, 0.0, 0.0, -0.2])
    way = timed_path(np.stack([AWAY, AWAY, middle, HOME]), LIMITS, None, speed_scale=1.0)
    assert not isinstance(way, Refusal)
    assert float(np.min(np.max(np.abs(way.position - middle), axis=1))) < 0.02
    assert audit(way, LIMITS).total == 0
    derived = np.gradient(way.position, way.period_ns * 1e-9, axis=0)
    np.testing.assert_allclose(derived[1:-1], way.velocity[1:-1], atol=0.02)


def test_a_way_through_the_table_or_out_of_the_limits_is_refused_in_words() -> None:
    clearance = clearance_of(PANDA, max_speed_m_s=0.25, reaction_s=0.2)
    low = HOME + np.array([0.0, 1.9, 0.0, 0.6, 0.0, 0.0, 0.0])
    refusal = timed_path(np.stack([HOME, low]), LIMITS, clearance, speed_scale=0.5)
    assert isinstance(refusal, Refusal)
    assert 'there is no clear way to the pose' in refusal.text
    assert 'margin' in refusal.text
    beyond = timed_path(np.stack([HOME, HOME + 3.0]), LIMITS, None, speed_scale=0.5)
    assert isinstance(beyond, Refusal)
    assert 'rad of joint panda_joint1' in beyond.text


# To a pose without a name.


def test_a_goal_may_be_joint_positions_by_name(make_loop: Callable[..., Any]) -> None:
    names = PANDA.joint_names
    assert pose_from_goal(GoHome.Goal(pose='home'), names) == 'home'
    goal = GoHome.Goal(joint_names=list(reversed(names)), position=AWAY[::-1].tolist())
    pose = pose_from_goal(goal, names)
    np.testing.assert_array_equal(pose, AWAY)
    for bad in (
        GoHome.Goal(pose='home', joint_names=list(names), position=AWAY.tolist()),
        GoHome.Goal(joint_names=list(names), position=[0.0]),
        GoHome.Goal(position=AWAY.tolist()),
        GoHome.Goal(joint_names=[names[0]] * 7, position=AWAY.tolist()),
    ):
        with pytest.raises(ShapeError, match='a goal needs the name of a pose, or a position for each of'):
            pose_from_goal(bad, names)
    loop = make_loop()
    assert loop.controller.start_home(pose, 0.5, loop.now_ns) is None
    loop.run(4000)
    outcome = loop.controller.take_home_outcome()
    assert outcome is not None
    assert outcome.code is HomeCode.SUCCEEDED
    np.testing.assert_allclose(loop.trace[-1][0], AWAY, atol=1e-6)
    beyond = loop.controller.start_home(HOME + 3.0, 0.5, loop.now_ns)
    assert beyond is not None
    assert 'joint panda_joint1 would go to 3.000 rad; its range is' in beyond.text
    odd = loop.controller.start_home(np.full(7, np.nan), 0.5, loop.now_ns)
    assert odd is not None
    assert 'finite' in odd.text


# Between the controller and a mover.


@dataclass
class FakeMover:
    """Notes what it is told, and ends as the test says."""

    refusal: Refusal | None = None
    end: MoveEnd | None = None
    started: list[tuple[HomeMove, FloatArray]] = field(default_factory=list)
    canceled: int = 0

    def start(self, move: HomeMove, measured: FloatArray) -> Refusal | None:
        self.started.append((move, measured))
        return self.refusal

    def cancel(self) -> None:
        self.canceled += 1

    def poll(self) -> MoveEnd | None:
        return self.end


@dataclass
class Bench:
    """A closed loop with a relay in it, whose arm a mover may carry."""

    loop: Any
    relay: HomeRelay
    mover: FakeMover

    def run(self, duration_ms: int) -> None:
        for _ in range(duration_ms // 20):
            self.loop.run(20)
            self.relay.look()


@pytest.fixture
def bench(make_loop: Callable[..., Any]) -> Bench:
    loop, mover = make_loop(AWAY), FakeMover()
    return Bench(loop, HomeRelay(loop.controller, mover), mover)


def test_nothing_is_sent_while_a_mover_leads_and_the_measured_joints_have_the_last_word(bench: Bench) -> None:
    loop, core = bench.loop, bench.loop.controller
    assert bench.relay.start('', 0.5, loop.now_ns) is None
    move, measured = bench.mover.started[0]
    np.testing.assert_array_equal(move.goal, HOME)
    np.testing.assert_allclose(measured, AWAY)
    before = len(loop.driver.messages)
    bench.run(500)
    assert len(loop.driver.messages) == before
    assert core.safety.state is SafetyState.RUNNING
    bench.mover.end = MoveEnd(True, 'says it is there')
    bench.run(200)
    assert core.take_home_outcome() is None  # the arm is still away
    loop.driver.position = HOME.copy()
    loop.driver.messages.clear()
    bench.run(200)
    outcome = core.take_home_outcome()
    assert outcome is not None
    assert outcome.code is HomeCode.SUCCEEDED
    bench.run(600)
    assert core.reference.is_anchored
    np.testing.assert_allclose(core.reference.rest, HOME, atol=1e-9)  # the next motion begins where the mover left the arm
    assert core.safety.state is SafetyState.ARMED


def test_a_stop_cancels_the_mover_in_the_same_tick(bench: Bench) -> None:
    assert bench.relay.start('', 0.5, bench.loop.now_ns) is None
    bench.run(100)
    bench.loop.controller.stop('the operator')
    bench.relay.look()
    assert bench.mover.canceled == 1
    outcome = bench.loop.controller.take_home_outcome()
    assert outcome is not None
    assert outcome.code is HomeCode.STOPPED
    bench.run(100)
    assert bench.mover.canceled == 1


def test_a_mover_that_gives_up_or_never_begins_is_told_in_its_words(bench: Bench) -> None:
    core = bench.loop.controller
    assert bench.relay.start('', 0.5, bench.loop.now_ns) is None
    bench.mover.end = MoveEnd(False, 'the driver gave the way up')
    bench.run(40)
    outcome = core.take_home_outcome()
    assert outcome is not None
    assert (outcome.code, outcome.text) == (HomeCode.STOPPED, 'the driver gave the way up')
    bench.run(600)
    bench.mover.refusal = Refusal('no_server', 'nobody serves it')
    refusal = bench.relay.start('', 0.5, bench.loop.now_ns)
    assert refusal is not None
    assert refusal.text == 'nobody serves it'
    assert core.home is None
    assert core.take_home_outcome() is None
