# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_control.limits import QUINTIC_ACCELERATION, QUINTIC_JERK, QUINTIC_VELOCITY, JointLimits, limits_of, stopping_speed
from vera_control.shaper import Shaper
from vera_control.trajectory import JointMotion
from vera_core.embodiment import Embodiment
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
