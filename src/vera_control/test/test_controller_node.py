# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""controller_node as a process of its own, over DDS: a fake driver and a fake source of estimates around it, and what happens when one is killed."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from rclpy.action import ActionClient  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

from vera_control.limits import limits_of  # noqa: E402
from vera_core.embodiment import load_embodiment  # noqa: E402
from vera_core.ros.qos import COMMAND, SENSOR, STATUS, STREAM  # noqa: E402
from vera_msgs.action import GoHome  # noqa: E402
from vera_msgs.msg import JointVelocityEstimate, SafetyStatus  # noqa: E402

pytestmark = pytest.mark.ros

ROBOT = load_embodiment('panda')
NAMES = list(ROBOT.joint_names)
VELOCITY = np.array([0.25, 0.15, -0.2, 0.2, 0.1, 0.2, -0.2])

ESTIMATES = """
import sys, time, array, rclpy
from rclpy.node import Node
from vera_msgs.msg import JointVelocityEstimate
from vera_core.ros.qos import STREAM
names, velocity = sys.argv[1].split(','), [float(v) for v in sys.argv[2].split(',')]
rclpy.init(args=[])
node = Node('jidm_node', namespace='vera')
publisher = node.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
if len(sys.argv) > 3:
    from vera_core.ros.alive import AliveBeacon
    beacon = AliveBeacon(node)
while rclpy.ok():
    message = JointVelocityEstimate(plan_id=1, task_id=1, step=2, dt=0.35, joint_names=names, residual_ratio=0.2, residual=0.3, condition=5.0, remaining=20.0)
    message.header.stamp = node.get_clock().now().to_msg()
    message.velocity = array.array('d', velocity)
    message.delta_q = array.array('d', [0.35 * v for v in velocity])
    message.std = array.array('d', [0.01] * len(names))
    message.observability = array.array('d', [1.0] * len(names))
    publisher.publish(message)
    time.sleep(0.05)
"""


