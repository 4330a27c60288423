# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The side of jidm_node that says of every plan whether this robot can do it. A thread of its own, so that no flow waits for it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from std_msgs.msg import Header

from vera_core.embodiment import Embodiment
from vera_core.errors import ShapeError
from vera_core.priority import BACKGROUND
from vera_core.ros.messages import duration_from_s, from_ns, plan_from_msg, to_ns
from vera_core.types import JointVelocity
from vera_jidm.executability import (
    MAY_REST_PX,
    Calibration,
    Inspection,
    Judged,
    Moment,
    PlanCheck,
    StepWatch,
    Verdict,
    WatchSettings,
    load_calibration,
)
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.worker import Worker
from vera_msgs.msg import PlanVerdict, VideoPlan

LONGEST = 16
"""Plans that wait to be judged; of more the oldest are forgotten."""


class PlanInspector:
    """Takes plans and estimates, publishes verdicts."""

    def __init__(
        self,
        robot: Embodiment,
        model: JacobianModel,
        watch: WatchSettings,
        *,
        moment: Callable[[], Moment | None],
        publish: Callable[[PlanVerdict], None],
        on_fault: Callable[[Exception], None],
    ) -> None:
        """Start the thread.

        Args:
            robot: Joints and limits.
            model: Its Jacobian field; may be asked from another thread.
            watch: When a plan is dropped on its way.
            moment: Returns the newest pictures and joints, None while there are none.
            publish: Sends a verdict.
            on_fault: Told about an exception that nobody foresaw.

        Raises:
            ConfigError: If the calibration cannot be used.
        """
        self._calibration: Calibration = load_calibration()
        self._inspection = Inspection(PlanCheck(robot, model, self._calibration))
        self._watch = StepWatch(watch)
        self._moment, self._publish = moment, publish
        self._waiting: deque[VideoPlan] = deque(maxlen=LONGEST)
        self._missing_px: tuple[int, float] = (0, float('inf'))
        self._worker = Worker(self._work, on_fault, idle=self._work, niceness=BACKGROUND)

    def set_watch(self, watch: WatchSettings) -> None:
        """Use other settings from the next estimate on."""
        self._watch.settings = watch

    def put(self, message: VideoPlan) -> None:
        """Judge a plan soon; returns at once."""
        self._waiting.append(message)
        self._worker.wake()

    def on_estimate(self, estimate: JointVelocity) -> str | None:
        """Take in an estimate; return why its plan has just been dropped, in words, else None."""
        self._missing_px = (estimate.task_id, estimate.remaining_px)
        reason = self._watch.look(estimate)
        if reason is not None:
            self._publish(
                PlanVerdict(
                    header=Header(stamp=from_ns(estimate.stamp_ns)),
                    plan_id=estimate.plan_id,
                    task_id=estimate.task_id,
                    score=max(1.0 - estimate.residual_ratio, 0.0),
                    least_score=1.0 - self._watch.settings.residual_ratio,
                    reason=reason,
                )
            )
        return reason

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _work(self) -> None:
        while self._waiting:
            moment = self._moment()
            if moment is None:
                return  # tried again with the next plan, or when nothing comes for a second
            message = self._waiting.popleft()
            begin = time.perf_counter()
            for judged in self._judge(message, moment):
                self._publish(self._to_msg(judged, time.perf_counter() - begin))

    def _judge(self, message: VideoPlan, moment: Moment) -> list[Judged]:
        task_id, missing_px = self._missing_px
        may_rest = task_id == int(message.task_id) and missing_px < MAY_REST_PX
        moment = replace(moment, may_rest=may_rest)
        try:
            return self._inspection.look(plan_from_msg(message), moment)
        except ShapeError as error:
            verdict = Verdict(is_accepted=False, score=0.0, reason=str(error), measures=None)
            plan_id, task_id = int(message.plan_id), int(message.task_id)
            return [Judged(plan_id=plan_id, task_id=task_id, stamp_ns=to_ns(message.header.stamp), verdict=verdict)]

    def _to_msg(self, judged: Judged, elapsed_s: float) -> PlanVerdict:
        verdict = judged.verdict
        values = verdict.measures.values() if verdict.measures is not None else {}
        return PlanVerdict(
            header=Header(stamp=from_ns(judged.stamp_ns)),
            plan_id=judged.plan_id,
            task_id=judged.task_id,
            accepted=verdict.is_accepted,
            score=verdict.score,
            least_score=self._calibration.least_score,
            reason=verdict.reason,
            measure_names=list(values),
            measures=list(values.values()),
            elapsed=duration_from_s(elapsed_s),
        )
