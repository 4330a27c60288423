# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_control.audit import audit
from vera_control.limits import QUINTIC_ACCELERATION, QUINTIC_JERK, QUINTIC_VELOCITY, JointLimits, limits_of, stopping_speed
from vera_control.shaper import Shaper
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError


def test_quintic_bounds_are_the_suprema_of_the_interpolation_kernels():
    # A unit jerk impulse at tau changes the end of a unit interval by a = 1, v = 1 - tau, p = (1 - tau)^2 / 2. Interpolation is linear, so the largest
    # deviation for |jerk| <= 1 is the integral of the absolute kernel.
    tau = (np.arange(2000) + 0.5) / 2000
    ends = np.stack([(1 - tau) ** 2 / 2, 1 - tau, np.ones_like(tau)])
    c3, c4, c5 = np.linalg.solve(np.array([[1.0, 1, 1], [3, 4, 5], [6, 12, 20]]), ends)
    s = np.linspace(0, 1, 101)[:, None]
    jerk = np.abs(6 * c3 + 24 * s * c4 + 60 * s**2 * c5).mean(axis=1).max()
    acceleration = np.abs(6 * s * c3 + 12 * s**2 * c4 + 20 * s**3 * c5 - (tau < s)).mean(axis=1).max()
    velocity = np.abs(3 * s**2 * c3 + 4 * s**3 * c4 + 5 * s**4 * c5 - np.clip(s - tau, 0, None)).mean(axis=1).max()
    assert 0.99 * QUINTIC_JERK < jerk <= QUINTIC_JERK
    assert 0.99 * QUINTIC_ACCELERATION < acceleration <= QUINTIC_ACCELERATION
    assert 0.99 * QUINTIC_VELOCITY < velocity <= QUINTIC_VELOCITY


def test_full_commanded_speed_stops_within_a_quarter_of_a_second(robot: Embodiment, limits: JointLimits):
    shaper = Shaper(limits)
    start = JointMotion(position=robot.home, velocity=limits.shaped_velocity, acceleration=np.zeros(7))
    tail = shaper.to_rest(start)
    assert len(tail.position) * limits.period_s <= 0.25
    # By hand: v / a + a / j for every joint that reaches its acceleration limit.
    by_hand = limits.shaped_velocity / limits.shaped_acceleration + limits.shaped_acceleration / limits.shaped_jerk
    assert np.max(by_hand) <= limits.stop_time_s + 1e-9
    assert abs(len(tail.position) * limits.period_s - np.max(by_hand)) <= 2 * limits.period_s


def test_shaped_limits_leave_room_for_the_drivers_interpolation(limits: JointLimits):
    assert np.all(limits.shaped_jerk * QUINTIC_JERK <= limits.jerk + 1e-9)
    assert np.all(limits.shaped_acceleration + QUINTIC_ACCELERATION * limits.shaped_jerk * limits.period_s <= limits.acceleration + 1e-9)
    assert np.all(limits.shaped_velocity < limits.velocity)


def test_stopping_speed_matches_hand_numbers():
    # a = 2, j = 4: from v = 3 (above a²/j = 1) the stop is v (v/a + a/j) / 2 = 3 (1.5 + 0.5) / 2 = 3 rad long; from v = 0.25 it is v sqrt(v/j) = 0.0625.
    speeds = stopping_speed(np.array([3.0, 0.0625, 0.0, -1.0]), np.full(4, 2.0), np.full(4, 4.0))
    np.testing.assert_allclose(speeds, [3.0, 0.25, 0.0, 0.0], atol=1e-12)


def test_impossible_settings_are_refused_with_the_number(robot: Embodiment):
    with pytest.raises(ConfigError, match=r'stop_time_s is 0\.01; .* need more than 0\.0\d+ s'):
        limits_of(robot, stop_time_s=0.01)
    with pytest.raises(ConfigError, match='point_period_s is 0.2'):
        limits_of(robot, period_s=0.2)


def test_velocity_limits_of_the_fr3_are_those_of_frankas_rule():
    robot = load_embodiment('fr3')
    limits = limits_of(robot)
    # Joint 2 at 1.2 rad: sqrt(2 2.585 (1.7837 - 1.2)) - 0.2517 = 1.4855 rad/s upwards, of which limit_scale leaves 0.3; downwards it is 2.62 rad/s.
    position = robot.home.copy()
    position[1] = 1.2
    slowest, fastest = limits.velocity_window(position)
    assert fastest[1] == pytest.approx(0.3 * (np.sqrt(2 * 2.585 * (1.7837 - 1.2)) - 0.2517))
    assert fastest[1] == pytest.approx(0.4456, abs=1e-4)
    assert slowest[1] == pytest.approx(-0.3 * 2.62)


def test_the_range_ends_where_the_velocity_limit_is_zero():
    robot = load_embodiment('fr3')
    limits = limits_of(robot)
    # Joint 1: 0.6599² / (2 6) = 0.0363 rad before the position limit.
    assert limits.upper[0] == pytest.approx(2.7437 - 0.03629, abs=1e-5)
    slowest, fastest = limits.velocity_window(limits.upper)
    np.testing.assert_allclose(fastest, 0.0, atol=1e-9)
    assert np.all(slowest < 0)


def test_a_limit_that_is_the_same_everywhere_stays_so(limits: JointLimits, robot: Embodiment):
    slowest, fastest = limits.velocity_window(np.stack([limits.lower, robot.home, limits.upper]))
    np.testing.assert_array_equal(fastest, np.broadcast_to(limits.velocity, (3, 7)))
    np.testing.assert_array_equal(slowest, -fastest)
    np.testing.assert_array_equal(limits.lower, robot.limits('lower'))


def test_audit_sees_a_joint_that_is_too_fast_for_where_it_is():
    robot = load_embodiment('fr3')
    limits = limits_of(robot)

    def steady(position: float) -> ShapedTrajectory:
        rows = np.zeros((2, 7))
        place, speed = np.stack([robot.home, robot.home]), rows.copy()
        place[:, 1], speed[:, 1] = [position, position + 0.004], 0.4
        return ShapedTrajectory(first=0, period_ns=10_000_000, position=place, velocity=speed, acceleration=rows)

    assert audit(steady(0.0), limits).total == 0
    # 0.4 rad/s is below the velocity limit of 0.786, but not at 1.4 rad: 0.3 (sqrt(2 2.585 0.3837) - 0.2517) = 0.347 rad/s.
    assert audit(steady(1.4), limits).velocity == 1
