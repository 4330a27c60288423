# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""view_node and operator_node as processes over DDS, beside a stand-in for the graph in this one."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from urllib.request import urlopen

import numpy as np
import pytest
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker, MarkerArray
from websockets.sync.client import connect

from vera_bringup.specs import NodeSpec, ros_arguments
from vera_bringup.up import find_command
from vera_core.embodiment import load_embodiment
from vera_core.ros.messages import from_ns, plan_to_msg, velocity_to_msg
from vera_core.ros.qos import PLAN, SENSOR, STATUS, STREAM
from vera_core.types import JointVelocity, VideoPlan
from vera_msgs.msg import JointVelocityEstimate
from vera_msgs.msg import VideoPlan as VideoPlanMsg

pytestmark = [pytest.mark.ros, pytest.mark.timeout(90)]
ROBOT = load_embodiment('panda')


class Bench:
    """Everything the nodes talk to: joints, estimates and a plan out, what they publish in."""

    def __init__(self):
        self.context = Context()
        self.context.init(args=[])
        self.node = Node('bench', namespace='vera', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.states = self.node.create_publisher(JointState, ROBOT.driver.joint_states_topic, SENSOR)
        self.estimates = self.node.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
        self.plans = self.node.create_publisher(VideoPlanMsg, 'plan', PLAN)
        self.stops = []
        self.holds = []
        self.node.create_service(Trigger, 'stop', self._on_stop)
        self.node.create_subscription(Bool, 'deadman', lambda message: self.holds.append(message.data), STREAM)

    def _on_stop(self, request, response):
        self.stops.append(time.monotonic())
        response.success, response.message = True, 'stopped'
        return response

    def publish(self):
        now_ns = self.node.get_clock().now().nanoseconds
        n = len(ROBOT.joints)
        state = JointState(name=list(ROBOT.joint_names), position=ROBOT.home.tolist(), velocity=[0.0] * n)
        state.header.stamp = from_ns(now_ns)
        self.states.publish(state)
        step = np.zeros(n)
        step[0] = 0.2
        estimate = JointVelocity(
            stamp_ns=now_ns, plan_id=5, task_id=1, step=2, dt_s=0.3, delta_q=step, std=np.zeros(n), observability=np.ones(n),
            residual_ratio=0.2, residual_px=0.2, condition=2.0, remaining_px=3.0, at_plan_end=False,
        )  # fmt: skip
        self.estimates.publish(velocity_to_msg(estimate, ROBOT.joint_names, latency_s=0.05))

    def until(self, condition, what, timeout_s=15.0, *, publishing=True):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, what
            if publishing:
                self.publish()
            self.executor.spin_once(timeout_sec=0.03)

    def close(self):
        self.executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture(name='bench')
def bench_fixture(ros_domain):
    bench = Bench()
    yield bench
    bench.close()


@pytest.fixture(name='start')
def start_fixture(bench):
    processes = []

    def start(executable, **parameters):
        spec = NodeSpec(package='vera_bringup', executable=executable, parameters={'robot': 'panda', **parameters})
        command = find_command(spec) + ros_arguments(spec, 'vera')
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True))
        return processes[-1]

    yield start
    for process in processes:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
        process.stdout.close()


def test_view_node_makes_markers_and_dream_only_while_somebody_looks(bench, start):
    frames = np.random.default_rng(0).integers(0, 255, (4, *ROBOT.working_size, 3), dtype=np.uint8)
    plan = VideoPlan(plan_id=5, task_id=1, prompt='x', stamp_ns=1, step_dt_s=0.3, frames=dict.fromkeys(ROBOT.view_names, frames))
    bench.plans.publish(plan_to_msg(plan))
    start('view_node')
    descriptions: list[str] = []
    bench.node.create_subscription(String, 'robot_description', lambda message: descriptions.append(message.data), STATUS)
    bench.until(lambda: descriptions, 'a description')
    assert descriptions == [ROBOT.description.read_text(encoding='utf-8')]
    markers: list[MarkerArray] = []
    looking = bench.node.create_subscription(MarkerArray, 'view/markers', markers.append, STREAM)
    bench.until(lambda: markers and len(markers[-1].markers) > 10, 'markers of a ghost')
    kinds = {(marker.ns, marker.type) for marker in markers[-1].markers if marker.action == Marker.ADD}
    assert kinds == {('path', Marker.LINE_STRIP), ('ghost', Marker.CYLINDER), ('ghost', Marker.SPHERE), ('ghost', Marker.CUBE)}
    assert {marker.header.frame_id for marker in markers[-1].markers} == {ROBOT.base_frame}
    bench.node.destroy_subscription(looking)
    pictures: list[Image] = []
    bench.node.create_subscription(Image, 'view/dream', pictures.append, SENSOR)
    bench.until(lambda: pictures, 'a picture of the dream')
    height, width = ROBOT.working_size
    assert (pictures[0].height, pictures[0].width) == (2 * height, 2 * len(ROBOT.views) * width)


def hold_until_heard(bench, line):
    """Say it again and again, as the page does: what is published before the bench has been found is lost."""
    bench.holds.append(False)

    def is_held():
        line.send('hold')
        return bench.holds[-1]

    bench.until(is_held, 'a held button')


def test_the_stop_line_stops_and_holds_while_the_page_is_suspended_and_leaves_with_its_node(bench, start):
    process = start('operator_node', port=0, stop_port=0)
    address = ''
    while not (found := re.search(r'operator page: (\S+)', address)):
        address = process.stdout.readline()
        assert address, 'operator_node ended'
    with urlopen(found[1], timeout=10) as answer:
        document = answer.read().decode()
    port = re.search(r'"stop_port": (\d+)', document)[1]
    token = found[1].split('token=')[1]
    with connect(f'ws://127.0.0.1:{port}/stop?token={token}') as line:
        process.send_signal(signal.SIGSTOP)
        try:
            bench.until(lambda: bench.node.count_publishers('deadman'), 'the stop line in the graph')
            hold_until_heard(bench, line)
            line.send('release')
            bench.until(lambda: not bench.holds[-1], 'a released button')
            line.send('stop')
            bench.until(lambda: bench.stops, 'a stop')
            hold_until_heard(bench, line)
        finally:
            process.send_signal(signal.SIGCONT)
    # Whoever hangs up has let go.
    bench.until(lambda: not bench.holds[-1], 'a released button')
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    bench.until(lambda: not bench.node.count_publishers('deadman'), 'the end of the stop line', publishing=False)
