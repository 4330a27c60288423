# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the command backends publish, on a node that only takes notes and a clock that only the test moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from vera_control.backends import BACKENDS, CommandBackend
from vera_control.limits import limits_of
from vera_control.wire import TrajectoryWriter, trajectory_to_msg
from vera_core.driver import DriverJoint
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_core.types import RobotState

MS = 1_000_000
Shaped = Callable[..., Any]


def make(name: str, node: Any, robot: Embodiment, stream_hz: float = 100.0) -> CommandBackend:
    return BACKENDS.make(name, node=node, robot=robot, stream_hz=stream_hz)


PANDA = load_embodiment('panda')
SPEED = np.array([0.2, -0.1, 0.15, 0.1, -0.2, 0.1, 0.3])


def test_trajectory_goes_out_whole_with_the_drivers_names(note_node: Any, shaped: Shaped) -> None:
    backend = make('trajectory', note_node, PANDA)
    trajectory = shaped(PANDA, SPEED)
    backend.send(trajectory, note_node.now_ns)
    (message,) = note_node.topics[backend.topic].sent
    assert tuple(message.joint_names) == PANDA.joint_names
    np.testing.assert_array_equal([point.positions for point in message.points], trajectory.position)
    np.testing.assert_array_equal([point.velocities for point in message.points], trajectory.velocity)
    assert message.points[0].time_from_start.nanosec == 0
    assert backend.obstacle(note_node.now_ns) is None


def test_message_written_into_again_says_only_the_newest(note_node: Any, shaped: Shaped) -> None:
    writer = TrajectoryWriter(PANDA.joint_map)
    long, short = shaped(PANDA, SPEED), shaped(PANDA, 0.2 * SPEED, first=1000)
    assert len(short.position) < len(long.position)
    writer.write(long, long.start_ns)
    again, fresh = writer.write(short, short.start_ns + 15 * MS), trajectory_to_msg(short, PANDA.joint_map, short.start_ns + 15 * MS)
    assert again == fresh
    assert len(again.points) == len(short.position)
    assert again.header.stamp.nanosec % (10 * MS) == 0  # on the grid of the points


@pytest.mark.parametrize(('name', 'robot'), [('trajectory', 'panda'), ('velocity', 'panda@simulated'), ('allegro_position', 'allegro')])
def test_backend_costs_little(note_node: Any, shaped: Shaped, name: str, robot: str) -> None:
    """Against making the arm's message anew from the same numbers. Seen: a sixth to a half of it, 0.01 to 0.04 ms."""
    body = load_embodiment(robot)
    backend, command = make(name, note_node, body), shaped(body, np.full(len(body.joints), 0.1))
    backend.on_state(RobotState(stamp_ns=1, position=np.array(body.home), velocity=np.zeros(len(body.joints))))
    plain = shaped(PANDA, SPEED)
    sends, yardsticks = [], []
    for _ in range(100):
        start = time.thread_time()
        backend.obstacle(command.start_ns)
        backend.send(command, command.start_ns)
        middle = time.thread_time()
        trajectory_to_msg(plain, PANDA.joint_map, plain.start_ns)
        sends.append(middle - start)
        yardsticks.append(time.thread_time() - middle)
    assert np.median(sends) < 2 * np.median(yardsticks)


# Velocities, in simulation only.


def test_velocity_is_refused_on_a_robot() -> None:
    with pytest.raises(ConfigError, match="simulation only.*never times out.*use backend 'trajectory' or 'servo'"):
        BACKENDS.make('velocity', node=None, robot=PANDA, stream_hz=100.0)


def test_velocity_ends_with_zeros_and_falls_silent(note_node: Any, shaped: Shaped) -> None:
    robot = load_embodiment('panda@simulated')
    backend = make('velocity', note_node, robot)
    trajectory = shaped(robot, SPEED)
    backend.send(trajectory, note_node.now_ns)
    note_node.run(2000)
    sent = np.array([message.data for message in note_node.topics[backend.topic].sent])
    np.testing.assert_allclose(sent[4], trajectory.velocity[4])
    assert np.abs(sent).max() > 0.01
    np.testing.assert_array_equal(sent[-10:], 0.0)
    # The trajectory, and rest for 0.3 s more.
    assert len(sent) == len(trajectory.position) + 30


