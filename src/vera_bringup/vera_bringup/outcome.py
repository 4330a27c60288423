# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How a task can end and what the controller can be doing, in words."""

from __future__ import annotations

from dataclasses import dataclass

from vera_msgs.action import ExecuteTask, GoHome
from vera_msgs.msg import SafetyStatus

TASK_OUTCOMES = {
    ExecuteTask.Result.SUCCEEDED: 'succeeded',
    ExecuteTask.Result.REJECTED: 'rejected',
    ExecuteTask.Result.CANCELED: 'canceled',
    ExecuteTask.Result.TIMED_OUT: 'timed out',
    ExecuteTask.Result.STOPPED: 'stopped',
    ExecuteTask.Result.PLANNER_FAILED: 'planner failed',
}

HOME_OUTCOMES = {
    GoHome.Result.SUCCEEDED: 'succeeded',
    GoHome.Result.REJECTED: 'rejected',
    GoHome.Result.CANCELED: 'canceled',
    GoHome.Result.TIMED_OUT: 'timed out',
    GoHome.Result.STOPPED: 'stopped',
}

SAFETY_STATES = {
    SafetyStatus.DISARMED: 'disarmed',
    SafetyStatus.ARMED: 'armed',
    SafetyStatus.RUNNING: 'running',
    SafetyStatus.HOLDING: 'holding',
    SafetyStatus.STOPPED_LATCHED: 'stopped',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """How one ExecuteTask goal ended."""

    outcome: str
    """One of TASK_OUTCOMES."""
    text: str
    """Why, in words; empty after a success."""
    task_id: int
    plans: int
    start_s: float
    """When the goal was accepted, s of the ROS clock."""
    end_s: float
    """When the result came, s of the ROS clock."""
    moving_s: float
    """Time in which the arm moved with purpose, by the executive's own count, s."""

    @property
    def elapsed_s(self) -> float:
        """From acceptance to result, s."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeResult:
    """How one GoHome goal ended."""

    outcome: str
    """One of HOME_OUTCOMES."""
    text: str
    """Why, in words."""


def outcome_of(result: ExecuteTask.Result, *, start_s: float, end_s: float) -> TaskOutcome:
    """Return a result of ExecuteTask in words."""
    return TaskOutcome(
        outcome=TASK_OUTCOMES.get(result.error_code, f'code {result.error_code}'),
        text=result.error_msg,
        task_id=result.task_id,
        plans=result.plans,
        start_s=start_s,
        end_s=end_s,
        moving_s=result.moving,
    )
