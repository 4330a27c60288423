# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""controller_node and mock_driver_node as processes: a rolling trajectory over DDS into the stand-in for joint_trajectory_controller."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vera_core.embodiment import load_embodiment
from vera_core.ros.qos import COMMAND, SENSOR, STATUS, STREAM
from vera_core.ros.stamps import to_ns
from vera_msgs.msg import JointVelocityEstimate, SafetyStatus, SceneStatus

pytestmark = pytest.mark.ros

ROBOT = load_embodiment('fr3')
VELOCITY = [0.2, 0.1, -0.15, 0.15, 0.2, 0.15, -0.3]


class Bench(Node):
    """Sends estimates while asked to, and listens."""

    def __init__(self) -> None:
        super().__init__('bench', namespace='vera')
        self.states: list[tuple[int, float]] = []
        self.scene: SceneStatus | None = None
        self.safety: SafetyStatus | None = None
        self.sends = False
        self.create_subscription(JointState, ROBOT.driver.joint_states_topic, self._on_state, SENSOR)
        self.create_subscription(SceneStatus, 'sim/scene_status', lambda message: setattr(self, 'scene', message), STATUS)
        self.create_subscription(SafetyStatus, 'safety_status', lambda message: setattr(self, 'safety', message), STATUS)
        self._estimates = self.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
        self.create_timer(0.05, self._send)
        self.executor_ = SingleThreadedExecutor()
        self.executor_.add_node(self)

    def _on_state(self, message: JointState) -> None:
        self.states.append((to_ns(message.header.stamp), float(np.linalg.norm(message.velocity))))

    def _send(self) -> None:
        if not self.sends:
            return
        message = JointVelocityEstimate(
            plan_id=1, task_id=1, step=2, dt=0.35, joint_names=list(ROBOT.joint_names), residual_ratio=0.2, residual=0.3, condition=5.0,
            remaining=20.0, velocity=VELOCITY, delta_q=[0.35 * v for v in VELOCITY], std=[0.01] * 7, observability=[1.0] * 7,
        )  # fmt: skip
        message.header.stamp = self.get_clock().now().to_msg()
        self._estimates.publish(message)

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = 20.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            self.executor_.spin_once(timeout_sec=0.02)
            assert time.monotonic() < end, f'{what} did not happen in {timeout_s} s; safety {self.safety}, scene {self.scene}'

    def speed(self) -> float:
        return self.states[-1][1] if self.states else 0.0


@pytest.fixture
def bench(ros: int) -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.executor_.shutdown()
    bench.destroy_node()


def test_rolling_trajectory_moves_the_stand_in_within_limits_and_its_death_stops_it(bench: Bench, spawn: Callable[..., Any]) -> None:
    common = ('--ros-args', '-p', 'robot:=fr3')
    spawn('-m', 'vera_sim.mock_driver_node', *common, '-p', 'joint_state_rate_hz:=500.0', name='mock')
    controller = spawn(
        '-m', 'vera_control.controller_node', *common, '-p', 'auto_arm:=true', '-p', 'require_task:=false', '-p', 'require_home:=false',
        name='controller',
    )  # fmt: skip
    bench.until(lambda: bench.safety is not None and bench.safety.state == SafetyStatus.ARMED, 'arming')
    bench.sends = True
    bench.until(lambda: bench.speed() > 0.2, 'motion')
    bench.states.clear()
    end = time.monotonic() + 1.0
    bench.until(lambda: time.monotonic() > end, 'a second of motion')
    stamps = np.array([stamp for stamp, _ in bench.states])
    assert np.median(np.diff(stamps)) == pytest.approx(2e6)  # 500 Hz on the stand-in's own grid
    controller.send_signal(signal.SIGKILL)
    killed_ns = time.time_ns()
    bench.until(lambda: bench.speed() == 0.0, 'rest', 2.0)
    rest_ns = next(stamp for stamp, speed in bench.states if stamp > killed_ns - 50_000_000 and speed == 0.0)
    assert (rest_ns - killed_ns) * 1e-9 <= 0.35
    bench.until(lambda: bench.scene is not None and bench.scene.arm_speed == 0.0, 'status at rest')
    scene = bench.scene
    assert scene is not None
    counts = (scene.position_violations, scene.velocity_violations, scene.acceleration_violations, scene.jerk_violations)
    assert (counts, scene.rejected_commands) == ((0, 0, 0, 0), 0)


def test_stand_in_refuses_a_moving_end_and_says_so(bench: Bench, spawn: Callable[..., Any]) -> None:
    child = spawn('-m', 'vera_sim.mock_driver_node', '--ros-args', '-p', 'robot:=fr3', name='mock')
    bench.until(lambda: bench.states and bench.count_subscribers(ROBOT.driver.command_topic), 'joint states')
    publisher = bench.create_publisher(JointTrajectory, ROBOT.driver.command_topic, COMMAND)
    point = JointTrajectoryPoint(positions=list(ROBOT.home), velocities=[0.1] * 7)
    point.time_from_start.nanosec = 500_000_000
    bench.until(lambda: publisher.get_subscription_count(), 'the match')
    publisher.publish(JointTrajectory(joint_names=list(ROBOT.joint_names), points=[point]))
    bench.until(lambda: bench.scene is not None and bench.scene.rejected_commands == 1, 'the refusal')
    assert 'a trajectory must end at rest' in child.log.read_text()
    assert bench.speed() == 0.0
