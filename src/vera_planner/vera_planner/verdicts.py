# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What was said about the plans of a task: which one is followed, which wait for a word, how many in a row were refused. No clock, no ROS."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_core.types import VideoPlan

KEPT = 32


@dataclass(slots=True, eq=False)
class Verdicts:
    """Of one task at a time."""

    max_tries: int = 3
    refused: int = 0
    """Choices in a row of which no plan was accepted."""
    is_asked_again: bool = False
    """Whether a plan is due because the one before was refused."""
    _waiting: dict[int, VideoPlan] = field(default_factory=dict)
    _followed: VideoPlan | None = None

    def begin(self) -> None:
        """Forget the task before."""
        self.refused, self.is_asked_again, self._followed = 0, False, None
        self._waiting.clear()

    def await_plan(self, plan: VideoPlan) -> None:
        """Remember a plan that has been sent out."""
        self._waiting[plan.plan_id] = plan
        while len(self._waiting) > KEPT:
            del self._waiting[next(iter(self._waiting))]

    def take(self, plan_id: int, *, is_accepted: bool) -> bool:
        """Take in a verdict; return whether it leaves a choice without any plan, or takes the plan that was followed away."""
        plan = self._waiting.pop(plan_id, None)
        if is_accepted and plan is not None:
            self.refused, self.is_asked_again, self._followed = 0, False, plan
            # The other candidates, and what was dreamt before, are of no interest any more.
            next_choice = plan_id - plan.candidate + plan.candidates
            self._waiting = {number: other for number, other in self._waiting.items() if number >= next_choice}
            return False
        if is_accepted:
            return False
        if plan is None:
            if self._followed is None or self._followed.plan_id != plan_id:
                return False
            self._followed = None
        elif plan.candidates > 1 and not self._is_last_of_choice(plan):
            return False
        self.refused += 1
        return True

    def in_force(self, now_ns: int) -> VideoPlan | None:
        """Return the plan that is followed, while it lasts."""
        plan = self._followed
        if plan is None or (now_ns - plan.stamp_ns) * 1e-9 > plan.duration_s:
            return None
        return plan

    def _is_last_of_choice(self, plan: VideoPlan) -> bool:
        """Whether no other candidate of the same choice waits for its verdict."""
        first = plan.plan_id - plan.candidate
        return not any(first <= number < first + plan.candidates for number in self._waiting)