class Bench(Node):
    """A driver that follows what it is told exactly, and remembers everything."""

    def __init__(self) -> None:
        super().__init__('bench', namespace='vera')
        self.position = np.array(ROBOT.home)
        self.trajectories: list[tuple[float, JointTrajectory]] = []
        self.status: SafetyStatus | None = None
        self.sends_states = True
        self.create_subscription(JointTrajectory, ROBOT.driver.command_topic, self._on_trajectory, COMMAND)
        self.create_subscription(SafetyStatus, 'safety_status', self._on_status, STATUS)
        self._states = self.create_publisher(JointState, ROBOT.driver.joint_states_topic, SENSOR)
        self.estimates = self.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
        self.create_timer(0.01, self._send_state)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        self.trajectories.append((self.clock_s(), message))

    def _on_status(self, message: SafetyStatus) -> None:
        self.status = message

    def clock_s(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def reference(self, at_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Position and velocity by the newest message; linear between its points 10 ms apart is enough to watch."""
        if not self.trajectories:
            return self.position, np.zeros(7)
        message = self.trajectories[-1][1]
        start = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        times = np.array([start + p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in message.points])
        positions = np.array([p.positions for p in message.points])
        velocities = np.array([p.velocities for p in message.points])
        return tuple(np.array([np.interp(at_s, times, values[:, j]) for j in range(7)]) for values in (positions, velocities))  # type: ignore[return-value]

    def _send_state(self) -> None:
        if not self.sends_states:
            return
        position, velocity = self.reference(self.clock_s() - 0.02)
        message = JointState(name=['finger', *reversed(NAMES)], position=[0.0, *position[::-1]], velocity=[0.0, *velocity[::-1]])
        message.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(message)

    def end_s(self) -> float:
        """When the newest trajectory is at rest, checked to be at rest there."""
        message = self.trajectories[-1][1]
        assert np.allclose(message.points[-1].velocities, 0.0, atol=0)
        last = message.points[-1].time_from_start
        return message.header.stamp.sec + last.sec + (message.header.stamp.nanosec + last.nanosec) * 1e-9

    def send_estimate(self, velocity: np.ndarray, names: list[str] | None = None) -> None:
        message = JointVelocityEstimate(dt=0.35, joint_names=names or NAMES, residual_ratio=0.2, residual=0.3, remaining=20.0)
        message.header.stamp = self.get_clock().now().to_msg()
        message.velocity, message.delta_q = velocity.tolist(), (velocity * 0.35).tolist()
        message.std, message.observability = [0.01] * 7, [1.0] * 7
        self.estimates.publish(message)


class World:
    """The bench and a way to let time pass until something is true."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.bench)

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = 10.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            self.executor.spin_once(timeout_sec=0.02)
            assert time.monotonic() < end, f'{what} did not happen in {timeout_s} s; status {self.bench.status}'

    def pass_time(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.01)

    def state(self) -> int:
        return -1 if self.bench.status is None else self.bench.status.state

    def call(self, service: str) -> Trigger.Response:
        client = self.bench.create_client(Trigger, service)
        assert client.wait_for_service(timeout_sec=5.0)
        future = client.call_async(Trigger.Request())
        self.until(future.done, f'answer of {service}')
        self.bench.destroy_client(client)
        return future.result()

    def is_moving(self) -> bool:
        return float(np.linalg.norm(self.bench.reference(self.bench.clock_s())[1])) > 0.1


@pytest.fixture
def world(ros: int) -> Iterator[World]:
    world = World()
    yield world
    world.executor.shutdown()
    world.bench.destroy_node()


@pytest.fixture
def controller(world: World, spawn: Callable[..., Any]) -> Any:
    return start_controller(world, spawn)


@pytest.fixture
def patient_controller(world: World, spawn: Callable[..., Any]) -> Any:
    """For what is not about late joint states, on machines that stand still now and then."""
    return start_controller(world, spawn, '-p', 'state_timeout_s:=1.0')


def start_controller(world: World, spawn: Callable[..., Any], *options: str) -> Any:
    settings = ('-p', 'auto_arm:=true', '-p', 'require_task:=false', *options)
    child = spawn('-m', 'vera_control.controller_node', '--ros-args', *settings, name='controller')
    world.until(lambda: world.state() == SafetyStatus.ARMED, 'arming', 20.0)
    return child


def start_estimates(spawn: Callable[..., Any], *extra: str) -> Any:
    return spawn('-c', ESTIMATES, ','.join(NAMES), ','.join(map(str, VELOCITY)), *extra, name='estimates')


def check_limits(trajectories: list[tuple[float, JointTrajectory]]) -> None:
    limits = limits_of(ROBOT)
    for _, message in trajectories:
        velocity = np.array([p.velocities for p in message.points])
        acceleration = np.array([p.accelerations for p in message.points])
        assert np.all(np.abs(velocity) <= limits.velocity + 1e-9)
        assert np.all(np.abs(acceleration) <= limits.acceleration + 1e-9)


def test_arm_rests_within_half_a_second_when_the_estimates_are_killed(world: World, controller: Any, spawn: Callable[..., Any]) -> None:
    source = start_estimates(spawn)
    world.until(world.is_moving, 'motion', 20.0)
    world.pass_time(0.5)
    source.kill()
    killed_s = world.bench.clock_s()
    world.until(lambda: world.state() == SafetyStatus.HOLDING, 'holding')
    assert world.bench.status is not None
    assert world.bench.status.reason == SafetyStatus.STALE_ESTIMATE
    assert 'no usable velocity estimate' in world.bench.status.text
    world.pass_time(0.6)
    rest_s = world.bench.end_s() - killed_s
    print(f'at rest {rest_s:.3f} s after the kill')
    assert rest_s <= 0.5
    check_limits(world.bench.trajectories)
    assert world.bench.status.jerk_violations == world.bench.status.acceleration_violations == world.bench.status.velocity_violations == 0


def test_arm_rests_within_half_a_second_when_a_watched_node_is_killed(world: World, controller: Any, spawn: Callable[..., Any]) -> None:
    source = start_estimates(spawn, 'alive')
    other = start_estimates(spawn)
    world.until(world.is_moving, 'motion', 20.0)
    world.pass_time(0.7)
    source.kill()
    killed_s = world.bench.clock_s()
    # On a busy machine it may hold for another moment's reason first.
    world.until(lambda: world.bench.status is not None and bool(world.bench.status.lost_nodes), 'a lost node')
    assert world.state() == SafetyStatus.HOLDING
    assert world.bench.status is not None
    assert list(world.bench.status.lost_nodes) == ['jidm_node']
    assert 'jidm_node is gone' in world.bench.status.text
    world.pass_time(0.6)
    assert other.poll() is None  # estimates still come, and are not followed
    rest_s = world.bench.end_s() - killed_s
    print(f'at rest {rest_s:.3f} s after the kill')
    assert rest_s <= 0.5


def test_last_trajectory_rests_within_half_a_second_when_the_controller_is_killed(
    world: World, controller: Any, spawn: Callable[..., Any]
) -> None:
    start_estimates(spawn)
    world.until(world.is_moving, 'motion', 20.0)
    world.pass_time(0.5)
    controller.send_signal(signal.SIGKILL)
    killed_s = world.bench.clock_s()
    world.pass_time(0.5)
    rest_s = world.bench.end_s() - killed_s
    print(f'at rest {rest_s:.3f} s after the kill')
    assert rest_s <= 0.5
    assert not world.is_moving()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_controller_leaves_with_the_arm_at_rest_when_told_to(world: World, controller: Any, spawn: Callable[..., Any], number: int) -> None:
    start_estimates(spawn)
    world.until(world.is_moving, 'motion', 20.0)
    controller.send_signal(number)
    told_s = world.bench.clock_s()
    world.until(lambda: controller.poll() is not None, 'leaving', 3.0)
    world.pass_time(0.3)
    assert controller.returncode == 0, controller.log.read_text()
    assert world.bench.end_s() - told_s <= 0.4
    assert world.bench.status is not None
    assert 'told to leave' in world.bench.status.text


def test_bad_messages_are_refused_whole_without_motion_and_the_node_stays_up(world: World, controller: Any) -> None:
    not_finite = VELOCITY.copy()
    not_finite[2] = np.nan
    cases: list[tuple[np.ndarray, list[str] | None, int, str]] = [
        (not_finite, None, SafetyStatus.BAD_INPUT, 'nan'),
        (VELOCITY, [f'iiwa_joint{index}' for index in range(1, 8)], SafetyStatus.BAD_INPUT, 'iiwa_joint1'),
        (np.full(7, 40.0), None, SafetyStatus.OVER_LIMIT, '40.000 rad/s'),
    ]
    for velocity, names, reason, words in cases:
        for _ in range(10):
            world.bench.send_estimate(velocity, names)
            world.pass_time(0.03)
        world.until(lambda reason=reason: world.bench.status is not None and world.bench.status.reason == reason, f'reason {reason}')
        assert world.bench.status is not None
        assert words in world.bench.status.text
        assert world.state() == SafetyStatus.HOLDING
        assert not world.bench.trajectories
    assert world.bench.status is not None
    assert world.bench.status.refused_messages >= 3
    assert controller.poll() is None
    for _ in range(20):
        world.bench.send_estimate(VELOCITY)
        world.pass_time(0.04)
    assert world.is_moving()


def test_stop_latches_until_reset_and_arm(world: World, controller: Any, spawn: Callable[..., Any]) -> None:
    start_estimates(spawn)
    world.until(world.is_moving, 'motion', 20.0)
    assert world.call('stop').success
    stopped_s = world.bench.clock_s()
    world.until(lambda: world.state() == SafetyStatus.STOPPED_LATCHED, 'stop')
    world.pass_time(0.5)
    assert world.bench.end_s() - stopped_s <= 0.4
    refused = world.call('arm')
    assert not refused.success
    assert 'reset first' in refused.message
    assert world.call('reset').success
    assert world.state() == SafetyStatus.DISARMED
    count = len(world.bench.trajectories)
    world.pass_time(0.3)
    assert len(world.bench.trajectories) == count
    assert world.call('arm').success
    world.until(world.is_moving, 'motion again')


def test_second_publisher_on_the_command_topic_holds_the_arm(world: World, controller: Any, spawn: Callable[..., Any]) -> None:
    start_estimates(spawn)
    world.until(world.is_moving, 'motion', 20.0)
    rival = world.bench.create_publisher(JointTrajectory, ROBOT.driver.command_topic, COMMAND)
    world.until(lambda: world.bench.status is not None and world.bench.status.reason == SafetyStatus.OTHER_PUBLISHER, 'holding')
    world.until(lambda: not world.is_moving(), 'rest', 1.0)
    world.bench.destroy_publisher(rival)
    world.until(world.is_moving, 'motion again')


def test_silent_joint_states_hold_the_arm(world: World, controller: Any, spawn: Callable[..., Any]) -> None:
    start_estimates(spawn)
    world.until(world.is_moving, 'motion', 20.0)
    world.bench.sends_states = False
    world.until(lambda: world.bench.status is not None and world.bench.status.reason == SafetyStatus.STALE_JOINT_STATE, 'holding')
    world.until(lambda: not world.is_moving(), 'rest', 1.0)


def test_go_home_moves_to_the_pose_and_says_no_in_words(world: World, patient_controller: Any) -> None:
    world.bench.position = ROBOT.home + np.array([0.3, -0.2, 0.1, 0.2, -0.1, 0.1, 0.2])
    world.pass_time(0.5)
    client: Any = ActionClient(world.bench, GoHome, 'go_home')
    assert client.wait_for_server(timeout_sec=5.0)

    def go(goal: GoHome.Goal) -> GoHome.Result:
        sent = client.send_goal_async(goal)
        world.until(sent.done, 'goal answer')
        answer = sent.result().get_result_async()
        world.until(answer.done, 'result', 10.0)
        return answer.result().result

    refused = go(GoHome.Goal(pose='hom'))
    assert refused.error_code == GoHome.Result.REJECTED
    assert "Did you mean 'home'?" in refused.error_msg
    result = go(GoHome.Goal(speed_scale=1.0))
    assert result.error_code == GoHome.Result.SUCCEEDED, result.error_msg
    assert result.max_error < 0.02
    check_limits(world.bench.trajectories)
    client.destroy()


def test_a_dry_run_with_an_enabling_button_reaches_nobody(world: World, spawn: Callable[..., Any]) -> None:
    heard: list[JointTrajectory] = []
    world.bench.create_subscription(JointTrajectory, 'dry_run/command', heard.append, COMMAND)
    button = world.bench.create_publisher(Bool, 'deadman', STREAM)
    options = ('auto_arm:=true', 'require_task:=false', 'dry_run:=true', 'deadman:=true')
    spawn('-m', 'vera_control.controller_node', '--ros-args', *(word for option in options for word in ('-p', option)), name='controller')
    world.until(lambda: world.state() == SafetyStatus.HOLDING, 'waiting for the button', 20.0)
    assert world.bench.status is not None
    assert world.bench.status.reason == SafetyStatus.DEADMAN
    start_estimates(spawn)
    timer = world.bench.create_timer(0.05, lambda: button.publish(Bool(data=True)))
    world.until(lambda: len(heard) > 10, 'commands of the dry run')
    assert world.bench.status.dry_run
    timer.cancel()
    world.until(lambda: world.bench.status.reason == SafetyStatus.DEADMAN, 'release of the button', 1.0)
    assert not world.bench.trajectories
    refusal = world.call('recover')
    assert not refusal.success
    assert 'call stop' in refusal.message
    assert world.call('stop').success
    assert 'own tools' in world.call('recover').message


def test_unknown_robot_is_refused_at_the_start(ros: int, spawn: Callable[..., Any]) -> None:
    child = spawn('-m', 'vera_control.controller_node', '--ros-args', '-p', 'robot:=pandra', name='controller')
    assert child.wait(timeout=20) == 2
    assert "Did you mean 'panda'?" in child.log.read_text()


if __name__ == '__main__':
    sys.exit(pytest.main([__file__, '-q', '-s']))
