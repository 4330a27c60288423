# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The rules of joint_trajectory_controller, one by one, on its stand-in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_sim.joint_trajectory import JointTrajectory, Motion, Segment
from vera_sim.mock_controller import MockController

ROBOT = load_embodiment('panda')
NAMES = ROBOT.joint_names
HOME = ROBOT.home
MS = 1_000_000
NOW = 1_700_000_000_000 * MS
STILL = np.zeros((3, 7))


def moved(by: Any) -> np.ndarray:
    """Three points: home, half the way, all of it."""
    return HOME + np.array([[0.0], [0.5], [1.0]]) * np.asarray(by)


def trajectory(**changes: Any) -> JointTrajectory:
    values = {'names': NAMES, 'times': np.array([0.1, 0.2, 0.3]), 'positions': moved(0.01), 'velocities': STILL, 'accelerations': STILL}
    return JointTrajectory(**{**values, **changes})


def run(controller: MockController, start_ns: int, duration_ms: int) -> np.ndarray:
    """Positions commanded by the updates from start on, one per ms."""
    return np.array([controller.update(start_ns + k * MS).position for k in range(duration_ms)])


# What it refuses.


@pytest.mark.parametrize(
    ('change', 'code'),
    [
        ({'names': NAMES[:-1], 'positions': STILL[:, :6], 'velocities': None, 'accelerations': None}, 'wrong_joint_names'),
        ({'names': (*NAMES[:-1], 'elbow')}, 'wrong_joint_names'),
        ({'names': (*NAMES[:-1], NAMES[0])}, 'wrong_joint_names'),
        ({'positions': STILL[:, :6]}, 'wrong_length'),
        ({'velocities': STILL[:2]}, 'wrong_length'),
        ({'accelerations': STILL[:, :6]}, 'wrong_length'),
        ({'times': np.array([]), 'positions': STILL[:0], 'velocities': STILL[:0], 'accelerations': STILL[:0]}, 'wrong_length'),
        ({'velocities': None}, 'no_velocities'),
        ({'times': np.array([0.1, 0.1, 0.3])}, 'times'),
        ({'times': np.array([0.1, 0.3, 0.2])}, 'times'),
        ({'velocities': STILL + 2e-7}, 'moving_end'),
        ({'positions': STILL * np.nan}, 'not_finite'),
    ],
)
def test_refused_whole_and_the_running_one_goes_on(change: dict[str, Any], code: str) -> None:
    controller = MockController(ROBOT)
    refusal = controller.receive(trajectory(**change), 0, NOW)
    assert refusal is not None
    assert refusal.code == code
    assert (controller.accepted, controller.refused, controller.last_refusal) == (0, 1, refusal)
    np.testing.assert_array_equal(run(controller, NOW, 5), np.tile(HOME, (5, 1)))


def test_end_that_moves_less_than_float32_can_tell_counts_as_rest() -> None:
    assert MockController(ROBOT).receive(trajectory(velocities=STILL + 1e-7), 0, NOW) is None


def test_moving_end_is_taken_where_the_parameter_allows_it() -> None:
    controller = MockController(ROBOT, allow_nonzero_velocity_at_trajectory_end=True)
    assert controller.receive(trajectory(velocities=STILL + 0.1), 0, NOW) is None


@pytest.mark.parametrize(('ended_ns', 'is_refused'), [(-1, False), (0, False), (1000, True), (5000 * MS, True)])
def test_trajectory_with_a_stamp_that_has_ended_is_refused(ended_ns: int, is_refused: bool) -> None:
    refusal = MockController(ROBOT).receive(trajectory(), NOW - 300 * MS - ended_ns, NOW)
    assert (refusal is not None) == is_refused
    assert refusal is None or 'check the clocks of sender and driver' in refusal.text


def test_names_in_another_order_are_sorted() -> None:
    controller, by = MockController(ROBOT), np.linspace(0.01, 0.07, 7)
    assert controller.receive(trajectory(names=NAMES[::-1], positions=moved(by)[:, ::-1]), 0, NOW) is None
    np.testing.assert_allclose(run(controller, NOW, 400)[-1], HOME + by)


