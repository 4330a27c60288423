# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Command backends whose drivers take one command at a time, through their messages into the simulated robot's driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from vera_control.backends import BACKENDS
from vera_control.limits import limits_of
from vera_control.shaper import Shaper
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import Refusal
from vera_core.types import RobotState
from vera_sim.driver import TrajectoryDriver
from vera_sim.joint_trajectory import JointTrajectory
from vera_sim.ros.commands import positions_from_msg, velocities_from_msg
from vera_sim.simulation import POSITION_HORIZON_S

MS = 1_000_000
TICK_MS = 2


class Wire:
    """A node of one publisher, one timer and a clock; what it publishes arrives at once."""

    def __init__(self, arrive: Callable[[Any], None]) -> None:
        self.nanoseconds, self.publish, self.tick = 1_000 * MS, arrive, lambda: None

    def create_publisher(self, kind: type, topic: str, qos: Any) -> Wire:
        return self

    def create_timer(self, period_s: float, tick: Callable[[], None]) -> None:
        self.tick = tick

    def get_clock(self) -> Wire:
        return self

    now = get_clock


def shaped(robot: Embodiment, velocity: np.ndarray) -> ShapedTrajectory:
    """From home towards a velocity for 300 ms, then to rest."""
    start = JointMotion.at_rest(np.array(robot.home))
    points = Shaper(limits_of(robot)).towards_velocity(start, velocity, 30)
    stack = {name: np.vstack([getattr(start, name), getattr(points, name)]) for name in ('position', 'velocity', 'acceleration')}
    return ShapedTrajectory(first=100, period_ns=10 * MS, **stack)


def run(backend_name: str, robot: Embodiment, take: Callable[[Any, TrajectoryDriver, float], Refusal | None]) -> Any:
    """Drive the simulated driver for two seconds; return it, the path of its joints and the trajectory that was sent."""
    driver = TrajectoryDriver(robot, TICK_MS * 1e-3)
    driver.reset(robot.home)
    refusals: list[Refusal | None] = []
    wire = Wire(lambda message: refusals.append(take(message, driver, wire.nanoseconds * 1e-9)))
    backend = BACKENDS.make(backend_name, node=wire, robot=robot, stream_hz=100.0)
    trajectory = shaped(robot, np.linspace(-0.4, 0.4, len(robot.joints)))
    backend.on_state(RobotState(stamp_ns=1, position=np.array(robot.home), velocity=np.zeros(len(robot.joints))))
    backend.send(trajectory, wire.nanoseconds)
    path = []
    for step in range(1000):
        wire.nanoseconds += TICK_MS * MS
        if step % 5 == 4:
            backend.on_state(RobotState(stamp_ns=1, position=path[-1], velocity=np.zeros(len(robot.joints))))
            wire.tick()
        path.append(driver.tick(wire.nanoseconds * 1e-9)[0])
    assert not any(refusals)
    return driver, np.array(path), trajectory


def test_velocity_ends_where_the_trajectory_ends_and_rests_there() -> None:
    robot = load_embodiment('panda@simulated')

    def take(message: Any, driver: TrajectoryDriver, now_s: float) -> Refusal | None:
        velocities = velocities_from_msg(message, robot)
        return velocities if isinstance(velocities, Refusal) else driver.take_velocity(velocities)

    _, path, trajectory = run('velocity', robot, take)
    np.testing.assert_array_equal(np.diff(path[-500:], axis=0), 0.0)
    # Each velocity is held for 10 ms: the joints end within what that adds up to on the way.
    np.testing.assert_allclose(path[-1], trajectory.position[-1], atol=3e-3)
    assert np.abs(path[-1] - robot.home).max() > 0.05


@pytest.mark.parametrize('name', ['allegro', 'allegro@wonik_v4'])
def test_positions_end_where_the_trajectory_ends_with_either_driver(name: str) -> None:
    robot = load_embodiment(name)

    def take(message: Any, driver: TrajectoryDriver, now_s: float) -> Refusal | None:
        positions = positions_from_msg(message, robot)
        if isinstance(positions, Refusal):
            return positions
        still = np.zeros((1, 16))
        point = JointTrajectory(
            names=robot.joint_names, times=np.array([POSITION_HORIZON_S]), positions=positions[None], velocities=still, accelerations=still
        )
        return driver.take(point, 0.0, now_s)

    driver, path, trajectory = run('allegro_position', robot, take)
    np.testing.assert_allclose(path[-1], trajectory.position[-1], atol=1e-6)
    assert np.abs(path[-1] - robot.home).max() > 0.05
    assert (driver.violations.position, driver.violations.velocity) == (0, 0)


def test_velocity_without_its_last_zeros_would_go_on_for_ever() -> None:
    """Why the backend is refused on a robot: the controller behind it holds the last command."""
    robot = load_embodiment('panda@simulated')
    driver = TrajectoryDriver(robot, 0.002)
    driver.reset(robot.home)
    assert driver.take_velocity(np.full(7, 0.1)) is None
    path = np.array([driver.tick(k * 0.002)[0] for k in range(1500)])
    assert path[-1, 0] - path[0, 0] > 0.25
    refusal = driver.take_velocity(np.full(7, np.nan))
    assert refusal is not None
    assert 'not all finite' in refusal.text
    assert driver.rejected == 1


@pytest.mark.parametrize(
    ('message', 'text'),
    [
        ({'name': ['a'], 'position': [0.0]}, 'the robot has'),
        ({'name': None, 'position': [0.0] * 15}, '15 positions for 16 joints'),
    ],
)
def test_position_messages_that_do_not_fit_are_refused_in_words(message: dict[str, Any], text: str) -> None:
    from sensor_msgs.msg import JointState

    robot = load_embodiment('allegro')
    names = message['name'] or list(robot.joint_map.names)
    found = positions_from_msg(JointState(name=names, position=message['position']), robot)
    assert isinstance(found, Refusal)
    assert text in found.text
