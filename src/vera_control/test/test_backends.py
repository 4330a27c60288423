# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the command backends work out, without ROS."""

from __future__ import annotations

import numpy as np
import pytest

from vera_control.backends import BACKENDS
from vera_control.backends.positions import BOUND_RAD, PositionFollower
from vera_control.backends.servo import ServoLink
from vera_control.backends.stream import CommandStream
from vera_control.limits import limits_of
from vera_control.trajectory import ShapedTrajectory
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError

MS = 1_000_000
HAND = load_embodiment('allegro')
LIMITS = limits_of(HAND)


def ramp(first: int = 100) -> ShapedTrajectory:
    """One joint that slows from 1 rad/s to rest in 20 ms, from 1.0 rad on, points every 10 ms."""
    return ShapedTrajectory(
        first=first,
        period_ns=10 * MS,
        position=np.array([[1.0], [1.0075], [1.01]]),
        velocity=np.array([[1.0], [0.5], [0.0]]),
        acceleration=np.array([[-50.0], [-50.0], [0.0]]),
    )


def test_names_of_the_backends_and_a_hint_for_a_wrong_one() -> None:
    assert set(BACKENDS.names) >= {'trajectory', 'servo', 'velocity', 'allegro_position'}
    with pytest.raises(ConfigError, match=r"unknown command backend 'sevro'.*Did you mean 'servo'\?"):
        BACKENDS.factory('sevro')


# A stream of single commands.


def test_stream_gives_the_trajectory_at_the_time_asked() -> None:
    stream = CommandStream()
    assert stream.due(1000 * MS) is None
    stream.take(ramp())
    motion = stream.due(1010 * MS)
    assert motion is not None
    np.testing.assert_allclose([motion.position[0], motion.velocity[0]], [1.0075, 0.5])


def test_stream_repeats_rest_for_a_while_and_then_is_silent() -> None:
    stream = CommandStream(linger_s=0.3)
    stream.take(ramp())
    for now_ms in (1020, 1100, 1320):
        motion = stream.due(now_ms * MS)
        assert motion is not None
        assert (motion.position[0], motion.velocity[0]) == (1.01, 0.0)
    assert stream.due(1321 * MS) is None
    assert stream.rests_at_ns(1005 * MS) == 1020 * MS
    assert stream.rests_at_ns(2000 * MS) == 2000 * MS


def test_newer_trajectory_takes_over_at_once() -> None:
    stream = CommandStream()
    stream.take(ramp())
    stream.take(ramp(first=102))
    motion = stream.due(1020 * MS)
    assert motion is not None
    assert motion.velocity[0] == 1.0


# Positions for a hand.


def test_positions_follow_the_reference_exactly_while_it_keeps_the_speed_limit() -> None:
    follower, speed = PositionFollower(LIMITS), 0.9 * LIMITS.velocity
    start = np.array(HAND.home)
    for step in range(20):
        wanted = start + speed * step * 0.005
        np.testing.assert_allclose(follower.next(wanted, start, step * 5 * MS), wanted, atol=1e-12)


def test_positions_integrate_from_the_last_command_not_from_the_sagging_joint() -> None:
    follower, home = PositionFollower(LIMITS), np.array(HAND.home)
    follower.next(home, home, 0)
    sagged = home - 0.1
    # Held for a second: a command made from the measured joint would sink by 0.1 rad every time.
    for step in range(1, 200):
        np.testing.assert_array_equal(follower.next(home, sagged, step * 5 * MS), home)


def test_positions_do_not_jump_when_the_reference_is_put_elsewhere() -> None:
    follower, home = PositionFollower(LIMITS), np.array(HAND.home)
    follower.next(home, home, 0)
    moved = follower.next(home - 0.1, home - 0.1, 5 * MS)
    # 5 ms at the commanded speed limit of 7 * 0.25 rad/s.
    np.testing.assert_allclose(home - moved, 0.005 * 1.75)


@pytest.mark.parametrize('side', [1.0, -1.0])
def test_positions_stay_near_the_measured_joints(side: float) -> None:
    follower, home = PositionFollower(LIMITS), np.array(HAND.home)
    for step in range(200):
        command = follower.next(home + side * 0.6, home, step * 10 * MS)
        assert np.all(np.abs(command - home) <= BOUND_RAD + 1e-12)
    inside = np.clip(home + side * BOUND_RAD, LIMITS.lower, LIMITS.upper)
    np.testing.assert_allclose(command, inside)


def test_positions_never_leave_the_limits_even_when_the_joint_has() -> None:
    outside = LIMITS.upper + 0.1
    command = PositionFollower(LIMITS).next(outside, outside, 0)
    np.testing.assert_array_equal(command, LIMITS.upper)


def test_positions_after_a_pause_or_a_clock_set_back_make_no_leap() -> None:
    home = np.array(HAND.home)
    for later_ns in (60_000 * MS, -60_000 * MS):
        follower = PositionFollower(LIMITS)
        follower.next(home, home, 0)
        step = np.abs(follower.next(home + 0.2, home, later_ns) - home)
        assert np.all(step <= 0.05 * LIMITS.velocity + 1e-12)


# MoveIt Servo.


def switched(now_ns: int = 0) -> ServoLink:
    link = ServoLink('/servo_node')
    assert link.should_switch(now_ns)
    link.on_switched(success=True)
    link.on_status(0, '', now_ns)
    return link


def test_servo_is_asked_for_joint_velocities_first_and_again_until_it_agrees() -> None:
    link = ServoLink('/servo_node')
    refusal = link.obstacle(0)
    assert refusal is not None
    assert 'switch_command_type has not agreed' in refusal.text
    assert link.should_switch(0)
    assert not link.should_switch(900 * MS)
    link.on_switched(success=False)
    assert link.should_switch(1000 * MS)
    link.on_switched(success=True)
    link.on_status(0, '', 1000 * MS)
    assert not link.should_switch(5000 * MS)
    assert link.obstacle(1000 * MS) is None


def test_servo_that_falls_silent_is_an_obstacle_and_is_switched_anew() -> None:
    link = switched()
    assert link.obstacle(1000 * MS) is None
    refusal = link.obstacle(1001 * MS)
    assert refusal is not None
    assert '/servo_node has sent no status for 1.0 s' in refusal.text
    link.on_status(0, '', 3000 * MS)
    refusal = link.obstacle(3000 * MS)
    assert refusal is not None
    assert refusal.code == 'servo_not_switched'
    assert link.should_switch(3000 * MS)


@pytest.mark.parametrize(('code', 'words'), [(-1, 'cannot use the commands'), (2, 'singularity'), (5, 'collision'), (6, 'joint bound')])
def test_servo_that_halts_is_an_obstacle_with_its_words(code: int, words: str) -> None:
    link = switched()
    link.on_status(code, 'as servo puts it', 10 * MS)
    refusal = link.obstacle(10 * MS)
    assert refusal is not None
    assert words in refusal.text
    assert 'as servo puts it' in refusal.text
    link.on_status(0, '', 20 * MS)
    assert link.obstacle(20 * MS) is None


@pytest.mark.parametrize('code', [1, 3, 4])
def test_servo_that_slows_down_is_reported_but_no_obstacle(code: int) -> None:
    link = switched()
    link.on_status(code, '', 10 * MS)
    assert link.obstacle(10 * MS) is None
    assert link.slow_down(10 * MS)
    assert not link.slow_down(2000 * MS)
