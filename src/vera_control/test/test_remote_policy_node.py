# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""remote_policy_node as a process: pictures and joints go to a policy server, its actions come out as joint velocities; it outlives the server."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from sensor_msgs.msg import Image, JointState  # noqa: E402
from websockets.exceptions import ConnectionClosed  # noqa: E402
from websockets.sync.server import serve  # noqa: E402

from vera_core.codec import decode, encode  # noqa: E402
from vera_core.embodiment import load_embodiment  # noqa: E402
from vera_core.policy_words import PolicyHello, hello_to_wire  # noqa: E402
from vera_core.ros.messages import from_ns, image_from_rgb  # noqa: E402
from vera_core.ros.qos import SENSOR, STATUS, STREAM, TASK  # noqa: E402
from vera_msgs.msg import JointVelocityEstimate, PlannerStatus, Task  # noqa: E402

pytestmark = pytest.mark.ros
ROBOT = load_embodiment('panda')
HELLO = PolicyHello(
    view_keys=ROBOT.view_names, view_widths=(), action_space='qpos_delta', action_horizon=10, action_dim=7, control_dt=0.2, context_frames=3,
    embodiment='panda', planner_model='p', idm_model='i',
)  # fmt: skip


class Bench(Node):
    """Cameras, joints and a task in, joint velocities and status out."""

    def __init__(self) -> None:
        super().__init__('bench', namespace='vera')
        self.estimates: list[JointVelocityEstimate] = []
        self.statuses: list[PlannerStatus] = []
        self._cameras = {view.name: self.create_publisher(Image, view.image_topic, SENSOR) for view in ROBOT.views}
        self._joints = self.create_publisher(JointState, ROBOT.driver.joint_states_topic, SENSOR)
        self._tasks = self.create_publisher(Task, 'task', TASK)
        self.create_subscription(JointVelocityEstimate, 'joint_velocity', self.estimates.append, STREAM)
        self.create_subscription(PlannerStatus, 'planner_status', self.statuses.append, STATUS)
        self.create_timer(0.1, self._show)

    def _show(self) -> None:
        stamp = self.get_clock().now().nanoseconds
        picture = np.full((*ROBOT.working_size, 3), stamp // 10**8 % 200, np.uint8)
        picture[:64, :, 0] = 255  # one of a single colour is refused
        for name, camera in self._cameras.items():
            camera.publish(image_from_rgb(picture, stamp_ns=stamp, frame_id=name))
        joints = JointState(name=list(ROBOT.joint_names), position=list(ROBOT.home), velocity=[0.0] * 7)
        joints.header.stamp = from_ns(stamp)
        self._joints.publish(joints)
        self._tasks.publish(Task(task_id=5, prompt='go', active=True))


def test_node_follows_the_server_and_says_why_when_it_cannot(ros, spawn):
    bad, requests = threading.Event(), []

    def handle(connection):
        connection.send(encode(hello_to_wire(HELLO)))
        try:
            for data in connection:
                requests.append(decode(data))
                action = np.full((10, 7), np.nan if bad.is_set() else 0.01, np.float32)
                connection.send(encode({'action': action, 'info': {}}))
        except ConnectionClosed:
            return

    with serve(handle, '127.0.0.1', 0, compression=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        process = spawn('-m', 'vera_control.remote_policy_node', '--ros-args', '-p', f'url:=ws://127.0.0.1:{port}', name='policy')
        bench = Bench()
        executor = SingleThreadedExecutor()
        executor.add_node(bench)

        def until(condition):
            end = time.monotonic() + 25
            while not condition():
                assert process.poll() is None, process.log.read_text()
                assert time.monotonic() < end, (bench.statuses[-1:], process.log.read_text()[-2000:])
                executor.spin_once(timeout_sec=0.05)

        until(lambda: len(bench.estimates) > 5)
        estimate = bench.estimates[-1]
        assert (estimate.task_id, list(estimate.joint_names), estimate.dt) == (5, list(ROBOT.joint_names), 0.2)
        np.testing.assert_allclose(estimate.velocity, 0.05, rtol=1e-5)
        assert requests[0]['prompt'] == 'go' and 1 <= len(requests[-1]['context_rgb']) <= 3
        np.testing.assert_allclose(requests[-1]['q_robot'], ROBOT.home, rtol=1e-5)
        bad.set()
        until(lambda: any(status.state == PlannerStatus.FAILED and 'not finite' in status.text for status in bench.statuses))
        bad.clear()
        bench.estimates.clear()
        until(lambda: len(bench.estimates) > 2)
        executor.shutdown()
        bench.destroy_node()
        server.shutdown()
