# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The heart of the room: wanted image motion, pictures and measured joints in, joint velocity out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, Refusal
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import FlowField, Frame, JacobianField, JointVelocity, RobotState
from vera_jidm.flow.photometric import PhotometricSettings, refine_joint_step
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.solve import SolveSettings, solve_joint_step
from vera_jidm.solve.joint_step import NOISE_FLOOR_PX, step_scale


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """How image motion becomes joint motion."""

    solve: SolveSettings = field(default_factory=SolveSettings)
    max_step_rad: float = 0.15
    """Largest step of one joint, rad: beyond it the field is no longer straight."""
    limit_margin_rad: float = 0.02
    """Joint limits are kept by this much, rad."""
    max_state_gap_s: float = 0.1
    """Measured joints may be taken this far from the pictures, s."""
    photometric: PhotometricSettings | None = None
    """How the step is refined on the planned pictures, where they are known; None: the flow alone decides."""

    def __post_init__(self) -> None:
        for name, lowest in (('max_step_rad', 1e-6), ('limit_margin_rad', 0.0), ('max_state_gap_s', 0.0)):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= lowest):
                raise ConfigError(f'{name} is {getattr(self, name)}; it must be finite and >= {lowest:g}')


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Inversion:
    """The answer, and the field it came from for those who want to look at it."""

    velocity: JointVelocity
    fields: Mapping[str, JacobianField]


def invert_flow(
    flow: FlowField,
    frames: Mapping[str, Frame],
    state: RobotState,
    model: JacobianModel,
    robot: Embodiment,
    settings: PipelineSettings,
    *,
    planned: Mapping[str, RgbArray] | None = None,
) -> Inversion | Refusal:
    """Find the joint velocity whose image motion is the wanted flow.

    Args:
        flow: Wanted image motion of every view.
        frames: View name to the picture the flow starts from.
        state: Measured joints at the time of the pictures.
        model: Predicts the image Jacobian.
        robot: Joints and their limits.
        settings: Damping, robustness, bounds.
        planned: View name to the planned picture the flow leads to; only looked at when `settings.photometric` is set.

    Returns:
        The answer, or a refusal when the inputs are not of the same time or not complete.

    Raises:
        ShapeError: If pictures, joints and field do not fit each other.
    """
    missing = sorted(set(flow.flow) - set(frames))
    if missing:
        return Refusal('picture_missing', f'no picture of view {", ".join(missing)} from the time of the flow; check the camera topic')
    gap_s = abs(state.stamp_ns - flow.stamp_ns) * 1e-9
    if gap_s > settings.max_state_gap_s:
        return Refusal(
            'state_apart',
            f'the nearest measured joints are {gap_s:.2f} s from the pictures (limit {settings.max_state_gap_s:g} s); '
            'check the joint state topic',
        )
    fields = model.predict({view: frames[view].rgb for view in flow.flow}, state.position)
    lower, upper = step_bounds(state.position, flow.dt_s, robot, settings)
    step = solve_joint_step(fields, flow, settings=solve_settings(robot, settings.solve), lower=lower, upper=upper)
    delta_q = step.delta_q
    if settings.photometric is not None and planned is not None:
        source = {view: frames[view].rgb for view in flow.flow}
        delta_q = refine_joint_step(source, planned, fields, delta_q, settings=settings.photometric, lower=lower, upper=upper).delta_q
    velocity = JointVelocity(
        stamp_ns=flow.stamp_ns,
        plan_id=flow.plan_id,
        task_id=flow.task_id,
        step=flow.step,
        dt_s=flow.dt_s,
        delta_q=delta_q,
        std=step.std,
        observability=step.observability,
        residual_ratio=step.residual_ratio,
        residual_px=step.residual_px,
        condition=step.condition,
        remaining_px=flow.remaining_px,
        at_plan_end=flow.at_plan_end,
    )
    return Inversion(velocity=velocity, fields=fields)


def solve_settings(robot: Embodiment, settings: SolveSettings) -> SolveSettings:
    """Return the settings with the damping of each joint that the robot file expects larger or smaller steps of; unchanged where the damping is given."""
    steps = [joint.expected_step for joint in robot.joints]
    if settings.joint_ridge or not any(steps):
        return settings
    return replace(settings, joint_ridge=tuple((NOISE_FLOOR_PX / step) ** 2 if step else settings.ridge for step in steps))


def step_bounds(position: FloatArray, dt_s: float, robot: Embodiment, settings: PipelineSettings) -> tuple[FloatArray, FloatArray]:
    """Return the smallest and largest joint step, shapes (n,), rad: within the joint limits, the speed limits and the trust in the field.

    A joint of which larger steps than usual are expected shows less in the pictures, and the field can be trusted as much further.
    A joint that is already outside its range may come back but not go further; keeping still is always allowed.
    """
    longest = settings.max_step_rad * np.maximum(step_scale(robot, settings.solve.ridge), 1.0)
    reach = np.minimum(longest, robot.limits('velocity') * dt_s)
    lower = np.maximum(robot.limits('lower') + settings.limit_margin_rad - position, -reach)
    upper = np.minimum(robot.limits('upper') - settings.limit_margin_rad - position, reach)
    return np.minimum(lower, 0.0), np.maximum(upper, 0.0)
