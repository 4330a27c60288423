# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A sentence carried out closed loop without ROS: the loop of `closed_loop.py` with a planner that dreams while the arm moves, on simulated time.

What the nodes do with messages happens here by calls: Dreaming asks for a plan, the planner dreams it, PlanCheck judges it from where the robot is,
PlanFollower takes it over, StepWatch drops it. A dream arrives `dream_s` after the pictures it begins with, however long it took, so the figures do
not depend on how busy the machine is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from vera_bringup.closed_loop import STEP_NS, Followed, LoopRun, LoopSettings
from vera_bringup.task_run import Episode
from vera_core.errors import PlanningError, Refusal
from vera_core.types import FlowField, Frame, JointVelocity, RobotState, VideoPlan
from vera_jidm.direct.protocol import JointStepModel, StepQuery
from vera_jidm.executability import MAY_REST_PX, Moment, PlanCheck, StepWatch
from vera_jidm.flow.dis import DisFlow
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.pipeline import Inversion, step_bounds
from vera_planner.context import ContextBuffer
from vera_planner.dreaming import Dreaming
from vera_planner.planner import VideoPlanner
from vera_planner.schedule import ReplanSchedule
from vera_planner.verdicts import Verdicts
from vera_sim.simulation import CONTACT_PERIOD_S, Simulation

MOVING_RAD_S = 0.02
"""Joints faster than this, rms, count as motion."""

_SCENES = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DreamSettings:
    """How dreams come."""

    dream_s: float = 0.6
    """From the pictures a dream begins with to its arrival, s."""
    check_s: float = 0.1
    """From its arrival to the verdict, s."""
    step_dt_s: float = 0.3
    context_len: int = 3
    replan_period_s: float = 2.0
    max_plan_tries: int = 6
    """The task ends when so many plans in a row are refused."""
    checks: bool = True
    """Whether plans are judged at all."""
    loop: LoopSettings = field(default_factory=LoopSettings)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Carried:
    """What came of a sentence."""

    followed: Followed
    success: bool
    """The simulator's own check of the task."""
    check: str
    dreams: int
    refused: tuple[str, ...]
    """Why dreams were refused before their first step."""
    dropped: int
    """Plans given up on their way."""
    duty: float
    """Share of the task's time in which the arm moved."""


