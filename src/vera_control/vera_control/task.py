# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A task and the words about it: what the executive keeps, hears and reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from vera_control.safety import Reason, SafetyState
from vera_core.types import JointVelocity

Phase = Literal['homing', 'planning', 'following', 'holding', 'settling']


class TaskCode(IntEnum):
    """Result codes of ExecuteTask.action."""

    SUCCEEDED = 0
    REJECTED = 1
    CANCELED = 2
    TIMED_OUT = 3
    STOPPED = 4
    PLANNER_FAILED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """How a task ended."""

    code: TaskCode
    text: str
    task_id: int
    plans: int
    elapsed_s: float
    moving_s: float
    replans: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyReport:
    """What the executive needs of SafetyStatus."""

    state: SafetyState
    reason: Reason
    text: str
    lost_nodes: tuple[str, ...]
    speed_rms: float
    """Commanded speed, root mean square over the joints, rad/s."""
    start_obstacle: str = ''
    """Why no task could begin although the arm is armed; empty when one could."""


@dataclass(slots=True)
class Task:
    """The task in force."""

    task_id: int
    prompt: str
    max_duration_s: float
    start_ns: int
    plans: set[int] = field(default_factory=set)
    moving_s: float = 0.0
    estimate: JointVelocity | None = None
    estimate_ns: int = 0
    settled_since_ns: int | None = None
    phase: Phase = 'planning'
    is_dry: bool = False
    """Commands of this task never reach the driver."""
    is_homing: bool = False
    """The arm is on its way home, and the task proper has not begun."""
    replans: int = 0
    """Times the planner was asked for another plan because the pictures did not show the motion."""
    held_since_ns: int | None = None
    """Since when the controller has held the arm for that reason."""
    furthest_px: float = 0.0
    """Largest motion ever missing under the plan in force, px."""
    plan_id: int = 0

    @property
    def progress(self) -> float:
        """Share of the motion of the plan in force that is behind, 0..1."""
        if self.estimate is None or self.furthest_px <= 0.0:
            return 0.0
        return min(max(1.0 - self.estimate.remaining_px / self.furthest_px, 0.0), 1.0)

    def take(self, estimate: JointVelocity, now_ns: int) -> None:
        """Remember the newest estimate of this task."""
        self.plans.add(estimate.plan_id)
        if estimate.plan_id != self.plan_id:
            self.plan_id, self.furthest_px = estimate.plan_id, 0.0
        self.furthest_px = max(self.furthest_px, estimate.remaining_px)
        self.estimate, self.estimate_ns = estimate, now_ns
