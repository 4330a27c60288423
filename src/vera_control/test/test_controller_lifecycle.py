# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""controller_node as a managed node, a process of its own: what keeps it from becoming active, and how it leaves the active state."""

from __future__ import annotations

import signal
import time
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vera_core.embodiment import load_embodiment
from vera_core.ros.alive import AliveWatch
from vera_core.ros.qos import COMMAND, SENSOR, STATUS, STREAM
from vera_msgs.msg import JointVelocityEstimate, SafetyStatus

pytestmark = pytest.mark.ros
ROBOT = load_embodiment('panda')
NAMES = list(ROBOT.joint_names)
CONFIGURE, ACTIVATE, DEACTIVATE = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE


def seconds(stamp: Any) -> float:
    return float(stamp.sec + stamp.nanosec * 1e-9)


class Bench(Node):
    """A driver that is where the newest trajectory wants it, and a source of estimates."""

    def __init__(self) -> None:
        super().__init__('bench', namespace='vera')
        self.names: list[str] = []
        self.speed = 0.0
        self.heard: list[tuple[float, JointTrajectory]] = []
        self.states: list[SafetyStatus] = []
        self.create_subscription(JointTrajectory, ROBOT.driver.command_topic, lambda m: self.heard.append((self.now_s(), m)), COMMAND)
        self.create_subscription(SafetyStatus, 'safety_status', self.states.append, STATUS)
        self._joints = self.create_publisher(JointState, ROBOT.driver.joint_states_topic, SENSOR)
        self._estimates = self.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
        self._change = self.create_client(ChangeState, 'controller_node/change_state')
        self.watch = AliveWatch(self, ['controller_node'])
        self.create_timer(0.01, self._send_joints)
        self.create_timer(0.05, self._send_estimate)
        self.turner = SingleThreadedExecutor()
        self.turner.add_node(self)

    def now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def motion(self, at_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Position and velocity the newest trajectory wants at a time, between its points linearly."""
        if not self.heard:
            return np.array(ROBOT.home), np.zeros(7)
        message = self.heard[-1][1]
        times = [seconds(message.header.stamp) + seconds(point.time_from_start) for point in message.points]
        stacks = (np.array([p.positions for p in message.points]), np.array([p.velocities for p in message.points]))
        position, velocity = (np.array([np.interp(at_s, times, column) for column in stack.T]) for stack in stacks)
        return position, velocity

    def _send_joints(self) -> None:
        if self.names:
            position, velocity = self.motion(self.now_s() - 0.02)
            message = JointState(name=self.names, position=position.tolist(), velocity=velocity.tolist())
            message.header.stamp = self.get_clock().now().to_msg()
            self._joints.publish(message)

    def _send_estimate(self) -> None:
        if self.speed:
            message = JointVelocityEstimate(dt=0.35, joint_names=NAMES, residual_ratio=0.2, residual=0.3, remaining=20.0)
            message.header.stamp = self.get_clock().now().to_msg()
            message.velocity, message.delta_q = [self.speed] * 7, [0.35 * self.speed] * 7
            message.std, message.observability = [0.01] * 7, [1.0] * 7
            self._estimates.publish(message)

    def until(self, done: Any, timeout_s: float = 20.0) -> bool:
        end = time.monotonic() + timeout_s
        while not done() and time.monotonic() < end:
            self.turner.spin_once(timeout_sec=0.01)
        return bool(done())

    def ask(self, client: Any, request: Any) -> Any:
        assert self.until(client.service_is_ready)
        future = client.call_async(request)
        assert self.until(future.done)
        return future.result()

    def change(self, transition: int) -> bool:
        return bool(self.ask(self._change, ChangeState.Request(transition=Transition(id=transition))).success)

    def says(self, words: str) -> bool:
        return self.until(lambda: words in self.watch.text('controller_node'))


@pytest.fixture
def bench(ros):
    bench = Bench()
    yield bench
    bench.turner.shutdown()
    bench.destroy_node()


def test_deactivated_while_moving_it_brings_the_arm_to_rest_and_stays_silent(bench, spawn):
    bench.names = NAMES
    child = spawn(
        '-m', 'vera_control.controller_node', '--ros-args', '-p', 'auto_arm:=true', '-p', 'require_task:=false', name='controller'
    )
    assert bench.until(lambda: bench.states and bench.states[-1].state == SafetyStatus.ARMED), child.log.read_text()
    bench.speed = 0.2
    assert bench.until(lambda: np.linalg.norm(bench.motion(bench.now_s())[1]) > 0.2), child.log.read_text()
    asked_s = bench.now_s()
    assert bench.change(DEACTIVATE)
    answered_s = bench.now_s()
    last = bench.heard[-1][1]
    end_s = seconds(last.header.stamp) + seconds(last.points[-1].time_from_start)
    print(f'at rest {end_s - asked_s:.3f} s after the request, answered after {answered_s - asked_s:.3f} s')
    assert max(abs(v) for v in last.points[-1].velocities) == 0.0
    assert end_s <= answered_s + 0.02  # the answer is: it rests
    assert end_s - asked_s < 0.6
    assert bench.states[-1].state == SafetyStatus.STOPPED_LATCHED
    assert 'controller_node was deactivated' in bench.states[-1].text
    count = len(bench.heard), len(bench.states)
    bench.until(lambda: False, 0.4)  # estimates still come
    assert (len(bench.heard), len(bench.states)) == count
    refused = bench.ask(bench.create_client(Trigger, 'arm'), Trigger.Request())
    assert not refused.success
    assert refused.message == 'controller_node is not active: inactive; waits for the transition activate'
    assert bench.change(ACTIVATE)
    assert bench.until(lambda: len(bench.states) > count[1])
    assert bench.states[-1].state == SafetyStatus.STOPPED_LATCHED  # no motion without reset and arm
    bench.until(lambda: False, 0.3)
    assert len(bench.heard) == count[0]
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=5) == 0


def test_joint_names_that_do_not_fit_keep_it_inactive_in_words(bench, spawn):
    child = spawn('-m', 'vera_control.controller_node', '--ros-args', '-p', 'autostart:=false', name='controller')
    assert bench.change(CONFIGURE), child.log.read_text()
    assert not bench.change(ACTIVATE)
    assert bench.says('no joint states on /joint_states; is the robot driver running?')
    bench.names = [*NAMES[:-1], 'panda_elbow']
    bench.until(lambda: False, 0.3)
    assert not bench.change(ACTIVATE)
    assert bench.says('joint states lack panda_joint7 of robot panda')
    bench.names = NAMES
    bench.until(lambda: False, 0.3)
    assert bench.change(ACTIVATE), bench.watch.text('controller_node')
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=5) == 0
    assert 'Traceback' not in child.log.read_text()
