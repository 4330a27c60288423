# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How long from a camera picture to the joint velocity it leads to, and where does the time go? flow_node and jidm_node as real processes.

    MUJOCO_GL=egl python benchmarks/loop_latency.py --seconds 40 --json loop_latency.json

A simulated Panda is filmed beforehand by two cameras of 256 px; then this process publishes pictures, joint states (100 Hz) and plans (the same
motion, ahead of the pictures) over DDS and takes the time until the JointVelocityEstimate with the stamp of a picture comes back. First at the
rate of the bar, then with pictures twice as often, which tells what is sustained. The first estimate of each plan is counted apart: it waits
until the plan is decoded and looked through. Two minutes; nothing else should run (the load average is in the report).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.node import Node
from rich.console import Console
from rich.table import Table
from sensor_msgs.msg import Image, JointState

from vera_core.embodiment import load_embodiment
from vera_core.imaging import to_working_size
from vera_core.ros.alive import AliveWatch
from vera_core.ros.lean_executor import LeanExecutor
from vera_core.ros.messages import from_ns, image_from_rgb, plan_to_msg, to_ns
from vera_core.ros.qos import PLAN, SENSOR, STREAM
from vera_core.types import VideoPlan
from vera_msgs.msg import JointVelocityEstimate
from vera_msgs.msg import VideoPlan as VideoPlanMsg

ROBOT = load_embodiment('panda')
NODES = ('flow_node', 'jidm_node')
BARS = {'p50_ms': 35.0, 'p99_ms': 70.0, 'sustained_hz': 15.0}
PLAN_DT_S, PLAN_STEPS, HOLD_S = 0.2, 20, 1.0
LAG_S = 0.15
"""The arm of the pictures is this far behind the plan."""
MOTION_RAD = np.array([0.5, 0.2, -0.3, 0.3, 0.3, -0.2, 0.4])


@dataclass(slots=True)
class Film:
    """One motion there and back as pictures of every view, at `fps`."""

    fps: float
    pictures: dict[str, list[Image]] = field(default_factory=dict)
    position: list[np.ndarray] = field(default_factory=list)
    plans: list[VideoPlan] = field(default_factory=list)

    def index(self, since_plan_s: float, *, backward: bool) -> int:
        """Return which picture is due."""
        index = int(np.clip((since_plan_s - LAG_S) * self.fps, 0, len(self.position) - 1))
        return len(self.position) - 1 - index if backward else index


def make_film(fps: float) -> Film:
    """Film the motion; needs the simulator."""
    from vera_sim.world import World

    film, world = Film(fps), World(ROBOT)
    duration_s = PLAN_DT_S * PLAN_STEPS
    for view in ROBOT.view_names:
        film.pictures[view] = []
    for time_s in np.arange(0, duration_s + 1e-9, 1 / fps):
        film.position.append(position_at(time_s / duration_s))
        world.set_joints(film.position[-1])
        for view in ROBOT.view_names:
            film.pictures[view].append(image_from_rgb(world.render(view), stamp_ns=1, frame_id=view))
    frames: dict[str, list[np.ndarray]] = {view: [] for view in ROBOT.view_names}
    for share in np.linspace(0, 1, PLAN_STEPS + 1):
        world.set_joints(position_at(share))
        for view in ROBOT.view_names:
            frames[view].append(to_working_size(world.render(view), ROBOT.working_size))
    world.close()
    for step in (1, -1):
        views = {view: np.stack(pictures[::step]) for view, pictures in frames.items()}
        film.plans.append(VideoPlan(plan_id=1, task_id=1, prompt='there and back', stamp_ns=1, step_dt_s=PLAN_DT_S, frames=views))
    return film


def position_at(share: float) -> np.ndarray:
    """Return the joints at a share of the motion, at rest at both ends, shape (7,), rad."""
    smooth = 10 * share**3 - 15 * share**4 + 6 * share**5
    return np.asarray(ROBOT.home + MOTION_RAD * smooth)


