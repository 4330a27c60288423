# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""When to dream again."""

from __future__ import annotations

from dataclasses import dataclass

from vera_core.types import VideoPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplanSchedule:
    """Plans are renewed while the present one is being followed."""

    period_s: float = 2.0
    """Real time between the pictures two plans start from, s."""

    def is_due(self, *, newest_ns: int, task_id: int, plan: VideoPlan | None, plans_once: bool) -> bool:
        """Whether a plan from pictures of `newest_ns` is wanted.

        Args:
            newest_ns: Stamp of the newest pictures, ns.
            task_id: Task in force.
            plan: Newest plan made, of any task; None before the first.
            plans_once: The planner's first plan of a task holds the whole of it.
        """
        if plan is None or plan.task_id != task_id:
            return True
        # A clock that jumped back makes the plan's age meaningless; then a fresh one is due as well.
        age_s = (newest_ns - plan.stamp_ns) * 1e-9
        return not plans_once and (age_s >= self.period_s or age_s < 0)
