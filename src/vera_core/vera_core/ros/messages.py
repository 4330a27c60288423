# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Types to messages and back, checked at the door: what does not fit is refused whole, with words that name the value.

Nodes import everything from here; pictures and stamps live next door in `pictures` and `stamps`.
"""

from __future__ import annotations

import array
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, JointState
from std_msgs.msg import Header

from vera_core.embodiment import Embodiment
from vera_core.errors import ShapeError
from vera_core.ros.pictures import float_array, float_image, frame_from_image, image_from_rgb, rgb_from_image
from vera_core.ros.stamps import bytes_field, duration_from_s, from_ns, to_ns
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import FlowField, JointVelocity, RobotState, VideoPlan
from vera_msgs.msg import FlowField as FlowFieldMsg
from vera_msgs.msg import JointVelocityEstimate
from vera_msgs.msg import VideoPlan as VideoPlanMsg

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

PNG_LEVEL = 1  # plans stay on one machine: fast beats small
MAX_PLAN_FRAMES = 2000


# Plans


def plan_to_msg(plan: VideoPlan) -> VideoPlanMsg:
    """VideoPlan message with PNG frames, view-major."""
    stamp = from_ns(plan.stamp_ns)
    frames = []
    for view, pictures in plan.frames.items():
        for rgb in pictures:
            done, png = cv2.imencode('.png', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])
            if not done:
                raise ShapeError(f'a planned frame of view {view} with shape {rgb.shape} cannot be written as PNG')
            frames.append(CompressedImage(header=Header(stamp=stamp, frame_id=view), format='png', data=bytes_field(png)))
    return VideoPlanMsg(
        header=Header(stamp=stamp),
        plan_id=plan.plan_id,
        task_id=plan.task_id,
        prompt=plan.prompt,
        step_dt=plan.step_dt_s,
        horizon=plan.horizon,
        context_len=plan.context_len,
        view_names=list(plan.frames),
        frames=frames,
        planner_model=plan.model,
        seed=plan.seed,
        confidence=plan.confidence,
        inference_time=duration_from_s(plan.inference_s),
    )


def plan_from_msg(msg: VideoPlanMsg) -> VideoPlan:
    """VideoPlan of a message.

    Raises:
        ShapeError: If views, horizon and frames do not fit together or a frame is not a picture.
    """
    views = list(msg.view_names)
    _check_view_names(views, 'plan')
    length = int(msg.horizon) + 1
    if msg.horizon < 1 or len(msg.frames) != length * len(views) or len(msg.frames) > MAX_PLAN_FRAMES:
        raise ShapeError(
            f'plan {msg.plan_id} has {len(msg.frames)} frames but {len(views)} views x (horizon {msg.horizon} + 1) = {length * len(views)}'
        )
    frames = {view: _decode(msg.frames[index * length : (index + 1) * length], view) for index, view in enumerate(views)}
    return VideoPlan(
        plan_id=int(msg.plan_id),
        task_id=int(msg.task_id),
        prompt=msg.prompt,
        stamp_ns=to_ns(msg.header.stamp),
        step_dt_s=msg.step_dt,
        frames=frames,
        context_len=int(msg.context_len),
        model=msg.planner_model,
        seed=int(msg.seed),
        confidence=msg.confidence,
        inference_s=to_ns(msg.inference_time) * 1e-9,
    )


def _decode(frames: Sequence[CompressedImage], view: str) -> RgbArray:
    pictures = []
    for index, frame in enumerate(frames):
        data = np.frombuffer(frame.data, np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if bgr is None:
            raise ShapeError(
                f'frame {index} of view {view} with format {frame.format!r} and {data.size} bytes is not a picture that can be read'
            )
        pictures.append(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    if len({picture.shape for picture in pictures}) != 1:
        raise ShapeError(f'frames of view {view} have different sizes: {sorted({picture.shape for picture in pictures})}')
    return np.asarray(np.stack(pictures), dtype=np.uint8)


def _check_view_names(views: Sequence[str], what: str) -> None:
    if not views or len(set(views)) != len(views):
        raise ShapeError(f'{what} names the views {list(views)}; at least one is needed and none twice')


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
    _check_view_names(views, 'flow')
    if len(msg.flow) != len(views) or len(msg.confidence) != len(views):
        raise ShapeError(f'flow has {len(msg.flow)} flow and {len(msg.confidence)} confidence pictures for {len(views)} views')
    if not np.isfinite(msg.remaining):
        raise ShapeError(f'flow has remaining = {msg.remaining}; it must be finite')
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
    return JointVelocityEstimate(
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


def velocity_from_msg(msg: JointVelocityEstimate, joint_names: Sequence[str]) -> JointVelocity:
    """JointVelocity of a message, brought into the order of `joint_names`.

    Raises:
        ShapeError: If it is not about exactly these joints, a length is wrong or a value is not finite.
    """
    name = 'joint velocity estimate'
    if sorted(msg.joint_names) != sorted(joint_names):
        raise ShapeError(f'{name} is about joints [{", ".join(msg.joint_names)}] but the robot has [{", ".join(joint_names)}]')
    arrays = {field: np.asarray(getattr(msg, field), dtype=np.float64) for field in ('velocity', 'delta_q', 'std', 'observability')}
    for field, values in arrays.items():
        if values.shape != (len(joint_names),):
            raise ShapeError(f'{name} has {values.size} values in {field} for {len(joint_names)} joints')
    _refuse_not_finite(arrays, msg.joint_names, name)
    scalars = {'dt': msg.dt, 'residual_ratio': msg.residual_ratio, 'residual': msg.residual, 'remaining': msg.remaining}
    for field, value in scalars.items():
        if not np.isfinite(value):
            raise ShapeError(f'{name} has {field} = {value}; it must be finite')
    if msg.dt <= 0:
        raise ShapeError(f'{name} has dt = {msg.dt} s; it must be > 0')
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
    )


def robot_state_from_joint_state(msg: JointState, embodiment: Embodiment) -> RobotState:
    """Measured joints by name, in any order; joints the robot file does not list (fingers) are ignored.

    Raises:
        ShapeError: If a joint is missing or listed twice, positions or velocities are missing, or a value is not finite.
    """
    index = {joint: place for place, joint in enumerate(msg.name)}
    missing = [joint for joint in embodiment.joint_names if joint not in index]
    if missing:
        raise ShapeError(f'joint states lack {", ".join(missing)} of robot {embodiment.name}; they have [{", ".join(msg.name)}]')
    if len(index) != len(msg.name):
        raise ShapeError(f'joint states name a joint twice: [{", ".join(msg.name)}]')
    if to_ns(msg.header.stamp) <= 0:
        raise ShapeError('joint states have no stamp; the robot driver must set header.stamp to the time of measurement')
    arrays: dict[str, FloatArray] = {}
    for field in ('position', 'velocity'):
        values = np.asarray(getattr(msg, field), dtype=np.float64)
        if values.size != len(msg.name):
            raise ShapeError(
                f'joint states have {values.size} values in {field} for {len(msg.name)} joints; position and velocity of every joint are needed'
            )
        arrays[field] = values[[index[joint] for joint in embodiment.joint_names]]
    _refuse_not_finite(arrays, embodiment.joint_names, 'joint states')
    return RobotState(stamp_ns=to_ns(msg.header.stamp), position=arrays['position'], velocity=arrays['velocity'])


def _refuse_not_finite(arrays: Mapping[str, FloatArray], joint_names: Sequence[str], what: str) -> None:
    for field, values in arrays.items():
        for joint, value in zip(joint_names, values, strict=True):
            if not np.isfinite(value):
                raise ShapeError(f'{what}: {field} of {joint} is {value}; the whole message is refused')