class Feeder(Node):
    """Cameras, robot driver, planner and controller in one."""

    def __init__(self, film: Film, picture_hz: float) -> None:
        super().__init__('feeder', namespace='vera')
        self._film = film
        self._plan_ns, self._plan_count = 0, 0
        self.sent: dict[int, int] = {}
        """Stamp of pictures to the plan in force."""
        self.received: list[tuple[int, int, int]] = []
        """Stamp of the pictures, plan followed, when it arrived."""
        self.watch = AliveWatch(self, NODES)
        self._cameras = {view.name: self.create_publisher(Image, view.image_topic, SENSOR) for view in ROBOT.views}
        self._joints = self.create_publisher(JointState, ROBOT.driver.joint_states_topic, SENSOR)
        self._plans = self.create_publisher(VideoPlanMsg, 'plan', PLAN)
        self.create_subscription(JointVelocityEstimate, 'joint_velocity', self._on_velocity, STREAM)
        self.create_timer(0.01, self._send_joints)
        self._camera_timer = self.create_timer(1 / picture_hz, self._send_pictures)
        self._messages = [plan_to_msg(plan) for plan in film.plans]

    def now_ns(self) -> int:
        """Time of the node's clock, ns."""
        return int(self.get_clock().now().nanoseconds)

    def _index(self, now_ns: int) -> int:
        return self._film.index((now_ns - self._plan_ns) * 1e-9, backward=self._plan_count % 2 == 0)

    def _send_pictures(self) -> None:
        now_ns = self.now_ns()
        if (now_ns - self._plan_ns) * 1e-9 > PLAN_DT_S * PLAN_STEPS + LAG_S + HOLD_S and self.watch.is_alive('jidm_node'):
            self._send_plan(now_ns)
        index, stamp = self._index(now_ns), from_ns(now_ns)
        self.sent[now_ns] = self._plan_count
        for view, camera in self._cameras.items():
            picture = self._film.pictures[view][index]
            picture.header.stamp = stamp
            camera.publish(picture)

    def _send_plan(self, now_ns: int) -> None:
        message = self._messages[self._plan_count % 2]
        self._plan_count += 1
        self._plan_ns = now_ns
        message.plan_id = self._plan_count
        message.header.stamp = from_ns(now_ns)
        self._plans.publish(message)

    def _send_joints(self) -> None:
        now_ns = self.now_ns()
        position = self._film.position[self._index(now_ns)]
        message = JointState(name=list(ROBOT.joint_names), position=position.tolist(), velocity=[0.0] * len(position))
        message.header.stamp = from_ns(now_ns)
        self._joints.publish(message)

    def _on_velocity(self, message: JointVelocityEstimate) -> None:
        self.received.append((to_ns(message.header.stamp), int(message.plan_id), self.now_ns()))


def measure(film: Film, picture_hz: float, seconds: float, folder: Path) -> tuple[Feeder, list[dict[str, Any]]]:
    """Run both nodes for a while; returns what was sent and received and the stage times of every estimate."""
    rclpy.init()
    feeder, executor = Feeder(film, picture_hz), LeanExecutor()
    executor.add_node(feeder)
    logs = {node: folder / f'{node}-{picture_hz:g}.json' for node in NODES}
    children = [subprocess.Popen([sys.executable, __file__, '--node', node, '--log', str(log)]) for node, log in logs.items()]
    try:
        end = None
        while end is None or time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)
            if end is None and feeder.received:
                end = time.monotonic() + seconds
            if any(child.poll() is not None for child in children):
                raise SystemExit('a node ended early; its words are above')
    finally:
        for child in children:
            child.send_signal(signal.SIGINT)
        for child in children:
            child.wait(timeout=20)
        executor.shutdown()
        feeder.destroy_node()
        rclpy.try_shutdown()
    events: dict[int, dict[str, Any]] = {}
    for log in logs.values():
        for entry in json.loads(log.read_text()):
            events.setdefault(entry['stamp'], {}).update(entry)
    stages = []
    for stamp, _plan, arrived in feeder.received:
        entry = events.get(stamp, {})
        if {'flow_begin', 'flow_end', 'jidm_begin', 'jidm_end'} <= set(entry):
            stages.append({**entry, 'arrived': arrived})
    return feeder, stages


def shares(stages: list[dict[str, Any]]) -> dict[str, float]:
    """Return the median of every stage on the way of a picture, ms; together about the whole."""

    def median(values: list[float]) -> float:
        return float(np.median(values)) * 1e-6 if values else 0.0

    def of(name: str) -> float:
        return median([entry.get(name, 0.0) for entry in stages])

    return {
        'pictures to flow_node': median([entry['flow_begin'] - entry['stamp'] for entry in stages]),
        'flow_node: convert': of('flow_convert'),
        'flow_node: flow': of('flow_estimate'),
        'flow_node: follow, pack, send': median(
            [entry['flow_end'] - entry['flow_begin'] - entry.get('flow_convert', 0) - entry.get('flow_estimate', 0) for entry in stages]
        ),
        'flow to jidm_node': median([entry['jidm_begin'] - entry['flow_end'] for entry in stages]),
        'jidm_node: convert': of('jidm_convert'),
        'jidm_node: wait for the field': of('jidm_field_wait'),
        'jidm_node: solve': of('jidm_solve'),
        'jidm_node: rest, send': median(
            [
                entry['jidm_end'] - entry['jidm_begin'] - sum(entry.get(f'jidm_{part}', 0) for part in ('convert', 'field_wait', 'solve'))
                for entry in stages
            ]
        ),
        'estimate to the controller': median([entry['arrived'] - entry['jidm_end'] for entry in stages]),
    }