# When it starts.


def test_stamp_zero_starts_at_the_next_update() -> None:
    controller = MockController(ROBOT)
    controller.update(NOW)
    controller.receive(trajectory(velocities=None, accelerations=None), 0, NOW)
    path = run(controller, NOW + 1 * MS, 300)
    # Straight lines: home until 100 ms, half of 0.01 at 200 ms. The command of an update is where the trajectory is one period later.
    np.testing.assert_allclose(path[99], HOME, atol=1e-12)
    np.testing.assert_allclose(path[199], HOME + 0.005, atol=1e-12)
    np.testing.assert_allclose(path[249], HOME + 0.0075, atol=1e-12)


def test_stamp_in_the_past_starts_in_the_middle() -> None:
    controller = MockController(ROBOT)
    controller.receive(trajectory(velocities=None, accelerations=None), NOW - 150 * MS, NOW)
    # 150 ms in: half-way between the first two points.
    np.testing.assert_allclose(controller.update(NOW - 1 * MS).position, HOME + 0.0025, atol=1e-12)


def test_stamp_in_the_future_goes_to_the_first_point_from_where_the_controller_is() -> None:
    controller = MockController(ROBOT)
    controller.update(NOW)
    controller.receive(trajectory(positions=moved(0.0) + 0.02), NOW + 100 * MS, NOW)
    path = run(controller, NOW + 1 * MS, 250)
    # From the last update (0 ms) to the first point (200 ms) by a quintic from rest to rest: half-way after half the time.
    np.testing.assert_allclose(path[98], HOME + 0.01, atol=1e-12)
    np.testing.assert_allclose(path[198:] - HOME, 0.02, atol=1e-12)


def test_new_trajectory_replaces_the_running_one() -> None:
    controller = MockController(ROBOT)
    controller.receive(trajectory(positions=moved(1.0)), 0, NOW)
    run(controller, NOW, 50)
    controller.receive(trajectory(positions=moved(-0.01)), 0, NOW)
    np.testing.assert_allclose(run(controller, NOW + 50 * MS, 400)[-1], HOME - 0.01)


def test_trajectory_that_has_run_out_rests_at_its_last_point() -> None:
    controller = MockController(ROBOT)
    controller.receive(trajectory(), 0, NOW)
    assert run(controller, NOW, 1000).shape == (1000, 7)
    np.testing.assert_array_equal(controller.command.position, HOME + 0.01)
    np.testing.assert_array_equal(controller.command.velocity, 0.0)
    assert controller.is_running(NOW + 299 * MS)
    assert not controller.is_running(NOW + 300 * MS)


def test_clock_set_back_gives_no_new_command() -> None:
    controller = MockController(ROBOT)
    controller.update(NOW)
    controller.receive(trajectory(), 0, NOW)
    run(controller, NOW, 250)
    before = controller.command.position
    np.testing.assert_array_equal(controller.update(NOW - 1000 * MS).position, before)


# How it joins points.


def test_segments_pass_what_is_given_at_both_ends() -> None:
    rng = np.random.default_rng(0)
    begin, end = (Motion(*rng.normal(size=(3, 4))) for _ in range(2))
    for segment, fields in (
        (Segment.linear, ('position',)),
        (Segment.cubic, ('position', 'velocity')),
        (Segment.quintic, ('position', 'velocity', 'acceleration')),
    ):
        for state, elapsed in ((begin, 0.0), (end, 0.3)):
            there = segment(begin, end, 0.3).at(elapsed)
            for field in fields:
                np.testing.assert_allclose(getattr(there, field), getattr(state, field), atol=1e-9)


