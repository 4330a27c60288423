# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Ten thousand malformed messages that really arrive: one node after the other, over DDS, each message taken before the next is sent.

    python benchmarks/fuzz_nodes.py --messages 10000 --json fuzz_nodes.json

In the whole graph (benchmarks/fuzz.py) most messages of such a flood are replaced by the next one before a node takes them. Here node and sender share
an executor. Every tenth message is a good one on the topics a node needs, so that it stays active; controller_node is armed again and again.
What escapes a callback would have ended the node and counts as a crash. Bytes that the middleware refuses to read never arrive.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from fuzz import STILL_RAD_S, templates
from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory
from websockets.sync.client import connect

from vera_bringup.malformed import malform
from vera_bringup.supervision import isolate
from vera_control.leaving import LeaveFlag
from vera_core.embodiment import load_embodiment
from vera_core.ros import qos
from vera_msgs.msg import SceneStatus

NODES = {
    'controller_node': ('vera_control.controller_node', 'ControllerNode', {}),
    'executive_node': ('vera_control.executive_node', 'ExecutiveNode', {}),
    'planner_node': ('vera_planner.planner_node', 'PlannerNode', {'backend': 'recorded'}),
    'flow_node': ('vera_jidm.flow_node', 'FlowNode', {}),
    'jidm_node': ('vera_jidm.jidm_node', 'JidmNode', {}),
    'sim_node': ('vera_sim.sim_node', 'SimNode', {}),
    'operator_node': ('vera_bringup.operator_node', 'OperatorNode', {'port': 0, 'stop_port': 0}),
    'blackbox_node': ('vera_bringup.blackbox_node', 'BlackBoxNode', {}),
    'view_node': ('vera_bringup.view_node', 'ViewNode', {}),
    'remote_policy_node': ('vera_control.remote_policy_node', 'RemotePolicyNode', {'url': 'ws://127.0.0.1:9'}),
    'mock_driver_node': ('vera_sim.mock_driver_node', 'MockDriverNode', {}),
    'camera_node': ('vera_sim.camera_node', 'CameraNode', {'image_rate_hz': 1.0}),
}
PATIENCE_S = 0.004
"""A message that has not arrived by then was refused by the middleware."""
GOOD_EVERY = 10


