# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Types to messages and back, checked at the door: what does not fit is refused whole, with words that name the value.

Nodes import everything from here; plans, pictures and stamps live next door.
"""

from __future__ import annotations

import array
from collections.abc import Mapping, Sequence

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from vera_core.bounds import MAX_NAMES, MAX_STEP_S, MAX_TEXT, MAX_VIEWS, check_count, few
from vera_core.embodiment import Embodiment
from vera_core.errors import ShapeError
from vera_core.ros.pictures import float_array, float_image, frame_from_image, image_from_rgb, rgb_from_image
from vera_core.ros.plans import check_view_names, plan_from_msg, plan_to_msg
from vera_core.ros.stamps import bytes_field, duration_from_s, from_ns, to_ns
from vera_core.shapes import FloatArray
from vera_core.types import FlowField, JointVelocity, MotionEvidence, RobotState
from vera_msgs.msg import FlowField as FlowFieldMsg
from vera_msgs.msg import JointVelocityEstimate

__all__ = [
    'bytes_field',
    'duration_from_s',
    'flow_from_msg',
    'flow_to_msg',
    'frame_from_image',
    'from_ns',
    'image_from_rgb',
    'plan_from_msg',
    'plan_to_msg',
    'rgb_from_image',
    'robot_state_from_joint_state',
    'to_ns',
    'velocity_from_msg',
    'velocity_to_msg',
]


# Flow


def flow_to_msg(flow: FlowField, *, stamp_target_ns: int) -> FlowFieldMsg:
    """FlowField message; `stamp_target_ns` is when the plan frame aimed at is due."""
    stamp = from_ns(flow.stamp_ns)
    return FlowFieldMsg(
        header=Header(stamp=stamp),
        plan_id=flow.plan_id,
        task_id=flow.task_id,
        step=flow.step,
        stamp_target=from_ns(stamp_target_ns),
        dt=flow.dt_s,
        view_names=list(flow.flow),
        flow=[float_image(flow.flow[view], '32FC2', stamp, view) for view in flow.flow],
        confidence=[float_image(flow.confidence[view], '32FC1', stamp, view) for view in flow.flow],
        remaining=flow.remaining_px,
        at_plan_end=flow.at_plan_end,
    )


def flow_from_msg(msg: FlowFieldMsg) -> FlowField:
    """FlowField of a message; its arrays are views of the message.

    Raises:
        ShapeError: If views and pictures do not fit together, or a value is not finite.
    """
    views = list(msg.view_names)
    check_view_names(views, 'flow')
    if len(msg.flow) != len(views) or len(msg.confidence) != len(views):
        raise ShapeError(f'flow has {len(msg.flow)} flow and {len(msg.confidence)} confidence pictures for {len(views)} views')
    if not np.isfinite(msg.remaining):
        raise ShapeError(f'flow has remaining = {msg.remaining}; it must be finite')
    if msg.dt > MAX_STEP_S:
        raise ShapeError(f'flow has dt = {msg.dt} s; at most {MAX_STEP_S:g} s are taken')
    flow = FlowField(
        stamp_ns=to_ns(msg.header.stamp),
        plan_id=int(msg.plan_id),
        task_id=int(msg.task_id),
        step=int(msg.step),
        dt_s=msg.dt,
        flow={view: float_array(image, '32FC2', f'flow of view {view}') for view, image in zip(views, msg.flow, strict=True)},
        confidence={
            view: float_array(image, '32FC1', f'confidence of view {view}') for view, image in zip(views, msg.confidence, strict=True)
        },
        remaining_px=msg.remaining,
        at_plan_end=msg.at_plan_end,
    )
    for view in views:
        if flow.flow[view].shape[:2] != flow.confidence[view].shape:
            raise ShapeError(f'view {view}: flow has shape {flow.flow[view].shape} but confidence has {flow.confidence[view].shape}')
    return flow


# Joints


def velocity_to_msg(velocity: JointVelocity, joint_names: Sequence[str], *, latency_s: float) -> JointVelocityEstimate:
    """JointVelocityEstimate message; `latency_s` is the time from the pictures' stamp to now."""
    evidence = velocity.evidence
    message = JointVelocityEstimate(
        header=Header(stamp=from_ns(velocity.stamp_ns)),
        plan_id=velocity.plan_id,
        task_id=velocity.task_id,
        step=velocity.step,
        dt=velocity.dt_s,
        joint_names=list(joint_names),
        velocity=array.array('d', velocity.velocity),
        delta_q=array.array('d', velocity.delta_q),
        std=array.array('d', velocity.std),
        observability=array.array('d', velocity.observability),
        residual_ratio=velocity.residual_ratio,
        residual=velocity.residual_px,
        condition=velocity.condition,
        remaining=velocity.remaining_px,
        at_plan_end=velocity.at_plan_end,
        latency=duration_from_s(latency_s),
    )
    if evidence is not None:
        message.motion_gain = array.array('d', evidence.gain)
        message.motion_gain_std = array.array('d', evidence.gain_std)
        message.motion_agreement = evidence.agreement
        message.motion_expected = evidence.expected_px2
        message.frozen_views = list(evidence.frozen_views)
    return message


