# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From tasks and pictures to requests: what to dream next, and what to say about it. No clock, no ROS, no network."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from vera_core.errors import PlanningError
from vera_core.types import Frame, VideoPlan
from vera_planner.context import ContextBuffer
from vera_planner.planner import PlanRequest, check_prompt
from vera_planner.schedule import ReplanSchedule
from vera_planner.verdicts import Verdicts


class PlannerState(IntEnum):
    """States of PlannerStatus, same numbers."""

    IDLE = 0
    WAITING = 1
    PLANNING = 2
    FOLLOWING = 3
    REFUSED = 4
    FAILED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTask:
    """The task in force."""

    task_id: int
    prompt: str
    start_ns: int


@dataclass(slots=True, eq=False)
class Dreaming:
    """Decides when a plan is due and remembers how planning went."""

    context: ContextBuffer
    schedule: ReplanSchedule
    step_dt_s: float
    seed: int = 0
    image_timeout_s: float = 1.0
    task_timeout_s: float = 1.0
    candidates: int = 1
    """So many plans are dreamt for each choice."""
    verdicts: Verdicts = field(default_factory=Verdicts)
    """What was said about the plans of the task."""
    state: PlannerState = PlannerState.IDLE
    text: str = 'no task'
    task: PlanTask | None = None
    plan: VideoPlan | None = None
    plans_made: int = 0
    plans_refused: int = 0
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    unavailable: str = 'the planner is being loaded'
    """Why no plan can be made at all; empty when the backend is ready."""
    _heard_ns: int = 0
    _given_up: int = 0
    _last_plan_id: int = 0
    _failed: bool = False
    _replans: int = 0
    _candidate: int = 0

    def on_task(self, task_id: int, prompt: str, now_ns: int, *, is_active: bool, replans: int = 0) -> None:
        """Take in what the executive says, several times a second; when `replans` rises the plan in force is made anew at once."""
        if not is_active:
            if self.task is not None and self.task.task_id == task_id:
                self._end('no task')
            return
        self._heard_ns = now_ns
        if self.task is None or self.task.task_id != task_id:
            self.task = PlanTask(task_id=task_id, prompt=prompt, start_ns=now_ns)
            self.context.forget_before(now_ns)  # whoever gives a sentence may have moved things before: older pictures show another scene
            self._replans, self._candidate = replans, 0
            self.verdicts.begin()
            self.state, self.text = PlannerState.WAITING, 'task accepted'
            if self.unavailable and self._failed:
                self.state, self.text = PlannerState.FAILED, self.unavailable
        elif replans > self._replans:
            self._replans, self.plan, self._candidate = replans, None, 0

    def on_frame(self, frame: Frame) -> None:
        """Remember a picture."""
        self.context.add(frame)

    def next_request(self, now_ns: int, *, plans_once: bool) -> PlanRequest | None:
        """Return what to dream now, or None; `state` and `text` say why nothing is due."""
        task = self.task
        if task is None:
            return None
        if (now_ns - self._heard_ns) * 1e-9 > self.task_timeout_s:
            self._end(f'task {task.task_id} was not repeated for {self.task_timeout_s:g} s; is executive_node gone?')
            return None
        if task.task_id == self._given_up:
            return None
        try:
            check_prompt(task.prompt)
        except PlanningError as error:
            self.on_refused(task.task_id, str(error))
            return None
        missing = self.context.missing
        if missing:
            self._wait(f'no picture of view {", ".join(missing)} yet; is the camera running?')
            return None
        newest_ns = self.context.newest_ns()
        age_s = (now_ns - newest_ns) * 1e-9
        if age_s > self.image_timeout_s:
            self._wait(f'the newest pictures are {age_s:.1f} s old (limit {self.image_timeout_s:g} s); is the camera running?')
            return None
        is_due = self.schedule.is_due(newest_ns=newest_ns, task_id=task.task_id, plan=self.plan, plans_once=plans_once)
        if not (is_due or self._candidate or self.verdicts.is_asked_again):
            return None
        is_sample = bool(self._candidate or self.verdicts.is_asked_again)
        self.verdicts.is_asked_again = False
        self._last_plan_id += 1
        if self.plan is None or self.plan.task_id != task.task_id:
            self.state, self.text = PlannerState.PLANNING, f"dreaming '{task.prompt}'"
        return PlanRequest(
            task_id=task.task_id,
            plan_id=self._last_plan_id,
            prompt=task.prompt,
            context=self.context.context(),
            step_dt_s=self.step_dt_s,
            seed=self.seed + self._last_plan_id - 1,
            is_sample=is_sample,
            task_age_s=0.0 if plans_once else max(0.0, (newest_ns - task.start_ns) * 1e-9),
        )

    def on_plan(self, plan: VideoPlan) -> VideoPlan | None:
        """Take in a finished plan; returns it as one of the candidates it belongs to, None when it is not wanted any more."""
        self.latencies_s.append(plan.inference_s)
        if self.task is None or self.task.task_id != plan.task_id:
            return None
        plan = replace(plan, candidate=self._candidate, candidates=self.candidates)
        self._candidate = (self._candidate + 1) % self.candidates
        self.verdicts.await_plan(plan)
        self.plan = plan
        self.plans_made += 1
        self.state, self.text = PlannerState.FOLLOWING, f"plan {plan.plan_id} for '{plan.prompt}' is out"
        return plan

    def on_verdict(self, task_id: int, plan_id: int, now_ns: int, *, is_accepted: bool, reason: str) -> None:
        """Take in whether the robot can do what a plan shows. A refused plan is dreamt again, differently, so many times in a row."""
        task = self.task
        if task is None or task.task_id != task_id or task_id == self._given_up:
            return
        if not self.verdicts.take(plan_id, is_accepted=is_accepted):
            return
        self.plans_refused += 1
        present = self.verdicts.in_force(now_ns)
        tries = f'{self.verdicts.refused} of {self.verdicts.max_tries}'
        if self.verdicts.refused < self.verdicts.max_tries:
            self.verdicts.is_asked_again = True
            self.state, self.text = PlannerState.PLANNING, f'plan {plan_id} was refused ({tries}), dreaming another: {reason}'
        elif present is not None:
            self.verdicts.refused = 0
            self.state = PlannerState.FOLLOWING
            self.text = f'plan {present.plan_id} goes on, {self.verdicts.max_tries} newer ones were refused: {reason}'
        else:
            self._given_up, self.state = task_id, PlannerState.REFUSED
            self.text = (
                f'{self.verdicts.max_tries} plans in a row cannot be carried out by this robot; of the last, plan {plan_id}: {reason}'
            )

    def note_lateness(self, now_ns: int, dream: PlanRequest) -> None:
        """Say what a dream in progress keeps the arm waiting for: the plan before it has ended, or it is for a task that has."""
        if self.task is None or self.state not in (PlannerState.FOLLOWING, PlannerState.WAITING):
            return
        lasts = f'{(now_ns - dream.stamp_ns) * 1e-9:.1f} s so far (usually {self.latency_p95_s():.1f} s)'
        if dream.task_id != self.task.task_id:
            self.state = PlannerState.WAITING
            self.text = f'the planner still dreams for task {dream.task_id}, which is over, {lasts}; if it never ends, start it again'
            return
        plan = self.plan
        over_s = 0.0 if plan is None or plan.task_id != self.task.task_id else (now_ns - plan.stamp_ns) * 1e-9 - plan.duration_s
        if plan is None or over_s <= 0:
            return
        self.state = PlannerState.WAITING
        self.text = (
            f'the arm holds: plan {plan.plan_id} ended {over_s:.1f} s ago and the next one is still being dreamt, {lasts}; '
            'dream faster, or longer plans'
        )

    def on_refused(self, task_id: int, text: str) -> None:
        """Take in that no plan could be made. With a plan of the same task in force that one goes on; otherwise the task is refused."""
        self.plans_refused += 1
        if self.plan is not None and self.plan.task_id == task_id and self.state is PlannerState.FOLLOWING:
            self.text = f'plan {self.plan.plan_id} goes on, the newest was refused: {text}'
            return
        self._given_up = task_id
        self.state, self.text = PlannerState.REFUSED, text

    def on_failure(self, text: str) -> None:
        """Take in that the backend broke while dreaming; the next task may try again."""
        self.state, self.text = PlannerState.FAILED, text

    def on_unavailable(self, text: str) -> None:
        """Take in that the backend cannot be loaded: every task fails until it can."""
        self.unavailable, self._failed = text, True
        self.on_failure(text)

    def on_available(self) -> None:
        """Take in that the backend is loaded."""
        self.unavailable, self._failed = '', False
        if self.task is None:
            self.state, self.text = PlannerState.IDLE, 'ready; no task'
        elif self.state is PlannerState.FAILED:
            self.state, self.text = PlannerState.WAITING, 'ready again'

    def latency_p95_s(self) -> float:
        """95th percentile of the last 100 dreams, s; 0 before the first."""
        return float(np.percentile(list(self.latencies_s), 95)) if self.latencies_s else 0.0

    def _wait(self, text: str) -> None:
        if self.plan is None or self.task is None or self.plan.task_id != self.task.task_id:
            self.state, self.text = PlannerState.WAITING, text

    def _end(self, text: str) -> None:
        self.task = None
        self.state, self.text = PlannerState.IDLE, text
