# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What many followed motions add up to: errors at the end, whether the joints came nearer all the way, broken limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from vera_bringup.closed_loop import Followed
from vera_bringup.closed_loop_motion import Motion
from vera_bringup.statistics import wilson_interval
from vera_core.shapes import FloatArray
from vera_sim.world import World

RISE_RAD = 0.05
"""Joint error counts as falling when it ends lower than it began and never rises by more than this above its lowest value so far, rad."""

SUCCESS_MM, SUCCESS_RAD = 10.0, 0.1
"""A motion counts as followed when it ends this near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRow:
    """One motion, followed."""

    seed: int
    outcome: str
    """How the task ended: the name of its code."""
    start_rad: float
    """Distance from start to goal, norm over the joints, rad."""
    joint_error_rad: float
    """The same at the end, rad."""
    joint_errors_rad: tuple[float, ...]
    """At the end, of each joint with its sign, rad."""
    tip_errors_mm: tuple[float, ...]
    """At the end, of each end of the robot, mm."""
    rise_rad: float
    """Largest rise of the joint error above its lowest value so far, rad."""
    time_s: float
    plan_s: float
    """Length of the video, s."""
    violations: int
    refusals: int
    """Sets of pictures without an estimate."""
    trace_rad: tuple[float, ...]
    """Joint error at every set of pictures, rad."""

    @property
    def tip_error_mm(self) -> float:
        """Median over the ends of the robot, mm."""
        return float(np.median(self.tip_errors_mm))

    @property
    def success(self) -> bool:
        """Whether the robot ended where the video did."""
        return self.tip_error_mm <= SUCCESS_MM and self.joint_error_rad <= SUCCESS_RAD

    @property
    def falls(self) -> bool:
        """Whether the joint error fell all the way."""
        return self.joint_error_rad < self.start_rad and self.rise_rad <= RISE_RAD


def measure(world: World, motion: Motion, followed: Followed) -> LoopRow:
    """Compare where a robot ended with where the motion ended; the arm of `world` is moved."""
    goal = motion.path[-1]
    error = np.linalg.norm(followed.position - goal, axis=1)
    return LoopRow(
        seed=motion.plan.seed,
        outcome=followed.outcome.code.name,
        start_rad=float(np.linalg.norm(motion.path[0] - goal)),
        joint_error_rad=float(error[-1]),
        joint_errors_rad=tuple(np.round(followed.position[-1] - goal, 5).tolist()),
        tip_errors_mm=tuple(np.round(1e3 * np.linalg.norm(_tips(world, followed.position[-1]) - _tips(world, goal), axis=1), 3).tolist()),
        rise_rad=float(np.max(error - np.minimum.accumulate(error))),
        time_s=followed.outcome.elapsed_s,
        plan_s=motion.plan.duration_s,
        violations=followed.violations,
        refusals=sum(followed.refusals.values()),
        trace_rad=tuple(np.round(error, 5).tolist()),
    )


def _tips(world: World, position: FloatArray) -> FloatArray:
    world.set_joints(position)
    return world.fingertips


def summarise(rows: Sequence[LoopRow]) -> dict[str, Any]:
    """Return medians, worst cases and shares over all rows."""
    successes = sum(row.success for row in rows)
    tips, joints = [row.tip_error_mm for row in rows], [row.joint_error_rad for row in rows]
    return {
        'episodes': len(rows),
        'successes': successes,
        'success_rate': successes / len(rows),
        'wilson_95': list(wilson_interval(successes, len(rows))),
        'median_tip_error_mm': float(np.median(tips)),
        'worst_tip_error_mm': max(max(row.tip_errors_mm) for row in rows),
        'median_joint_error_rad': float(np.median(joints)),
        'worst_joint_error_rad': float(np.max(joints)),
        'joint_error_rms_rad': np.sqrt(np.mean(np.square([row.joint_errors_rad for row in rows]), axis=0)).round(5).tolist(),
        'share_falling': float(np.mean([row.falls for row in rows])),
        'worst_rise_rad': float(np.max([row.rise_rad for row in rows])),
        'share_done': float(np.mean([row.outcome == 'SUCCEEDED' for row in rows])),
        'median_time_s': float(np.median([row.time_s for row in rows])),
        'violations': sum(row.violations for row in rows),
        'refusals': sum(row.refusals for row in rows),
    }


def rows_table(rows: Sequence[LoopRow]) -> Table:
    """Return one line per motion."""
    table = Table('seed', 'start rad', 'joints rad', 'tip mm', 'rise rad', 'falls', 'time s', 'video s', 'ended', 'violations')
    for row in rows:
        table.add_row(
            str(row.seed),
            f'{row.start_rad:.2f}',
            f'{row.joint_error_rad:.3f}',
            f'{row.tip_error_mm:.1f}',
            f'{row.rise_rad:.3f}',
            'yes' if row.falls else 'no',
            f'{row.time_s:.1f}',
            f'{row.plan_s:.1f}',
            row.outcome.lower(),
            str(row.violations),
        )
    return table


def summary_table(title: str, summary: dict[str, Any]) -> Table:
    """Return the figures over all motions."""
    table = Table('what', 'median', 'worst', title=title)
    low, high = summary['wilson_95']
    table.add_row(
        f'success ({SUCCESS_MM:g} mm and {SUCCESS_RAD:g} rad)',
        f'{summary["successes"]} of {summary["episodes"]}',
        f'95 %: {100 * low:.0f} to {100 * high:.0f} %',
    )
    table.add_row('end of the robot, mm', f'{summary["median_tip_error_mm"]:.1f}', f'{summary["worst_tip_error_mm"]:.1f}')
    table.add_row('joints, rad', f'{summary["median_joint_error_rad"]:.3f}', f'{summary["worst_joint_error_rad"]:.3f}')
    table.add_row('time, s', f'{summary["median_time_s"]:.1f}', '')
    table.add_row('joint error falls', f'{100 * summary["share_falling"]:.0f} %', f'rises by {summary["worst_rise_rad"]:.3f} rad')
    table.add_row('done by itself', f'{100 * summary["share_done"]:.0f} %', '')
    table.add_row('limit violations', str(summary['violations']), '')
    return table
