# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

import numpy as np
import pytest

from vera_control.limits import JointLimits
from vera_control.reference import RollingReference, joining_time
from vera_control.shaper import Shaper
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.embodiment import Embodiment

MS = 1_000_000


def cubic(first: int = 100, count: int = 5) -> ShapedTrajectory:
    # p = t³, a constant jerk of 6: one of the motions a quintic reproduces exactly.
    t = (np.arange(count) * 0.01)[:, None]
    return ShapedTrajectory(first=first, period_ns=10 * MS, position=t**3, velocity=3 * t**2, acceleration=6 * t)


def test_sample_between_points_is_the_quintic_through_them():
    trajectory = cubic()
    motion = trajectory.sample(1023 * MS)
    t = 0.023
    assert motion.position[0] == pytest.approx(t**3, abs=1e-15)
    assert motion.velocity[0] == pytest.approx(3 * t**2, abs=1e-13)
    assert motion.acceleration[0] == pytest.approx(6 * t, abs=1e-11)
    assert trajectory.dense(np.array([0.3]))[3] == pytest.approx(6.0, rel=1e-6)


def test_sample_outside_stays_at_the_ends():
    trajectory = cubic()
    assert trajectory.sample(0).position[0] == 0.0
    assert trajectory.sample(10_000 * MS).position[0] == pytest.approx(0.04**3)
    assert trajectory.end_ns == 1040 * MS


def test_next_message_repeats_the_points_before_its_takeover(limits: JointLimits, robot: Embodiment):
    reference, shaper = RollingReference(limits, lead_s=0.08), Shaper(limits)
    reference.anchor(robot.home)
    velocity = np.full(7, 0.3)
    sent = []
    for now in range(0, 400 * MS, 20 * MS):
        index, start = reference.takeover(now)
        trajectory = reference.extend(now, index, start, shaper.towards_velocity(start, velocity, 3))
        assert trajectory is not None
        sent.append((index, trajectory))
    for (_, earlier), (takeover, later) in itertools.pairwise(sent):
        for index in range(later.first, takeover + 1):
            np.testing.assert_array_equal(earlier.point(index).position, later.point(index).position)
            np.testing.assert_array_equal(earlier.point(index).acceleration, later.point(index).acceleration)
        assert later.point(later.last).is_at_rest
    assert reference.violations.total == 0


def test_reference_that_missed_its_ticks_rests_and_begins_again(limits: JointLimits, robot: Embodiment):
    reference, shaper = RollingReference(limits, lead_s=0.08), Shaper(limits)
    reference.anchor(robot.home)
    index, start = reference.takeover(0)
    trajectory = reference.extend(0, index, start, shaper.towards_velocity(start, np.full(7, 0.2), 3))
    assert trajectory is not None
    late = trajectory.end_ns + 500 * MS
    assert not reference.is_moving(late)
    index, start = reference.takeover(late)
    assert start.is_at_rest
    assert index * 10 * MS >= late + 80 * MS
    np.testing.assert_array_equal(start.position, trajectory.position[-1])


def test_trajectory_that_would_break_a_limit_is_counted_and_not_used(limits: JointLimits, robot: Embodiment):
    reference, shaper = RollingReference(limits, lead_s=0.08), Shaper(limits)
    reference.anchor(robot.home)
    index, start = reference.takeover(0)
    points = shaper.towards_velocity(start, np.full(7, 0.2), 3)
    elsewhere = JointMotion.at_rest(robot.home + 0.01)
    assert reference.extend(0, index, elsewhere, points) is None
    assert reference.violations.jerk == 1
    assert not reference.is_moving(0)


def test_joining_time_keeps_the_limits_at_its_peaks(limits: JointLimits):
    gap = np.array([0.0, 0.02, 0.0, 0.0, 0.0, 0.0, 0.0])
    time = joining_time(gap, limits)
    # Joint 2: jerk 187.5 needs (60 * 0.02 / 187.5)^(1/3) = 0.186 s, acceleration 3.0 needs sqrt(5.774 * 0.02 / 3) = 0.196 s.
    assert time == pytest.approx(0.196, abs=0.001)
