# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Ten thousand malformed messages into every subscriber of every node, over DDS, disarmed and armed: nobody may crash and nothing may move.

    python benchmarks/fuzz.py --messages 10000 --json fuzz.json

`--part walk` is panda_sim with the operator's page and the black box; a task must succeed afterwards. `--part beside` is the mock driver, the drawn
cameras, the policy client and the viewers' node. `--only` takes a regular expression of topics. See vera_bringup.malformed for what is sent.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy._rclpy_pybind11 import RCLError
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from websockets.sync.client import connect

from vera_bringup.asking import SessionError
from vera_bringup.malformed import malform
from vera_bringup.recording.definitions import message_class
from vera_bringup.recordings import ExpertClips
from vera_bringup.session import Session
from vera_bringup.specs import NodeSpec, SystemSpec
from vera_bringup.supervision import isolate, running_system
from vera_bringup.system import load_system
from vera_bringup.task_run import Episode, run_task, topics_for_figures
from vera_bringup.up import SystemProcesses
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.ros import qos
from vera_core.ros.diagnostics import PREFIX
from vera_core.ros.messages import flow_to_msg, image_from_rgb, plan_to_msg, velocity_to_msg
from vera_core.types import FlowField, JointVelocity, VideoPlan
from vera_msgs.msg import NodeAlive, PlannerStatus, SafetyStatus, Task

PLUMBING = re.compile(r'/(parameter_events|rosout|clock|diagnostics|scene_status)$|/_')
"""Topics of ROS itself, and the simulator's report, by which it is seen that nothing moves."""
OWN = ('operator', 'stop_line')
STILL_RAD_S = 0.02


def fuzzed_system(part: str) -> SystemSpec:
    """Describe the graph: `walk` is panda_sim with the operator's page and the black box, `beside` what takes the place of nodes or only looks on."""
    system = load_system('panda_sim', planner='recorded', arguments={'operator_page': 'true'})
    if part == 'walk':
        return system.with_parameters('operator_node', {'port': 0, 'stop_port': 0}).with_parameters('controller_node', {'auto_arm': False})
    nodes = (
        NodeSpec(package='vera_sim', executable='mock_driver_node', parameters={'robot': 'panda', 'joint_state_rate_hz': 10.0}),
        NodeSpec(package='vera_sim', executable='camera_node', parameters={'robot': 'panda', 'image_rate_hz': 2.0}),
        NodeSpec(package='vera_control', executable='remote_policy_node', parameters={'robot': 'panda', 'url': 'ws://127.0.0.1:9'}),
        NodeSpec(package='vera_bringup', executable='view_node', parameters={'robot': 'panda'}),
    )
    return SystemSpec(name='beside', description='nodes beside the walk', robot='panda', namespace='vera', nodes=nodes)


def templates(robot: Embodiment) -> dict[type, Any]:
    """Return a good message of every type that is sent around."""
    rng, (height, width), joints = np.random.default_rng(1), robot.working_size, len(robot.joints)
    names, home = list(robot.joint_map.names), [float(value) for value in robot.home]
    pictures = {view: rng.integers(0, 255, (4, height, width, 3), dtype=np.uint8) for view in robot.view_names}
    zeros, pixels = np.zeros(joints), np.zeros((height, width, 2), np.float32)
    plan = VideoPlan(plan_id=1, task_id=1, prompt='touch the red cube', stamp_ns=1, step_dt_s=0.2, frames=pictures, model='fuzz')
    flow = FlowField(
        stamp_ns=1, plan_id=1, task_id=1, step=1, dt_s=0.2, remaining_px=1.0, at_plan_end=False,
        flow=dict.fromkeys(robot.view_names, pixels), confidence=dict.fromkeys(robot.view_names, pixels[..., 0]),
    )  # fmt: skip
    estimate = JointVelocity(
        stamp_ns=1, plan_id=1, task_id=1, step=1, dt_s=0.2, delta_q=zeros + 0.02, std=zeros, observability=zeros + 1, residual_ratio=0.1,
        residual_px=0.1, condition=1.0, remaining_px=5.0, at_plan_end=False,
    )  # fmt: skip
    messages = (
        image_from_rgb(pictures[robot.view_names[0]][0], stamp_ns=1),
        JointState(name=names, position=home, velocity=[0.0] * joints),
        plan_to_msg(plan),
        flow_to_msg(flow, stamp_target_ns=2),
        velocity_to_msg(estimate, robot.joint_names, latency_s=0.05),
        JointTrajectory(joint_names=names, points=[JointTrajectoryPoint(positions=home, velocities=[0.0] * joints) for _ in range(3)]),
        Task(task_id=1, prompt='touch the red cube', active=True),
        PlannerStatus(state=3, text='following', task_id=1, plan_id=1, backend='recorded'),
        SafetyStatus(
            state=1,
            text='armed',
            joint_names=names,
            commanded_velocity=[0.0] * joints,
            stream_names=['a'],
            stream_ages=[0.1],
            speed_scale=1.0,
        ),
        NodeAlive(node='flow_node', text='ready', state=3),
        String(data='touch the green cube'),
        Bool(data=True),
        Float64MultiArray(data=home),
    )
    return {type(message): message for message in messages}


