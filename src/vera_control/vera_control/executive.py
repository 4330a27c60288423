# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One task from its sentence to its result: phases, when it is done, when it must end, and how much of its time the arm moved."""

from __future__ import annotations

import numpy as np

from vera_control.params import ExecutiveParams
from vera_control.prompt import gate_prompt
from vera_control.safety import Reason, SafetyState
from vera_control.task import Phase, SafetyReport, Task, TaskCode, TaskOutcome
from vera_control.watchdog import NodeWatch, explain_lost
from vera_core.errors import Refusal
from vera_core.types import JointVelocity

PLANNER_REFUSED = 4
"""PlannerStatus.REFUSED"""
PLANNER_FAILED = 5
"""PlannerStatus.FAILED"""
FRESH_ESTIMATE_S = 0.6
"""Estimates older than this say nothing about now."""
REST_PATIENCE_NS = 1_000_000_000
"""A task that ends waits this long for the arm to rest before it says so."""
NEW_PLAN_S = 15.0
"""A task ends when the plan that was asked for after a divergence has not been followed in this time."""
MAX_DURATION_S = 600.0
"""No task may ask for more."""
BLOCKING = (
    Reason.STALE_JOINT_STATE,
    Reason.NODE_LOST,
    Reason.OTHER_PUBLISHER,
    Reason.NOT_FOLLOWING,
    Reason.DRIVER_NOT_READY,
    Reason.DEADMAN,
)
"""A controller that holds for one of these takes no new task."""


