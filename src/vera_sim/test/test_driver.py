# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_sim.driver import TrajectoryDriver
from vera_sim.joint_trajectory import JointTrajectory, Motion
from vera_sim.limit_watch import LimitWatch, Violations
from vera_sim.selfplay import minimum_jerk_move

ROBOT = load_embodiment('panda')
NAMES = list(ROBOT.joint_names)
TICK = 0.002


def started() -> TrajectoryDriver:
    driver = TrajectoryDriver(ROBOT, TICK)
    driver.reset(ROBOT.home)
    return driver


def run(driver: TrajectoryDriver, start_s: float, end_s: float) -> np.ndarray:
    return np.array([driver.tick(start_s + k * TICK)[0] for k in range(1, round((end_s - start_s) / TICK))])


def test_smooth_move_is_followed_without_a_violation() -> None:
    driver = started()
    goal = ROBOT.home + 0.4
    assert driver.accept(NAMES, 0.0, *minimum_jerk_move(ROBOT.home, goal, np.full(7, 0.8)), 0.0) is None
    path = run(driver, 0.0, 2.0)
    np.testing.assert_allclose(path[-1], goal, atol=1e-9)
    counts = driver.violations
    assert (counts.position, counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0, 0)


def test_names_may_come_in_any_order() -> None:
    driver = started()
    goal = ROBOT.home + np.linspace(0.1, 0.4, 7)
    times, *points = minimum_jerk_move(ROBOT.home, goal, np.full(7, 0.8))
    assert driver.accept(NAMES[::-1], 0.0, times, *(array[:, ::-1] for array in points), 0.0) is None
    np.testing.assert_allclose(run(driver, 0.0, 2.0)[-1], goal, atol=1e-9)


def test_step_command_is_limited_and_counted() -> None:
    driver = started()
    jump = (ROBOT.home + 0.5)[None]
    assert driver.accept(NAMES, 0.0, np.array([TICK]), jump, np.zeros((1, 7)), np.zeros((1, 7)), 0.0) is None
    path = run(driver, 0.0, 0.1)
    assert driver.violations.velocity > 0 and driver.violations.acceleration > 0
    velocity = np.diff(path, axis=0) / TICK
    assert (np.abs(velocity) <= np.array([joint.velocity for joint in ROBOT.joints]) + 1e-9).all()


def test_position_limit_is_kept_and_counted() -> None:
    driver = started()
    goal = ROBOT.home.copy()
    goal[0] = 4.0
    assert driver.accept(NAMES, 0.0, *minimum_jerk_move(ROBOT.home, goal, np.full(7, 1.5)), 0.0) is None
    path = run(driver, 0.0, 8.0)
    assert path[:, 0].max() <= ROBOT.joints[0].upper + 1e-9
    assert driver.violations.position > 0


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'names': NAMES[:-1]}, 'the robot has'),
        ({'names': [*NAMES[:-1], 'elbow']}, 'elbow'),
        ({'positions': np.full((3, 7), np.nan)}, '21 values that are not finite'),
        ({'positions': np.zeros((3, 6))}, r'positions have shape \(3, 6\)'),
        ({'times': np.array([0.1, 0.1, 0.3])}, 'rise strictly'),
        ({'velocities': np.full((3, 7), 0.1)}, 'must end at rest'),
        ({'stamp': 5.0}, 'ended'),
    ],
)
def test_bad_trajectories_are_refused_whole_in_words(change: dict[str, object], text: str) -> None:
    driver = started()
    arguments: dict[str, object] = {
        'names': NAMES, 'stamp': 0.0, 'times': np.array([0.1, 0.2, 0.3]), 'positions': np.tile(ROBOT.home, (3, 1)),
        'velocities': np.zeros((3, 7)), 'accelerations': np.zeros((3, 7)),
    } | change  # fmt: skip
    refusal = driver.accept(*arguments.values(), 9.0)  # type: ignore[arg-type]
    assert refusal is not None
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(refusal.text)
    assert driver.rejected == 1
    np.testing.assert_allclose(driver.tick(9.0)[0], ROBOT.home)


