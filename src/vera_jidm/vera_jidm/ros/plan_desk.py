# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where plans wait until they may be followed: opened and measured in a thread of its own, so that the present plan is followed meanwhile."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from vera_core.errors import VeraError
from vera_core.priority import BACKGROUND
from vera_core.ros.plans import plan_from_msg
from vera_core.shapes import FloatArray
from vera_core.types import VideoPlan
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.following.motion import motion_to_end
from vera_jidm.worker import Worker
from vera_msgs.msg import PlanVerdict
from vera_msgs.msg import VideoPlan as VideoPlanMsg

KEPT = 16
"""Plans and verdicts that wait for each other; of more the oldest are forgotten."""

_Key = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class OpenPlan:
    """A plan that is ready to be followed."""

    plan: VideoPlan
    to_end_px: FloatArray
    """See `motion_to_end`."""


class PlanDesk:
    """Opens plans, holds them until their verdict has come, hands out the newest that was accepted. Safe between threads."""

    def __init__(
        self, estimator: FlowEstimator, *, awaits_verdict: bool, on_ready: Callable[[], None], on_fault: Callable[[Exception], None]
    ) -> None:
        """Start the thread.

        Args:
            estimator: Measures plans; nobody else may use it.
            awaits_verdict: Whether plans are held; otherwise they are handed out as they come.
            on_ready: Called when something may be there to take.
            on_fault: Told about a plan that cannot be opened.
        """
        self._estimator, self._awaits_verdict = estimator, awaits_verdict
        self._on_ready, self._on_fault = on_ready, on_fault
        self._lock = threading.Lock()
        self._arrived: deque[VideoPlanMsg] = deque(maxlen=KEPT)
        self._held: OrderedDict[_Key, OpenPlan] = OrderedDict()
        self._verdicts: OrderedDict[_Key, bool] = OrderedDict()
        self._ready: OpenPlan | None = None
        self._dropped: list[_Key] = []
        self._worker = Worker(self._open, on_fault, idle=lambda: None, niceness=BACKGROUND)

    def put(self, message: VideoPlanMsg) -> None:
        """Open a plan soon; returns at once."""
        self._arrived.append(message)
        self._worker.wake()

    def judge(self, verdict: PlanVerdict) -> None:
        """Take in a verdict; it may come before its plan is open, and again while the plan is followed."""
        key = (int(verdict.task_id), int(verdict.plan_id))
        with self._lock:
            if not verdict.accepted:
                self._dropped.append(key)
            self._verdicts[key] = bool(verdict.accepted)
            while len(self._verdicts) > KEPT:
                self._verdicts.popitem(last=False)
            self._sort()
        self._on_ready()

    def take(self) -> OpenPlan | None:
        """Return the plan to follow from now on, once."""
        with self._lock:
            ready, self._ready = self._ready, None
            return ready

    def take_dropped(self) -> list[_Key]:
        """Return task and plan of refused verdicts since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, []
            return dropped

    def waiting_for(self) -> VideoPlan | None:
        """Return the newest plan that is held for want of a verdict."""
        with self._lock:
            return next(reversed(self._held.values())).plan if self._held else None

    def end_task(self, task_id: int) -> None:
        """Forget the plans of a task."""
        with self._lock:
            for key in [key for key in self._held if key[0] == task_id]:
                del self._held[key]
            if self._ready is not None and self._ready.plan.task_id == task_id:
                self._ready = None

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _open(self) -> None:
        while self._arrived:
            message = self._arrived.popleft()
            try:
                plan = plan_from_msg(message)
                opened = OpenPlan(plan, motion_to_end(plan, self._estimator))
            except VeraError as error:
                self._on_fault(error)
                continue
            with self._lock:
                self._held[plan.task_id, plan.plan_id] = opened
                while len(self._held) > KEPT:
                    self._held.popitem(last=False)
                self._sort()
            self._on_ready()

    def _sort(self) -> None:
        """Hand out what was accepted, forget what was refused. The lock is held."""
        for key in list(self._held):
            accepted = self._verdicts.pop(key, None) if self._awaits_verdict else True
            if accepted is None:
                continue
            opened = self._held.pop(key)
            if accepted:
                self._ready = opened