class Executive:
    """Runs one task at a time. Holds no clock and no ROS."""

    def __init__(self, params: ExecutiveParams) -> None:
        self.params = params
        self.nodes = NodeWatch(params.required_nodes)
        self.task: Task | None = None
        self._count = 0
        self._safety: SafetyReport | None = None
        self._safety_ns = 0
        self._tick_ns: int | None = None
        self._lost_since_ns: int | None = None
        self._ending: tuple[TaskCode, str] | None = None
        self._ending_ns: int | None = None

    # What comes in.

    def submit(self, prompt: str, max_duration_s: float, now_ns: int, *, home_first: bool = False, is_dry: bool = False) -> Task | Refusal:
        """Begin a task, or say why not.

        Args:
            prompt: What to do.
            max_duration_s: Time limit, s; 0 takes the default.
            now_ns: Time, ns.
            home_first: Whether somebody moves the arm home first, and reports it with `on_home`.
            is_dry: Whether the commands must not reach the driver.
        """
        if self.task is not None:
            return Refusal('busy', f"task {self.task.task_id} ('{self.task.prompt[:60]}') is being carried out; cancel it first")
        refusal = gate_prompt(prompt)
        if refusal is not None:
            return refusal
        if not 0.0 <= max_duration_s <= MAX_DURATION_S:
            return Refusal(
                'bad_duration', f'max_duration is {max_duration_s} s; it must be between 0 (the default) and {MAX_DURATION_S:.0f} s'
            )
        refusal = self._not_ready(now_ns, must_be_home=not home_first)
        if refusal is not None:
            return refusal
        self._count += 1
        self.task = Task(self._count, prompt, max_duration_s or self.params.default_duration_s, now_ns)
        self.task.is_homing, self.task.is_dry = home_first, is_dry
        self._tick_ns = now_ns
        self._lost_since_ns = None
        self._ending = self._ending_ns = None
        return self.task

    def cancel(self, text: str = 'canceled') -> None:
        """End the task at the next tick."""
        self._end(TaskCode.CANCELED, text)

    @property
    def is_ending(self) -> bool:
        """True when the task in force is to be followed no more, while the arm still comes to rest."""
        return self._ending is not None

    def on_home(self, task_id: int, *, succeeded: bool, text: str, now_ns: int) -> None:
        """Take in how the move home before a task ended."""
        task = self.task
        if task is None or task.task_id != task_id or not task.is_homing:
            return
        if succeeded:
            task.is_homing, task.start_ns = False, now_ns
        else:
            self._end(TaskCode.STOPPED, f'the task did not begin: {text}')

    def on_planner(self, *, state: int, text: str, task_id: int, stamp_ns: int) -> None:
        """Take in a planner status; only one about this task, made since it began, can end it."""
        if self.task is None or task_id != self.task.task_id or stamp_ns < self.task.start_ns:
            return
        if state in (PLANNER_REFUSED, PLANNER_FAILED):
            verb = 'refused' if state == PLANNER_REFUSED else 'failed'
            self._end(TaskCode.PLANNER_FAILED, f'the planner {verb}: {text}')

    def on_estimate(self, estimate: JointVelocity, now_ns: int) -> None:
        """Take in an estimate that belongs to the task."""
        task = self.task
        if task is None or estimate.task_id != task.task_id:
            return
        task.take(estimate, now_ns)
        if not self._looks_done(estimate):
            task.settled_since_ns = None
        elif task.settled_since_ns is None:
            task.settled_since_ns = now_ns

    def on_safety(self, report: SafetyReport, now_ns: int) -> None:
        """Take in what the controller says; a stop ends the task at once, a node it lost does so when it stays away."""
        self._safety, self._safety_ns = report, now_ns
        if report.state in (SafetyState.DISARMED, SafetyState.STOPPED_LATCHED):
            self._end(TaskCode.STOPPED, f'the controller is {report.state.name}: {report.text}')

    def on_node(self, node: str, *, is_alive: bool) -> None:
        """Take in that a watched node is alive or gone."""
        self.nodes.report(node, is_alive=is_alive)

    # What happens every tick.

    def tick(self, now_ns: int) -> TaskOutcome | None:
        """Advance the task; return its outcome once it has ended."""
        task = self.task
        if task is None:
            return None
        self._account(task, now_ns)
        task.phase = self._phase(task, now_ns)
        if self._ending is None:
            self._judge(task, now_ns)
        if self._ending is None or not self._has_come_to_rest(now_ns):
            return None
        code, text = self._ending
        self.task = None
        self._ending = self._ending_ns = None
        return TaskOutcome(
            code=code,
            text=text,
            task_id=task.task_id,
            plans=len(task.plans),
            elapsed_s=self.elapsed_s(task, now_ns),
            moving_s=task.moving_s,
            replans=task.replans,
        )

    @staticmethod
    def elapsed_s(task: Task, now_ns: int) -> float:
        """Time since a task began, s."""
        return (now_ns - task.start_ns) * 1e-9

    def obstacle(self, now_ns: int) -> Refusal | None:
        """Return why a task would be refused now; None when one can begin."""
        return self._not_ready(now_ns)

    # How it decides.

    def _has_come_to_rest(self, now_ns: int) -> bool:
        """Whether an ending task may say so: the arm rests, or nobody can say when it will."""
        if self._ending_ns is None:
            self._ending_ns = now_ns
        rests = self._safety is None or self._safety.speed_rms <= self.params.moving_rad_s
        is_silent = (now_ns - self._safety_ns) * 1e-9 > self.params.status_timeout_s
        return rests or is_silent or not 0 <= now_ns - self._ending_ns < REST_PATIENCE_NS

    def _not_ready(self, now_ns: int, *, must_be_home: bool = True) -> Refusal | None:
        safety = self._safety
        if safety is None or (now_ns - self._safety_ns) * 1e-9 > self.params.status_timeout_s:
            return Refusal('no_controller', 'no safety_status from controller_node; start it and wait until it reports')
        if safety.state in (SafetyState.DISARMED, SafetyState.STOPPED_LATCHED):
            remedy = '; call reset, then arm' if safety.state is SafetyState.STOPPED_LATCHED else ''
            return Refusal('disarmed', f'the controller is {safety.state.name}: {safety.text}{remedy}')
        if self.nodes.lost:
            return Refusal('node_lost', explain_lost(self.nodes.lost))
        if safety.state is SafetyState.HOLDING and safety.reason in BLOCKING:
            return Refusal('holding', f'the controller holds the arm: {safety.text}')
        if safety.start_obstacle and must_be_home:
            return Refusal('not_home', safety.start_obstacle)
        return None

    def _lost_for_good(self, now_ns: int) -> tuple[str, ...]:
        """Return the nodes that are gone, once they have been gone for `lost_patience_s`: a busy machine may silence one for a moment."""
        reported = self._safety.lost_nodes if self._safety is not None else ()
        lost = tuple(dict.fromkeys((*self.nodes.lost, *reported)))
        if not lost:
            self._lost_since_ns = None
        elif self._lost_since_ns is None:
            self._lost_since_ns = now_ns
        gone = self._lost_since_ns is not None and (now_ns - self._lost_since_ns) * 1e-9 >= self.params.lost_patience_s
        return lost if gone else ()

    def _judge(self, task: Task, now_ns: int) -> None:
        lost = self._lost_for_good(now_ns)
        if lost:
            self._end(TaskCode.STOPPED, explain_lost(lost))
            return
        silent_s = (now_ns - self._safety_ns) * 1e-9
        if silent_s > self.params.status_timeout_s:
            self._end(
                TaskCode.STOPPED, f'controller_node has been silent for {silent_s:.1f} s; its last trajectory ends at rest; start it again'
            )
        elif task.is_homing:
            if self.elapsed_s(task, now_ns) >= self.params.home_timeout_s:
                self._end(TaskCode.STOPPED, f'the task did not begin: home was not reached in {self.params.home_timeout_s:.0f} s')
        elif self._has_diverged(task, now_ns):
            assert self._safety is not None
            self._end(TaskCode.STOPPED, f'given up after {task.replans} new plans: {self._safety.text}')
        elif self._is_done(task, now_ns):
            self._end(TaskCode.SUCCEEDED, f'the last plan frame is reached and the arm rests, {len(task.plans)} plans followed')
        elif self.elapsed_s(task, now_ns) >= task.max_duration_s:
            self._end(TaskCode.TIMED_OUT, self._explain_timeout(task))

    def _has_diverged(self, task: Task, now_ns: int) -> bool:
        """Ask for another plan each time the controller holds because the pictures do not show the motion; return whether that is over."""
        safety = self._safety
        if safety is None or safety.state is not SafetyState.HOLDING or safety.reason is not Reason.DIVERGED:
            task.held_since_ns = None
            return False
        if task.held_since_ns is not None:
            return (now_ns - task.held_since_ns) * 1e-9 >= NEW_PLAN_S
        if task.replans >= self.params.max_replans:
            return True
        task.held_since_ns = now_ns
        task.replans += 1
        return False

    def _looks_done(self, estimate: JointVelocity) -> bool:
        rms = float(np.sqrt(np.mean(estimate.delta_q**2)))
        return estimate.at_plan_end and rms <= self.params.done_rms_rad and estimate.remaining_px <= self.params.done_remaining_px

    def _is_done(self, task: Task, now_ns: int) -> bool:
        fresh = task.estimate is not None and (now_ns - task.estimate_ns) * 1e-9 <= FRESH_ESTIMATE_S
        rests = self._safety is not None and self._safety.speed_rms <= self.params.moving_rad_s
        since = task.settled_since_ns
        return fresh and rests and since is not None and (now_ns - since) * 1e-9 >= self.params.done_hold_s

    def _phase(self, task: Task, now_ns: int) -> Phase:
        if task.is_homing:
            return 'homing'
        if task.estimate is None:
            return 'planning'
        if task.settled_since_ns is not None:
            return 'settling'
        stale = (now_ns - task.estimate_ns) * 1e-9 > FRESH_ESTIMATE_S
        held = self._safety is not None and self._safety.state is SafetyState.HOLDING
        return 'holding' if stale or held else 'following'

    def _account(self, task: Task, now_ns: int) -> None:
        if self._tick_ns is not None and self._safety is not None and self._safety.speed_rms > self.params.moving_rad_s:
            task.moving_s += max(0.0, (now_ns - self._tick_ns) * 1e-9)
        self._tick_ns = now_ns

    def _explain_timeout(self, task: Task) -> str:
        text = f'not done in {task.max_duration_s:.1f} s; '
        if task.estimate is None:
            return text + 'no plan was ever followed: see planner_status for what the planner waits for'
        held = f' ({self._safety.text})' if task.phase == 'holding' and self._safety is not None else ''
        return text + f'phase {task.phase}{held}, {task.estimate.remaining_px:.1f} px of motion still missing after {len(task.plans)} plans'

    def _end(self, code: TaskCode, text: str) -> None:
        if self.task is not None and self._ending is None:
            self._ending = (code, text)