def test_dead_sender_leaves_the_arm_at_rest_at_the_end_of_the_last_trajectory() -> None:
    driver = started()
    goal = ROBOT.home + 0.1
    driver.accept(NAMES, 0.0, *minimum_jerk_move(ROBOT.home, goal, np.full(7, 0.8)), 0.0)
    run(driver, 0.0, 3.0)
    position, velocity = driver.tick(3.0)
    np.testing.assert_allclose(position, goal, atol=1e-9)
    np.testing.assert_allclose(velocity, 0.0, atol=1e-9)


def test_rolling_trajectories_that_start_in_the_future_of_a_lagging_simulation_break_no_limit() -> None:
    driver = started()
    times, positions, velocities, accelerations = minimum_jerk_move(ROBOT.home, ROBOT.home + 0.4, np.full(7, 0.8))
    now, lag = 0.0, 0.06
    path = []
    while now < 2.0:
        sent = now + lag
        # The rest of the same motion, sent again every 20 ms with the stamp of a clock that is ahead, as a rolling controller does.
        rest = times > sent
        if rest.sum() > 3:
            assert driver.accept(NAMES, sent, times[rest] - sent, positions[rest], velocities[rest], accelerations[rest], now) is None
        for k in range(1, 11):
            path.append(driver.tick(now + k * TICK)[0])
        now += 0.02
    counts = driver.violations
    assert (counts.position, counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0, 0)
    np.testing.assert_allclose(path[-1], ROBOT.home + 0.4, atol=1e-9)


def test_arm_recovers_smoothly_after_a_jump_of_the_reference() -> None:
    driver = started()
    jump = (ROBOT.home + 0.1)[None]
    driver.accept(NAMES, 0.0, np.array([TICK]), jump, np.zeros((1, 7)), np.zeros((1, 7)), 0.0)
    path = run(driver, 0.0, 2.0)
    acceleration = np.diff(path, n=2, axis=0) / TICK**2
    assert (np.abs(acceleration) <= np.array([joint.acceleration for joint in ROBOT.joints]) * 1.01).all()
    np.testing.assert_allclose(path[-1], ROBOT.home + 0.1, atol=1e-3)


def test_second_move_starts_where_the_first_one_ended_without_a_jump() -> None:
    driver = started()
    first, second = ROBOT.home + 0.3, ROBOT.home - 0.2
    driver.accept(NAMES, 0.0, *minimum_jerk_move(ROBOT.home, first, np.full(7, 0.8)), 0.0)
    run(driver, 0.0, 2.0)
    driver.accept(NAMES, 2.0, *minimum_jerk_move(first, second, np.full(7, 0.8)), 2.0)
    path = run(driver, 2.0, 5.0)
    counts = driver.violations
    assert (counts.position, counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0, 0)
    np.testing.assert_allclose(path[-1], second, atol=1e-9)


