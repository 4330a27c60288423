# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What happens to the motion when one dream takes over from the one before? Reaches through the running nodes of the simulator.

    python benchmarks/splice.py --episodes 3 --json splice.json

Jump: change of the wanted joint velocity from one estimate to the next, norm over all joints, rad/s; between estimates of one plan, and from
the last of a plan to the first of the next one. Gap: time between those two estimates. Command: change of commanded velocity between two
neighbouring points that were sent, per second, over the acceleration limit (at most 1 where the shaper keeps its limits).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rclpy.duration import Duration
from rich.console import Console
from rich.table import Table

from vera_bringup.faults.rig import Rig, running_rig
from vera_bringup.system import load_system
from vera_bringup.task_run import Episode
from vera_core.ros import qos
from vera_core.ros.messages import to_ns
from vera_core.shapes import FloatArray
from vera_msgs.msg import PlannerStatus, PlanVerdict

SEEDS = 2**35
TARGETS = ('red_cube', 'green_cube', 'blue_cube', 'yellow_cube')


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One episode."""

    seed: int
    success: bool
    outcome: str
    plans: int
    text: str
    refused: int
    reasons: tuple[str, ...]
    """Why plans were refused."""
    check_ms: tuple[float, ...]
    """Wall time of each look at a plan."""
    within_jumps: tuple[float, ...]
    splice_jumps: tuple[float, ...]
    splice_speeds: tuple[tuple[float, float], ...]
    """Norm of the wanted joint velocity before and after, rad/s."""
    within_gaps_s: tuple[float, ...]
    splice_gaps_s: tuple[float, ...]
    latencies_ms: tuple[float, ...]
    """From the pictures to the estimate."""
    splice_latencies_ms: tuple[float, ...]
    """Of the first estimate of a plan that took over."""
    largest_acceleration: float
    """Over the limit of the joint."""


def run_episode(rig: Rig, seed: int, *, max_duration_s: float) -> Row:
    """Carry out one reach and look at what was sent."""
    target = TARGETS[seed % len(TARGETS)]
    prompt = f'touch the {target.replace("_", " ")}'
    episode = Episode(seed=seed, target=target, prompt=prompt, held_out=False)
    session = rig.session
    session.reset_scene(episode.seed, episode.target)
    session.make_ready(timeout_s=60.0)
    session.recorder.start()
    outcome = session.execute(prompt, max_duration_s=max_duration_s)
    success = bool(session.scene.success)
    session.recorder.stop()
    estimates = [entry.message for entry in session.recorder.messages('joint_velocity')]
    verdicts = [entry.message for entry in session.recorder.messages('plan_verdict')]
    velocity = np.array([list(message.velocity) for message in estimates])
    stamps_s = np.array([to_ns(message.header.stamp) for message in estimates]) * 1e-9
    latency_ms = np.array([Duration.from_msg(message.latency).nanoseconds for message in estimates]) * 1e-6
    is_splice = np.diff([message.plan_id for message in estimates]) != 0
    speeds = np.linalg.norm(velocity, axis=1)
    jumps, gaps = np.linalg.norm(np.diff(velocity, axis=0), axis=1), np.diff(stamps_s)
    return Row(
        seed=seed,
        success=success,
        outcome=outcome.outcome,
        text=outcome.text,
        plans=int(is_splice.sum()) + 1,
        refused=sum(not verdict.accepted for verdict in verdicts),
        reasons=tuple(verdict.reason for verdict in verdicts if not verdict.accepted),
        check_ms=_rounded(np.array([to_ns(verdict.elapsed) for verdict in verdicts]) * 1e-6),
        within_jumps=_rounded(jumps[~is_splice]),
        splice_jumps=_rounded(jumps[is_splice]),
        splice_speeds=tuple(zip(_rounded(speeds[:-1][is_splice]), _rounded(speeds[1:][is_splice]), strict=True)),
        within_gaps_s=_rounded(gaps[~is_splice]),
        splice_gaps_s=_rounded(gaps[is_splice]),
        latencies_ms=_rounded(latency_ms),
        splice_latencies_ms=_rounded(latency_ms[1:][is_splice]),
        largest_acceleration=_largest_acceleration(rig),
    )


def _largest_acceleration(rig: Rig) -> float:
    robot, largest = rig.session.robot, 0.0
    limit = robot.limits('acceleration')
    for entry in rig.session.recorder.messages(robot.driver.command_topic):
        order = [list(entry.message.joint_names).index(name) for name in robot.joint_names]
        for point in entry.message.points:
            if len(point.accelerations):
                largest = max(largest, float(np.max(np.abs(np.array(point.accelerations)[order]) / limit)))
    return round(largest, 4)


def _rounded(values: FloatArray) -> tuple[float, ...]:
    return tuple(np.round(values, 4).tolist())


def table_of(rows: Sequence[Row]) -> Table:
    """Return the figures of all episodes together."""
    table = Table('', 'number', 'median', '95 %', 'largest')
    for name, text in (
        ('within_jumps', 'jump within a plan, rad/s'),
        ('splice_jumps', 'jump from plan to plan, rad/s'),
        ('within_gaps_s', 'gap within a plan, s'),
        ('splice_gaps_s', 'gap from plan to plan, s'),
        ('latencies_ms', 'latency of all estimates, ms'),
        ('splice_latencies_ms', 'latency of the first estimate of a plan, ms'),
        ('check_ms', 'look at a plan, ms'),
    ):
        values = np.concatenate([np.array(getattr(row, name)) for row in rows])
        figures = [np.median(values), np.quantile(values, 0.95), values.max()] if len(values) else [np.nan] * 3
        table.add_row(text, str(len(values)), *(f'{value:.3f}' for value in figures))
    return table


def main() -> None:
    """Run the episodes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--episodes', type=int, default=3)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--max-duration', type=float, default=30.0, help='s')
    parser.add_argument('--set', action='append', default=[], metavar='NODE.NAME=true|false|NUMBER', help='parameter of a node')
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    system = load_system('panda_sim', planner='embedded')
    for entry in arguments.set:
        place, value = entry.split('=', 1)
        node, name = place.split('.', 1)
        system = system.with_parameters(node, {name: json.loads(value)})
    record = {'plan_verdict': (PlanVerdict, qos.VERDICT), 'planner_status': (PlannerStatus, qos.STATUS)}
    console, rows = Console(width=120), []
    with running_rig(system, record=record) as rig:
        rig.session.make_ready(timeout_s=90.0)
        for index in range(arguments.episodes):
            row = run_episode(rig, SEEDS + 1000 * arguments.seed + index, max_duration_s=arguments.max_duration)
            rows.append(row)
            console.print(f'{row.seed}: {row.outcome}, touched {row.success}, {row.plans} plans, {row.refused} refused', highlight=False)
            for reason in (*row.reasons, *(() if row.success else (row.text,))):
                console.print(f'    {reason}', highlight=False)
            time.sleep(0.5)
    console.print(table_of(rows))
    console.print(f'largest commanded acceleration over its limit: {max(row.largest_acceleration for row in rows):.3f}', highlight=False)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