class Attack:
    """The running graph, and what is sent into it."""

    def __init__(self, processes: SystemProcesses, session: Session, seed: int) -> None:
        self.processes, self.session = processes, session
        self._rng = np.random.default_rng(seed)
        self._refused: dict[str, int] = {}
        self._received: dict[tuple[str, str], int] = {}
        self._reports: dict[str, int] = {}
        self.commands = 0
        self.rows: list[dict[str, Any]] = []
        node = session.node
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_report, 100)
        node.create_subscription(JointTrajectory, session.robot.driver.command_topic, self._on_command, qos.COMMAND, raw=True)
        for topic in ('view/markers', 'view/dream', 'flow_node/overlay', 'jidm_node/overlay'):
            kind = message_class('visualization_msgs/msg/MarkerArray' if topic.endswith('markers') else 'sensor_msgs/msg/Image')
            node.create_subscription(kind, topic, lambda raw: None, qos.SENSOR, raw=True)

    def _on_report(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(PREFIX):
                node = status.name.removeprefix(PREFIX)
                self._reports[node] = self._reports.get(node, 0) + 1
                for entry in status.values:
                    if entry.key.startswith('in ') and (found := re.search(r'(\d+) in all', entry.value)):
                        self._received[node, entry.key[3:]] = int(found[1])
                self._refused[node] = next((int(entry.value) for entry in status.values if entry.key == 'refused messages'), 0)

    def _on_command(self, raw: bytes) -> None:
        self.commands += 1

    def arm(self) -> None:
        """Be armed, whatever the messages before have led to."""
        self.session.wait_for(lambda: self.session.safety is not None, timeout_s=5.0, what='a safety_status')
        deadline = time.monotonic() + 20.0
        while self.session.safety.state != SafetyStatus.ARMED:
            for service in ('reset', 'arm'):
                with contextlib.suppress(SessionError):
                    self.session.trigger(service)
            time.sleep(0.2)
            if time.monotonic() > deadline:
                raise SessionError(f'not armed: {self.session.last_words()}')

    def subscribers(self) -> dict[str, tuple[str, list[str]]]:
        """Return the type of every topic that a node of ours subscribes to, and those nodes."""
        node, found = self.session.node, {}
        for topic, kinds in sorted(node.get_topic_names_and_types()):
            names = sorted({info.node_name for info in node.get_subscriptions_info_by_topic(topic)} - set(OWN))
            if names and not PLUMBING.search(topic):
                found[topic] = (kinds[0], names)
        return found

    def send(self, topic: str, good: Any, listeners: list[str], count: int, rate_hz: float, *, state: str) -> None:
        """Send malformed messages and write down what came of it."""
        # Graph traffic of the guest's own thread goes on meanwhile; a reliable, kept profile matches every subscriber there is.
        profile = qos.ALIVE_BEACON if '/alive/' in topic else QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        if '/alive/' not in topic:
            profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
        before, heard, commands, fastest = dict(self._refused), dict(self._received), self.commands, 0.0
        publisher = self.session.node.create_publisher(type(good), topic, profile)
        time.sleep(0.3)
        begin = time.monotonic()
        for number in range(count):
            if hasattr(good, 'header'):
                good.header.stamp = self.session.node.get_clock().now().to_msg()
            with contextlib.suppress(RCLError):  # bytes that DDS itself does not take
                publisher.publish(malform(good, self._rng))
            ahead_s = number / rate_hz - (time.monotonic() - begin)
            if ahead_s > 0.002:
                time.sleep(ahead_s)
            if number % 50 == 0:
                fastest = max(fastest, float(self.session.scene.arm_speed))
        took_s = time.monotonic() - begin
        reports = dict(self._reports)
        time.sleep(1.3)
        fastest = max(fastest, float(self.session.scene.arm_speed))
        self.session.node.destroy_publisher(publisher)
        deaths = self.processes.new_deaths()
        for name in listeners:
            is_dead = any(death.node == name for death in deaths)
            is_silent = self._reports.get(name, 0) == reports.get(name, 0)
            row = {
                'state': state,
                'topic': topic,
                'node': name,
                'sent': count,
                'received': self._received.get((name, topic), 0) - heard.get((name, topic), 0),
                'refused': self._refused.get(name, 0) - before.get(name, 0),
                'crashed': is_dead,
                'silent': is_silent and name in reports,
                'fastest_rad_s': round(fastest, 4),
                'commands': self.commands - commands,
                'seconds': round(took_s, 1),
            }
            self.rows.append(row)
            print(
                f'{state:8} {topic:34} {name:18} {count:6} {row["received"]:6} {row["refused"]:6} {row["crashed"]!s:5} {row["silent"]!s:5} '
                f'{fastest:7.4f} {row["commands"]:5} {took_s:5.1f}',
                flush=True,
            )
        for death in deaths:
            print(death.text, flush=True)
            print(*self.processes.output(death.node), sep='\n', flush=True)
            self.processes.restart(death.node)
        if deaths:
            self.session.wait_active(self.processes.system.node_names, timeout_s=60.0)


def main() -> int:
    """Send everything, print a line per subscriber and state, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--messages', type=int, default=10_000, help='per topic; half of them disarmed, half armed')
    parser.add_argument('--rate', type=float, default=1500.0, help='messages a second')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', default='', help='regular expression of topics')
    parser.add_argument('--part', choices=('walk', 'beside'), default='walk')
    parser.add_argument('--json', type=Path)
    parser.add_argument('--log', type=Path, help='file for what the nodes print')
    options = parser.parse_args()
    isolate()
    robot, system, urls = load_embodiment('panda'), fuzzed_system(options.part), []

    def look(node: str, line: str) -> None:
        if found := re.search(r'operator page: http(\S+)/\?(\S+)', line):
            urls.append(f'ws{found[1]}/live?{found[2]}')

    with (
        ExpertClips('recorded') as clips,
        running_system(system, record=topics_for_figures(robot), log_file=options.log, on_line=look) as (processes, session),
        contextlib.ExitStack() as pages,
    ):
        attack, good, after = Attack(processes, session, options.seed), templates(robot), 'not asked'
        if options.part == 'walk':
            session.reset_scene(2**33)
            session.wait_for(lambda: bool(urls), timeout_s=60.0, what='the page')
            pages.enter_context(connect(urls[0], ping_interval=None))  # while somebody looks, operator_node listens to everything
        else:
            session.wait_active(system.node_names, timeout_s=60.0)
        time.sleep(2.0)
        kinds = {topic: value for topic, value in attack.subscribers().items() if re.search(options.only, topic)}
        order = sorted(kinds, key=lambda topic: topic == robot.driver.command_topic)
        for state in ('DISARMED', 'ARMED') if options.part == 'walk' else ('ACTIVE',):
            for topic in order:
                if state == 'ARMED':
                    attack.arm()
                count = options.messages // (2 if options.part == 'walk' else 1)
                kind = message_class(kinds[topic][0])
                attack.send(topic, good.get(kind) or kind(), kinds[topic][1], count, options.rate, state=state)
        if options.part == 'walk':
            episode = Episode(seed=2**33 + 1, target='red_cube', prompt='touch the red cube', held_out=False)
            after = run_task(session, episode, prepare=clips.prepare).outcome
            print(f'a task afterwards: {after}', flush=True)
    report = {'rows': attack.rows, 'task_afterwards': after, 'subscribers': sum(len(names) for _, names in kinds.values())}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + '\n', encoding='utf-8')
    bad = [row for row in attack.rows if row['crashed'] or row['silent'] or row['fastest_rad_s'] > STILL_RAD_S]
    print(f'{report["subscribers"]} subscribers, {len(bad)} with a crash, silence or motion')
    return bool(bad) or after not in ('succeeded', 'not asked')


if __name__ == '__main__':
    sys.exit(main())