class Bench:
    """One node, and a sender beside it in the same executor."""

    def __init__(self, name: str, seed: int) -> None:
        module, kind, parameters = NODES[name]
        words = [word for key, value in {'robot': 'panda', **parameters}.items() for word in ('-p', f'{key}:={json.dumps(value)}')]
        rclpy.init(args=['--ros-args', '--log-level', 'fatal', *words])
        make = getattr(importlib.import_module(module), kind)
        self.name, self.node = name, make(LeaveFlag()) if name in ('controller_node', 'executive_node') else make()
        self.sender = Node('sender', namespace='vera', start_parameter_services=False, enable_rosout=False)
        self.executor = SingleThreadedExecutor()
        for node in (self.node, self.sender):
            self.executor.add_node(node)
        self.good = templates(load_embodiment('panda'))
        self.rng = np.random.default_rng(seed)
        self.arrived, self.commands, self.fastest, self.crashes = 0, 0, 0.0, []
        robot = load_embodiment('panda')
        self.sender.create_subscription(JointTrajectory, robot.driver.command_topic, self._on_command, qos.COMMAND, raw=True)
        self.sender.create_subscription(SceneStatus, 'sim/scene_status', self._on_scene, qos.STREAM)
        needed = [(Image, view.image_topic) for view in robot.views] + [(JointState, robot.driver.joint_states_topic)]
        self.needed = [] if name in ('sim_node', 'mock_driver_node') else [self._publisher(*pair) for pair in needed]

    def _on_command(self, raw: bytes) -> None:
        self.commands += 1

    def _on_scene(self, message: SceneStatus) -> None:
        self.fastest = max(self.fastest, message.arm_speed)

    def _publisher(self, kind: Any, topic: str) -> Any:
        profile = qos.ALIVE_BEACON if 'alive/' in topic else QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        if 'alive/' not in topic:
            profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
        return self.sender.create_publisher(kind, topic, profile)

    def spin(self, seconds: float, *, until: int | None = None) -> None:
        """Let everything run for a while, or until as many messages have arrived."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and (until is None or self.arrived < until):
            try:
                self.executor.spin_once(timeout_sec=left)
            except Exception as error:  # what would have ended the node
                self.crashes.append(f'{type(error).__name__}: {str(error)[:200]}')

    def feed(self) -> None:
        """Send good pictures and joints, and arm what can be armed."""
        for publisher in self.needed:
            message = self.good[publisher.msg_type]
            message.header.stamp = self.sender.get_clock().now().to_msg()
            publisher.publish(message)
        if self.name == 'controller_node' and self.node.is_active and not self.node._core.safety.is_armed:
            now_ns = self.node.now_ns()
            self.node._core.reset(now_ns)
            self.node._core.arm(now_ns)

    def start(self) -> None:
        """Wait until the node is active."""
        deadline = time.monotonic() + 60.0
        while not self.node.is_active and time.monotonic() < deadline:
            self.feed()
            self.spin(0.05)
        if not self.node.is_active:
            raise SystemExit(f'{self.name} does not become active: {self.node.beacon.text}')
        if self.name == 'operator_node':
            self._look_at_the_page()
        self.feed()
        self.spin(0.5)

    def _look_at_the_page(self) -> None:
        """Keep a page open: operator_node listens to pictures, joints and commands only while somebody looks."""
        server = self.node._server

        def read() -> None:
            with connect(f'ws://127.0.0.1:{server.port}/live?token={server._access.token}', ping_interval=None) as page:
                for _ in page:
                    pass

        threading.Thread(target=read, daemon=True).start()
        self.spin(1.0)

    def attack(self, count: int, only: str) -> list[dict[str, Any]]:
        """Send malformed messages to every subscription, one after the other."""
        rows = []
        for subscription in list(self.node.subscriptions):
            topic = subscription.topic_name
            if topic.endswith(('/parameter_events', '/clock', '/scene_status')) or not re.search(only, topic):
                continue
            rows.append(self._attack_one(subscription, topic, count))
            print(' '.join(f'{value!s:>10}' if key != 'topic' else f'{value:42}' for key, value in rows[-1].items()), flush=True)
        return rows

    def _attack_one(self, subscription: Any, topic: str, count: int) -> dict[str, Any]:
        plain = subscription.callback

        def counted(*values: Any) -> Any:
            self.arrived += 1
            return plain(*values)

        subscription._callback = counted
        kind = subscription.msg_type
        good, publisher = self.good.get(kind) or kind(), self._publisher(kind, topic)
        self.spin(0.3)
        self.arrived, self.commands, self.fastest, self.crashes = 0, 0, 0.0, []
        refused, begin, sent = self._refused(), time.monotonic(), 0
        while self.arrived < count and sent < 2 * count:
            if sent % GOOD_EVERY == 0 and publisher not in self.needed:
                self.feed()
            if hasattr(good, 'header'):
                good.header.stamp = self.sender.get_clock().now().to_msg()
            expected = self.arrived + 1
            with contextlib.suppress(RCLError):  # bytes that DDS itself does not take
                publisher.publish(malform(good, self.rng))
            self.spin(PATIENCE_S, until=expected)
            sent += 1
        self.spin(0.2)
        self.sender.destroy_publisher(publisher)
        subscription._callback = plain
        return {
            'node': self.name,
            'topic': topic,
            'sent': sent,
            'arrived': self.arrived,
            'refused': self._refused() - refused,
            'crashes': len(self.crashes),
            'crash': self.crashes[0] if self.crashes else '',
            'commands': 0 if kind is JointTrajectory else self.commands,  # there the commands are the malformed messages
            'fastest_rad_s': round(self.fastest, 4),
            'active': self.node.is_active,
            'seconds': round(time.monotonic() - begin, 1),
        }

    def _refused(self) -> int:
        return int(dict(self.node.diagnostics.report(time.monotonic()).values)['refused messages'])


def main() -> int:
    """Attack one node, or each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--messages', type=int, default=10_000, help='that arrive, per subscription')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--node', choices=tuple(NODES), action='append')
    parser.add_argument('--only', default='', help='regular expression of topics')
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    isolate()
    names = options.node or list(NODES)
    rows: list[dict[str, Any]] = []
    if len(names) == 1:
        bench = Bench(names[0], options.seed)
        bench.start()
        rows = bench.attack(options.messages, options.only)
        bench.node.end()
    for name in names if len(names) > 1 else ():
        file = Path(f'{options.json or "fuzz_nodes.json"}.{name}')
        words = [
            '--only',
            options.only,
            '--node',
            name,
            '--messages',
            str(options.messages),
            '--seed',
            str(options.seed),
            '--json',
            str(file),
        ]
        code = subprocess.run([sys.executable, __file__, *words], check=False).returncode
        found = json.loads(file.read_text(encoding='utf-8')) if file.exists() else []
        rows += found or [{'node': name, 'crashes': 1, 'crash': f'exit code {code}', 'commands': 0, 'fastest_rad_s': 0.0, 'active': False}]
        file.unlink(missing_ok=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + '\n', encoding='utf-8')
    # A driver follows whatever is well formed: among changed trajectories a few are, and mock_driver_node moves as joint_trajectory_controller would.
    moved = [row for row in rows if row['fastest_rad_s'] > STILL_RAD_S and row['node'] != 'mock_driver_node']
    bad = [row for row in rows if row in moved or row['crashes'] or row['commands'] or not row['active']]
    print(f'{len(rows)} subscriptions, {len(bad)} with a crash, a command, motion, or a node that is not active any more')
    return bool(bad)


if __name__ == '__main__':
    sys.exit(main())