class DreamRun(LoopRun):
    """One sentence."""

    def __init__(
        self,
        simulation: Simulation,
        model: JacobianModel,
        planner: VideoPlanner,
        check: PlanCheck,
        settings: DreamSettings,
        *,
        seed: int,
        direct: JointStepModel | None = None,
    ) -> None:
        """Stand in the scene and at the start that `simulation` was reset to.

        Args:
            simulation: Scene, and what success means; its driver is not used.
            model: Jacobian field.
            planner: Who dreams.
            check: Judges dreams.
            settings: Times.
            seed: Of the first dream.
            direct: Tells the joint steps in place of the field and its inverse, within the same bounds. Gates that ask how well the field explains
                the flow are then open, as for a remote policy, which tells no uncertainty either.
        """
        super().__init__(simulation.world, model, settings.loop, DisFlow(), simulation.world.joint_position)
        self._simulation, self._planner, self._check, self._times = simulation, planner, check, settings
        self._direct = direct
        self._dreaming = Dreaming(
            context=ContextBuffer(simulation.robot.view_names, length=settings.context_len, spacing_s=settings.step_dt_s),
            schedule=ReplanSchedule(period_s=settings.replan_period_s),
            step_dt_s=settings.step_dt_s,
            seed=seed,
            verdicts=Verdicts(max_tries=settings.max_plan_tries),
        )
        self._dreaming.on_available()
        self._coming: deque[tuple[int, VideoPlan]] = deque()
        self._judging: deque[tuple[int, VideoPlan]] = deque()
        self._watch = StepWatch()
        self._scene = next(_SCENES)
        self._missing_px = float('inf')
        self._refused: list[str] = []
        self._dreams = self._dropped = self._moving = self._looks = 0

    def do(self, episode: Episode, longest_s: float) -> Carried:
        """Give the sentence and wait for the end."""
        self._task = self.begin(episode.prompt, longest_s)
        followed = self.carry_out(self._task)
        check = self._simulation.check
        return Carried(
            followed=followed,
            success=check.success,
            check=check.text,
            dreams=self._dreams,
            refused=tuple(self._refused),
            dropped=self._dropped,
            duty=self._moving / max(self._looks, 1),
        )

    def seen(self, frames: Mapping[str, Frame], state: RobotState) -> None:
        """Show the pictures to the planner; take in dreams and verdicts that are due."""
        self._looks += 1
        self._moving += bool(np.sqrt(np.mean(state.velocity**2)) > MOVING_RAD_S)
        now_ns, dreaming = self._now_ns, self._dreaming
        dreaming.on_task(self._task.task_id, self._task.prompt, now_ns, is_active=not self._executive.is_ending, replans=self._task.replans)
        for frame in frames.values():
            dreaming.on_frame(frame)
        while self._coming and self._coming[0][0] <= now_ns:
            plan = dreaming.on_plan(self._coming.popleft()[1])
            if plan is not None:
                self._judging.append((now_ns + round(self._times.check_s * 1e9), plan))
        while self._judging and self._judging[0][0] <= now_ns:
            self._judge(self._judging.popleft()[1], frames, state)
        if not self._coming:
            self._dream()
        self._executive.on_planner(state=int(dreaming.state), text=dreaming.text, task_id=self._task.task_id, stamp_ns=now_ns)

    def _invert(self, flow: FlowField, frames: Mapping[str, Frame], state: RobotState) -> Inversion | Refusal:
        answer, planned = super()._invert(flow, frames, state), self._plans.pictures(flow)
        if self._direct is None or planned is None or isinstance(answer, Refusal):
            return answer
        before = {view: frame.rgb for view, frame in frames.items()}
        step = self._direct.predict(StepQuery(before=before, after=planned, flow=flow, position=state.position))
        joints = len(step)
        velocity = replace(
            answer.velocity,
            delta_q=np.clip(step, *step_bounds(state.position, flow.dt_s, self._robot, self._settings.pipeline)),
            std=np.zeros(joints),
            observability=np.ones(joints),
            residual_ratio=0.0,
            residual_px=0.0,
            condition=1.0,
        )
        return replace(answer, velocity=velocity)

    def _dream(self) -> None:
        request = self._dreaming.next_request(self._now_ns, plans_once=bool(getattr(self._planner, 'plans_once', False)))
        if request is None:
            return
        self._dreams += 1
        try:
            # Every run counts its tasks from one, and a planner remembers what it saw in a task.
            plan = replace(self._planner.plan(replace(request, task_id=self._scene)), task_id=request.task_id)
        except PlanningError as error:
            self._dreaming.on_refused(request.task_id, str(error))
            return
        self._coming.append((self._now_ns + round(self._times.dream_s * 1e9), plan))

    def _judge(self, plan: VideoPlan, frames: Mapping[str, Frame], state: RobotState) -> None:
        if self._times.checks:
            pictures = {view: frame.rgb for view, frame in frames.items()}
            may_rest = self._missing_px < MAY_REST_PX
            verdict = self._check.judge(plan, Moment(stamp_ns=self._now_ns, pictures=pictures, position=state.position, may_rest=may_rest))
            self._dreaming.on_verdict(plan.task_id, plan.plan_id, self._now_ns, is_accepted=verdict.is_accepted, reason=verdict.reason)
            if not verdict.is_accepted:
                self._refused.append(verdict.reason)
                return
        self.take_over(plan)

    def estimated(self, velocity: JointVelocity) -> None:
        """Drop a plan that turns out to be none for this robot."""
        self._missing_px = velocity.remaining_px
        reason = self._watch.look(velocity) if self._times.checks else None
        if reason is not None:
            self._dropped += 1
            self._follower.drop(plan_id=velocity.plan_id, task_id=velocity.task_id)
            self._dreaming.on_verdict(velocity.task_id, velocity.plan_id, self._now_ns, is_accepted=False, reason=reason)

    def stepped(self) -> None:
        """Let the simulator check the task."""
        if self._now_ns % round(CONTACT_PERIOD_S * 1e9) < STEP_NS:
            self._simulation.check.update(self._world, CONTACT_PERIOD_S)
