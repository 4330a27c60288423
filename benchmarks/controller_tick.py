# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What do limits, distances and the last look cost, from a joint velocity estimate to the command? No ROS and no simulator; 20 s on one core.

    python benchmarks/controller_tick.py --json tick.json

An arm that follows smooth random estimates (15 per second, joint states at 50) in the real controller: the time from handing over an
estimate to having the trajectory, wall clock, one thread (OMP_NUM_THREADS=1). `without` is the same robot without its description, so
without distances and speed in space.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from vera_control.controller import Controller
from vera_control.params import ControllerParams
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.types import JointVelocity, RobotState

BAR_MS = 2.0
TICK_NS = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Times of one robot, ms."""

    robot: str
    p50: float
    p99: float
    without_p50: float
    held_share: float
    """Share of ticks in which the arm was held because of a distance."""


def run(robot: Embodiment, ticks: int) -> tuple[np.ndarray, float]:
    """Return the times from estimate to command of every tick that made one, ms, and the share of ticks held as too close."""
    controller = Controller(robot, ControllerParams(robot=robot.name, require_task=False, required_nodes=()))
    rng = np.random.default_rng(5)
    count, now_ns, times, held = len(robot.joints), 5_000_000_000, [], 0
    frequency, phase = rng.uniform(0.1, 0.5, (2, count)), rng.uniform(0, 6.28, count)
    still = np.zeros(count)
    for tick in range(ticks):
        reference = controller.reference.at(now_ns) if controller.reference.is_anchored else None
        position = robot.home if reference is None else reference.position
        controller.on_state(
            RobotState(stamp_ns=now_ns, position=position, velocity=still if reference is None else reference.velocity), now_ns
        )
        if tick == 5 and (refusal := controller.arm(now_ns)) is not None:
            raise SystemExit(refusal.text)
        # A pull towards home, so that the arm does not wander off to its limits.
        wave = 0.4 * np.sin(2 * np.pi * frequency[0] * now_ns * 1e-9 + phase) + 0.8 * (robot.home - position)
        began = time.perf_counter()
        if tick > 5 and tick % 3 == 0:
            controller.on_estimate(_estimate(wave, now_ns - 80_000_000), now_ns)
        made = controller.tick(now_ns)
        if made is not None and tick % 3 == 0:
            times.append((time.perf_counter() - began) * 1e3)
        held += controller.safety.reason.name == 'TOO_CLOSE'
        now_ns += TICK_NS
    return np.array(times), held / ticks


def _estimate(velocity: np.ndarray, stamp_ns: int) -> JointVelocity:
    count = len(velocity)
    return JointVelocity(
        stamp_ns=stamp_ns, plan_id=1, task_id=1, step=2, dt_s=0.35, delta_q=velocity * 0.35, std=np.full(count, 0.01), observability=np.ones(count),
        residual_ratio=0.3, residual_px=0.5, condition=10.0, remaining_px=20.0, at_plan_end=False,
    )  # fmt: skip


def main() -> int:
    """Measure; 1 when a robot is over the bar."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--ticks', type=int, default=1500)
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    rows = []
    for name in ('panda', 'fr3', 'allegro'):
        robot = load_embodiment(name)
        times, held = run(robot, arguments.ticks)
        without, _ = run(replace(robot, description=None), arguments.ticks)
        p50, p99 = np.percentile(times, [50, 99])
        rows.append(Row(robot=name, p50=float(p50), p99=float(p99), without_p50=float(np.median(without)), held_share=held))
    table = Table(title=f'estimate to command, ms (bar: p50 {BAR_MS})')
    for column in ('robot', 'p50', 'p99', 'without p50', 'held'):
        table.add_column(column, justify='left' if column == 'robot' else 'right')
    for row in rows:
        table.add_row(row.robot, f'{row.p50:.2f}', f'{row.p99:.2f}', f'{row.without_p50:.2f}', f'{row.held_share:.0%}')
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding='utf-8')
    return int(any(row.p50 > BAR_MS for row in rows))


if __name__ == '__main__':
    raise SystemExit(main())