def velocity_from_msg(msg: JointVelocityEstimate, joint_names: Sequence[str]) -> JointVelocity:
    """JointVelocity of a message, brought into the order of `joint_names`.

    Raises:
        ShapeError: If it is not about exactly these joints, a length is wrong or a value is not finite.
    """
    name = 'joint velocity estimate'
    if sorted(msg.joint_names) != sorted(joint_names):
        raise ShapeError(f'{name} is about joints [{few(msg.joint_names)}] but the robot has [{", ".join(joint_names)}]')
    arrays = {field: np.asarray(getattr(msg, field), dtype=np.float64) for field in ('velocity', 'delta_q', 'std', 'observability')}
    for field, values in arrays.items():
        if values.shape != (len(joint_names),):
            raise ShapeError(f'{name} has {values.size} values in {field} for {len(joint_names)} joints')
    _refuse_not_finite(arrays, msg.joint_names, name)
    scalars = {'dt': msg.dt, 'residual_ratio': msg.residual_ratio, 'residual': msg.residual, 'remaining': msg.remaining}
    for field, value in scalars.items():
        if not np.isfinite(value):
            raise ShapeError(f'{name} has {field} = {value}; it must be finite')
    if not 0 < msg.dt <= MAX_STEP_S:
        raise ShapeError(f'{name} has dt = {msg.dt} s; it must be > 0 and at most {MAX_STEP_S:g} s')
    if not np.allclose(arrays['velocity'] * msg.dt, arrays['delta_q'], rtol=1e-6, atol=1e-9):
        raise ShapeError(
            f'{name} contradicts itself: velocity x dt is not delta_q (velocity[0] = {arrays["velocity"][0]}, delta_q[0] = {arrays["delta_q"][0]})'
        )
    order = [list(msg.joint_names).index(joint) for joint in joint_names]
    return JointVelocity(
        stamp_ns=to_ns(msg.header.stamp),
        plan_id=int(msg.plan_id),
        task_id=int(msg.task_id),
        step=int(msg.step),
        dt_s=msg.dt,
        delta_q=arrays['delta_q'][order],
        std=arrays['std'][order],
        observability=arrays['observability'][order],
        residual_ratio=msg.residual_ratio,
        residual_px=msg.residual,
        condition=msg.condition,
        remaining_px=msg.remaining,
        at_plan_end=msg.at_plan_end,
        evidence=_evidence_from_msg(msg, order) if len(msg.motion_gain) else None,
    )


def _evidence_from_msg(msg: JointVelocityEstimate, order: Sequence[int]) -> MotionEvidence:
    arrays = {field: np.asarray(getattr(msg, field), dtype=np.float64) for field in ('motion_gain', 'motion_gain_std')}
    for field, values in arrays.items():
        if values.shape != (len(order),):
            raise ShapeError(f'joint velocity estimate has {values.size} values in {field} for {len(order)} joints')
    _refuse_not_finite(arrays, msg.joint_names, 'joint velocity estimate')
    check_count('frozen views of a joint velocity estimate', len(msg.frozen_views), MAX_VIEWS)
    for field, value in (('motion_agreement', msg.motion_agreement), ('motion_expected', msg.motion_expected)):
        if not np.isfinite(value):
            raise ShapeError(f'joint velocity estimate has {field} = {value}; it must be finite')
    return MotionEvidence(
        gain=arrays['motion_gain'][order],
        gain_std=arrays['motion_gain_std'][order],
        agreement=msg.motion_agreement,
        expected_px2=msg.motion_expected,
        frozen_views=tuple(view[:MAX_TEXT] for view in msg.frozen_views),
    )


def robot_state_from_joint_state(msg: JointState, embodiment: Embodiment) -> RobotState:
    """Measured joints by the driver's names, in any order, as the robot file counts them; joints it does not list (fingers) are ignored.

    Raises:
        ShapeError: If a joint is missing or listed twice, positions or velocities are missing, or a value is not finite.
    """
    check_count('names of joint states', len(msg.name), MAX_NAMES)
    index = {joint: place for place, joint in enumerate(msg.name)}
    joints = embodiment.joint_map
    missing = [joint for joint in joints.names if joint not in index]
    if missing:
        raise ShapeError(f'joint states lack {few(missing)} of robot {embodiment.name}; they have [{few(msg.name)}]')
    if len(index) != len(msg.name):
        raise ShapeError(f'joint states name a joint twice: [{few(msg.name)}]')
    if to_ns(msg.header.stamp) <= 0:
        raise ShapeError('joint states have no stamp; the robot driver must set header.stamp to the time of measurement')
    arrays: dict[str, FloatArray] = {}
    for field in ('position', 'velocity'):
        values = np.asarray(getattr(msg, field), dtype=np.float64)
        if values.size != len(msg.name):
            raise ShapeError(
                f'joint states have {values.size} values in {field} for {len(msg.name)} joints; position and velocity of every joint are needed'
            )
        arrays[field] = values[[index[joint] for joint in joints.names]]
    _refuse_not_finite(arrays, joints.names, 'joint states')
    return RobotState(
        stamp_ns=to_ns(msg.header.stamp), position=joints.our_positions(arrays['position']), velocity=joints.our_rates(arrays['velocity'])
    )


def _refuse_not_finite(arrays: Mapping[str, FloatArray], joint_names: Sequence[str], what: str) -> None:
    for field, values in arrays.items():
        for joint, value in zip(joint_names, values, strict=True):
            if not np.isfinite(value):
                raise ShapeError(f'{what}: {field} of {joint} is {value}; the whole message is refused')