@pytest.mark.parametrize('segment', [Segment.linear, Segment.cubic, Segment.quintic])
def test_velocity_and_acceleration_are_the_slopes_of_position_and_velocity(segment: Any) -> None:
    rng, h = np.random.default_rng(1), 1e-6
    begin, end = (Motion(*rng.normal(size=(3, 4))) for _ in range(2))
    low, mid, high = (segment(begin, end, 0.3).at(0.1 + d) for d in (-h, 0.0, h))
    np.testing.assert_allclose((high.position - low.position) / (2 * h), mid.velocity, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose((high.velocity - low.velocity) / (2 * h), mid.acceleration, rtol=1e-6, atol=1e-6)


def test_which_fields_come_decides_how_points_are_joined() -> None:
    # One joint's worth: from rest at home to home + 0.1 within 100 ms; after 25 ms a line is at 1/4, a cubic at 5/32, a quintic at 53/512.
    shares = {}
    for kind, fields in (
        ('linear', {'velocities': None, 'accelerations': None}),
        ('cubic', {'accelerations': None}),
        ('quintic', {}),
    ):
        controller = MockController(ROBOT)
        points = {'times': np.array([0.1]), 'positions': HOME[None] + 0.1, 'velocities': STILL[:1], 'accelerations': STILL[:1]}
        controller.receive(trajectory(**{**points, **fields}), NOW, NOW)
        controller.update(NOW)
        shares[kind] = float((controller.update(NOW + 24 * MS).position[0] - HOME[0]) / 0.1)
    assert shares == pytest.approx({'linear': 1 / 4, 'cubic': 5 / 32, 'quintic': 53 / 512})


# Where a new trajectory begins from.


def replaced(**options: Any) -> np.ndarray:
    """Accelerations commanded around the moment in which a moving arm is given a trajectory that begins later."""
    controller = MockController(ROBOT, **options)
    goal = {'times': np.array([0.4]), 'positions': HOME[None] + 0.2, 'velocities': STILL[:1], 'accelerations': STILL[:1]}
    controller.receive(trajectory(**goal), 0, NOW)
    accelerations = []
    for k in range(200):
        if k == 100:
            controller.receive(trajectory(**goal), NOW + k * MS, NOW)
        accelerations.append(controller.update(NOW + k * MS).acceleration[0])
    return np.array(accelerations)


def test_from_the_desired_state_the_acceleration_goes_on() -> None:
    assert np.abs(np.diff(replaced()[90:110])).max() < 0.5


def test_from_the_measured_state_the_acceleration_starts_at_nothing() -> None:
    # Nobody measures acceleration: 7.2 rad/s² of it are gone from one update to the next.
    assert np.abs(np.diff(replaced(interpolate_from_desired_state=False)[90:110])).max() > 5.0


def test_what_the_arm_would_have_felt_is_measured() -> None:
    controller = MockController(ROBOT)
    # A quintic from rest to rest over 0.2 rad in 0.4 s: 1.875 d/T, 5.774 d/T² and 60 d/T³ at its peaks.
    goal = {'times': np.array([0.4]), 'positions': HOME[None] + 0.2, 'velocities': STILL[:1], 'accelerations': STILL[:1]}
    controller.receive(trajectory(**goal), 0, NOW)
    run(controller, NOW, 500)
    peaks, counts = controller.watch.peaks, controller.watch.violations
    assert peaks.velocity == pytest.approx(1.875 * 0.5 / 2.175, rel=0.01)  # joints 1 to 4
    assert peaks.acceleration == pytest.approx(5.774 * 1.25 / 7.5, rel=0.01)  # joint 2
    assert peaks.jerk == pytest.approx(60 * 3.125 / 3750, rel=0.05)
    assert (counts.position, counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0, 0)


def test_jump_is_counted_not_prevented() -> None:
    controller = MockController(ROBOT)
    jump = {'times': np.array([0.001]), 'positions': HOME[None] + 0.1, 'velocities': None, 'accelerations': None}
    controller.receive(trajectory(**jump), NOW, NOW)
    np.testing.assert_allclose(run(controller, NOW, 3)[-1], HOME + 0.1)
    assert controller.watch.violations.jerk > 0
    assert controller.watch.peaks.velocity == pytest.approx(100 / 2.175)