def test_velocity_runs_the_ramp_out_and_ends_with_zeros_on_leaving(note_node: Any, shaped: Shaped) -> None:
    robot = load_embodiment('panda@simulated')
    backend = make('velocity', note_node, robot)
    trajectory = shaped(robot, SPEED)
    backend.send(trajectory, note_node.now_ns)
    note_node.run(50)
    moving = np.array(note_node.topics[backend.topic].sent[-1].data)
    assert np.abs(moving).max() > 0.01
    backend.leave()
    sent = np.array([message.data for message in note_node.topics[backend.topic].sent])
    np.testing.assert_array_equal(sent[-1], 0.0)
    assert np.abs(np.diff(sent, axis=0)).max() < 1.01 * (limits_of(robot).acceleration * 0.01).max()
    assert note_node.now_ns <= trajectory.end_ns + 10 * MS


# Positions for the Allegro hand.


def state(robot: Embodiment) -> RobotState:
    return RobotState(stamp_ns=1, position=np.array(robot.home), velocity=np.zeros(16))


def test_positions_by_name_for_the_drivers_that_take_joint_states(note_node: Any, shaped: Shaped) -> None:
    robot = load_embodiment('allegro')
    backend = make('allegro_position', note_node, robot)
    trajectory = shaped(robot, np.linspace(-0.3, 0.3, 16))
    backend.on_state(state(robot))
    backend.send(trajectory, note_node.now_ns)
    note_node.run(2000)
    sent = note_node.topics['/allegroHand_0/joint_cmd'].sent
    for message, row in zip(sent, trajectory.position, strict=False):
        assert tuple(message.name) == robot.joint_names
        np.testing.assert_allclose(message.position, row, atol=1e-12)
    np.testing.assert_allclose(sent[-1].position, trajectory.position[-1], atol=1e-12)  # stop: hold the last position


def test_positions_thumb_first_for_the_ros2_control_driver(note_node: Any, shaped: Shaped) -> None:
    robot = load_embodiment('allegro@wonik_v4')
    backend = make('allegro_position', note_node, robot)
    trajectory = shaped(robot, np.linspace(-0.3, 0.3, 16))
    backend.on_state(state(robot))
    backend.send(trajectory, note_node.now_ns)
    note_node.run(100)
    last = np.array(note_node.topics['/allegro_hand_position_controller/commands'].sent[5].data)
    ours = trajectory.position[5]
    np.testing.assert_allclose(last, [*ours[12:], *ours[:12]], atol=1e-12)


@pytest.mark.parametrize('seed', range(5))
def test_positions_reach_every_joint_by_name_in_any_order_the_driver_has(note_node: Any, seed: int, shaped: Shaped) -> None:

    robot = load_embodiment('allegro@wonik_v4')
    rng = np.random.default_rng(seed)
    order, signs, offsets = rng.permutation(16), rng.choice([-1, 1], 16), rng.uniform(-0.2, 0.2, 16)
    joints = tuple(
        DriverJoint(name=f'd{k}', joint=robot.joint_names[ours], sign=int(signs[k]), offset=float(offsets[k]))
        for k, ours in enumerate(order)
    )
    robot = replace(robot, driver=replace(robot.driver, joints=joints))
    backend = make('allegro_position', note_node, robot)
    backend.on_state(state(robot))
    backend.send(shaped(robot, np.zeros(16)), note_node.now_ns)
    data = note_node.topics[backend.topic].sent[0].data
    for k, ours in enumerate(order):
        assert data[k] == pytest.approx(signs[k] * robot.home[ours] + offsets[k])


def test_positions_wait_for_the_first_measured_joints(note_node: Any, shaped: Shaped) -> None:
    robot = load_embodiment('allegro')
    backend = make('allegro_position', note_node, robot)
    backend.send(shaped(robot, np.full(16, 0.1)), note_node.now_ns)
    assert not note_node.topics[backend.topic].sent


def test_backend_that_the_driver_does_not_take_is_refused(note_node: Any) -> None:
    with pytest.raises(ConfigError, match='no position_command_topic'):
        make('allegro_position', note_node, PANDA)
    with pytest.raises(ConfigError, match='no command_topic'):
        make('trajectory', note_node, load_embodiment('allegro@wonik_v4'))