def minimum_jerk_points(times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All joints by 0.4 rad in 2 s."""
    share = np.clip(times / 2.0, 0.0, 1.0)[:, None] * np.ones(7)
    position = ROBOT.home + 0.4 * share**3 * (10 - 15 * share + 6 * share**2)
    velocity = 0.4 / 2.0 * 30 * share**2 * (1 - share) ** 2
    return position, velocity, 0.4 / 4.0 * 60 * share * (1 - share) * (1 - 2 * share)


def rolling(driver: TrajectoryDriver, delays: dict[int, float]) -> None:
    """One motion, sent every 20 ms as the controller does: from 0.1 s ago to 0.13 s from now, then to rest. Some messages are on their way for longer."""
    waiting: list[tuple[float, float, JointTrajectory]] = []
    for tick in range(100):
        now = round(tick * 0.02, 6)
        offsets = np.round(np.arange(0.0 if tick < 5 else -0.1, 0.1301, 0.01), 6)
        position, velocity, acceleration = minimum_jerk_points(now + offsets)
        message = JointTrajectory(
            names=tuple(NAMES),
            times=np.append(offsets + 0.1, 0.53),
            positions=np.vstack([position, position[-1] + 0.15 * velocity[-1]]),
            velocities=np.vstack([velocity, np.zeros(7)]),
            accelerations=np.vstack([acceleration, np.zeros(7)]),
        )
        waiting.append((now + delays.get(tick, 0.0), now - 0.1, message))
        for step in range(10):
            at = now + step * TICK
            for entry in [entry for entry in waiting if entry[0] <= at + 1e-9]:
                waiting.remove(entry)
                driver.take(entry[2], entry[1] + 1.0, at + 1.0)
            driver.tick(at + TICK + 1.0)


def total(counts: Violations) -> int:
    return counts.position + counts.velocity + counts.acceleration + counts.jerk


def test_commands_in_time_are_not_late() -> None:
    driver = started()
    rolling(driver, {})
    assert (driver.late_commands, driver.late_ticks, total(driver.violations)) == (0, 0, 0)


def test_a_command_that_comes_too_late_is_counted_apart_from_violations() -> None:
    driver = started()
    # The message of 0.8 s and the next twelve are on their way for so long that the driver is on its way to rest when they come.
    rolling(driver, {tick: 0.24 - 0.02 * (tick - 40) for tick in range(40, 53)})
    assert driver.late_commands >= 1
    assert driver.late_ticks >= 1
    assert total(driver.violations) == 0


def test_a_late_command_whose_own_points_break_a_limit_is_a_violation() -> None:
    driver = started()
    run(driver, 0.0, 0.2)
    times = np.array([0.01, 0.02, 0.03, 0.3])
    jump = ROBOT.home + np.array([0.02, 0.05, 0.1, 0.1])[:, None]
    assert driver.accept(NAMES, 0.18, times, jump, np.zeros((4, 7)), np.zeros((4, 7)), 0.2) is None
    run(driver, 0.2, 0.6)
    assert driver.late_commands == 1
    assert total(driver.violations) > 0


@pytest.mark.parametrize('order', [1, 3, 5])
def test_a_whole_trajectory_at_once_is_what_the_driver_goes_through(order):
    rng = np.random.default_rng(order)
    times = np.cumsum(rng.uniform(0.02, 0.06, 12))
    values = [rng.normal(size=(12, 7)) if degree < order else None for degree in (0, 1, 3)]
    trajectory = JointTrajectory(
        names=ROBOT.joint_names, times=times, positions=values[0], velocities=values[1], accelerations=values[2] if order == 5 else None
    )
    before = Motion.at_rest(np.zeros(7))
    ticks = np.arange(times[0], times[-1], 0.002)
    one_by_one = [trajectory.at(float(tick), before, 0.0).position for tick in ticks]
    np.testing.assert_allclose(trajectory.ticks(0.002), one_by_one, rtol=1e-12, atol=1e-12)


def test_one_look_at_a_trajectory_finds_each_broken_limit():
    watch, home = LimitWatch(ROBOT, 0.002), np.array(ROBOT.home)
    limits = {name: np.array([getattr(joint, name) for joint in ROBOT.joints]) for name in ('upper', 'velocity', 'acceleration', 'jerk')}
    times = 0.002 * np.arange(20)[:, None]
    assert not watch.breaks(home + 0.9 * limits['velocity'] * times)
    assert watch.breaks(home + 1.01 * limits['velocity'] * times)
    assert not watch.breaks(home + 0.45 * limits['acceleration'] * times**2)
    assert watch.breaks(home + 0.51 * limits['acceleration'] * times**2)
    there_and_back = 0.002**2 * np.cumsum(np.cumsum((-1.0) ** np.arange(20)))[:, None]  # the jerk is twice the acceleration per tick
    assert not watch.breaks(home + 0.49 * 0.002 * limits['jerk'] * there_and_back)
    assert watch.breaks(home + 0.51 * 0.002 * limits['jerk'] * there_and_back)
    assert watch.breaks(np.tile(limits['upper'] + 1e-6, (5, 1)))