def report_of(feeder: Feeder, stages: list[dict[str, Any]], picture_hz: float) -> dict[str, Any]:
    """Return the figures of one run."""
    first, latency, takeover = set(), [], []
    for stamp, plan, arrived in feeder.received:
        (latency if plan in first else takeover).append((arrived - stamp) * 1e-6)
        first.add(plan)
    span_s = (feeder.received[-1][2] - feeder.received[0][2]) * 1e-9
    return {
        'picture_hz': picture_hz,
        'estimates': len(latency),
        'pictures': len(feeder.sent),
        'p50_ms': float(np.percentile(latency, 50)),
        'p90_ms': float(np.percentile(latency, 90)),
        'p99_ms': float(np.percentile(latency, 99)),
        'worst_ms': float(np.max(latency)),
        'first_of_plan_ms': float(np.median(takeover)),
        'hz': (len(feeder.received) - 1) / span_s,
        'stages_ms': shares(stages),
    }


def run_node(name: str, log: Path) -> int:
    """Run one of the two nodes in this process with stopwatches around its stages; they go to `log` at the end."""
    from loop_latency_probe import instrument

    main, entries = instrument(name)
    code = main()
    log.write_text(json.dumps(entries))
    return code


def print_report(report: dict[str, Any]) -> None:
    """Print what was measured."""
    console = Console()
    table = Table(title=f'Picture in, joint velocity out; load average {report["load_average"]:.1f} on {report["cores"]} cores, ms')
    for title in ('pictures / s', 'estimates', 'p50', 'p90', 'p99', 'worst', 'first of a plan', 'estimates / s'):
        table.add_column(title, justify='right')
    for run in report['runs']:
        figures = [run[key] for key in ('p50_ms', 'p90_ms', 'p99_ms', 'worst_ms', 'first_of_plan_ms')]
        table.add_row(f'{run["picture_hz"]:g}', f'{run["estimates"]}', *(f'{value:.1f}' for value in figures), f'{run["hz"]:.1f}')
    console.print(table)
    stages = Table(title='Where the time goes (medians, ms)')
    stages.add_column('stage')
    for run in report['runs']:
        stages.add_column(f'{run["picture_hz"]:g} pictures / s', justify='right')
    for stage in report['runs'][0]['stages_ms']:
        stages.add_row(stage, *(f'{run["stages_ms"][stage]:.1f}' for run in report['runs']))
    console.print(stages)
    for name, value in report['against_bars'].items():
        bar = BARS[name]
        met = value >= bar if name.endswith('hz') else value <= bar
        console.print(f'{name}: {value:.1f}, bar {bar:g}: {"met" if met else "NOT met"}')


def main() -> int:
    """Run the benchmark, or one node of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=40.0, help='length of each of the two runs')
    parser.add_argument('--json', type=Path, help='file to write the numbers to')
    parser.add_argument('--node', choices=NODES, help=argparse.SUPPRESS)
    parser.add_argument('--log', type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.node:
        return run_node(arguments.node, arguments.log)
    rate_hz = BARS['sustained_hz']
    film, load, runs = make_film(2 * rate_hz), os.getloadavg()[0], []
    os.environ.setdefault('ROS_DOMAIN_ID', str(os.getpid() % 100 + 1))
    with tempfile.TemporaryDirectory() as folder:
        for picture_hz in (rate_hz, 2 * rate_hz):
            runs.append(report_of(*measure(film, picture_hz, arguments.seconds, Path(folder)), picture_hz))
    against_bars = {'p50_ms': runs[0]['p50_ms'], 'p99_ms': runs[0]['p99_ms'], 'sustained_hz': runs[1]['hz']}
    report = {'load_average': load, 'cores': os.cpu_count(), 'against_bars': against_bars, 'bars': BARS, 'runs': runs}
    print_report(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
