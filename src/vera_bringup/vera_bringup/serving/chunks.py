# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From pictures, joints and a sentence to a chunk of joint steps, without ROS: the plan is made, and every step of it is inverted on its own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import PlanningError, Refusal
from vera_core.imaging import to_working_size
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import FlowField, Frame, RobotState, VideoPlan
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.pipeline import PipelineSettings, invert_flow
from vera_planner.planner import PlanRequest, VideoPlanner


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ChunkMaker:
    """Planner, flow and field of one robot."""

    robot: Embodiment
    planner: VideoPlanner
    field: JacobianModel
    flow: FlowEstimator
    settings: PipelineSettings
    step_dt_s: float
    """Time between context pictures, s."""

    def plan(self, context: Mapping[str, RgbArray], prompt: str, *, number: int, task: int) -> VideoPlan:
        """Return the plan after context pictures (T, H, W, 3) per view, oldest first.

        Raises:
            PlanningError: If no plan can be made.
        """
        step_ns = round(self.step_dt_s * 1e9)
        frames = {
            view: tuple(
                Frame(view=view, stamp_ns=(k + 1) * step_ns, rgb=to_working_size(np.ascontiguousarray(rgb), self.robot.working_size))
                for k, rgb in enumerate(pictures)
            )
            for view, pictures in context.items()
        }
        return self.planner.plan(
            PlanRequest(task_id=task, plan_id=number, prompt=prompt, context=frames, step_dt_s=self.step_dt_s, seed=number)
        )

    def actions(self, plan: VideoPlan, position: FloatArray, horizon: int) -> FloatArray:
        """Return the joint steps of the plan's first frames, shape (at most horizon, n), rad.

        Args:
            plan: What to follow.
            position: Measured joints at frame 0, shape (n,), rad; later ones are what the steps add up to.
            horizon: Steps at most.

        Raises:
            PlanningError: If a step cannot be inverted.
        """
        steps = []
        for k in range(min(horizon, plan.horizon)):
            found = {view: self.flow.estimate(pictures[k], pictures[k + 1]) for view, pictures in plan.frames.items()}
            flow = FlowField(
                stamp_ns=0,
                plan_id=plan.plan_id,
                task_id=plan.task_id,
                step=k + 1,
                dt_s=plan.step_dt_s,
                flow={view: pair[0] for view, pair in found.items()},
                confidence={view: pair[1] for view, pair in found.items()},
                remaining_px=0.0,
                at_plan_end=k + 1 == plan.horizon,
            )
            frames = {view: Frame(view=view, stamp_ns=0, rgb=pictures[k]) for view, pictures in plan.frames.items()}
            state = RobotState(stamp_ns=0, position=position, velocity=np.zeros_like(position))
            answer = invert_flow(flow, frames, state, self.field, self.robot, self.settings)
            if isinstance(answer, Refusal):
                raise PlanningError(f'step {k + 1} of the plan cannot be inverted: {answer.text}')
            steps.append(answer.velocity.delta_q)
            position = position + answer.velocity.delta_q
        return np.stack(steps)
