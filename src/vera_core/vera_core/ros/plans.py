# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Plans to messages and back: PNG frames, view-major."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from vera_core.bounds import MAX_EDGE, MAX_PLAN_FRAMES, MAX_PLAN_PIXELS, MAX_STEP_S, MAX_TEXT, MAX_VIEWS, check_count, few
from vera_core.errors import ShapeError
from vera_core.ros.stamps import bytes_field, duration_from_s, from_ns, to_ns
from vera_core.shapes import RgbArray
from vera_core.types import VideoPlan
from vera_msgs.msg import VideoPlan as VideoPlanMsg

PNG_LEVEL = 1  # plans stay on one machine: fast beats small
PNG_START = b'\x89PNG\r\n\x1a\n'


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
        candidate=plan.candidate,
        candidates=plan.candidates,
    )


def plan_from_msg(msg: VideoPlanMsg) -> VideoPlan:
    """VideoPlan of a message.

    Raises:
        ShapeError: If views, horizon and frames do not fit together or a frame is not a picture.
    """
    views = list(msg.view_names)
    check_view_names(views, 'plan')
    check_count('frames of a plan', len(msg.frames), MAX_PLAN_FRAMES)
    length = int(msg.horizon) + 1
    if msg.horizon < 1 or len(msg.frames) != length * len(views):
        raise ShapeError(
            f'plan {msg.plan_id} has {len(msg.frames)} frames but {len(views)} views x (horizon {msg.horizon} + 1) = {length * len(views)}'
        )
    if msg.step_dt > MAX_STEP_S or not 0 <= msg.confidence <= 1:
        raise ShapeError(
            f'plan {msg.plan_id} has step_dt {msg.step_dt} s and confidence {msg.confidence}; at most {MAX_STEP_S:g} s, and 0 to 1, are taken'
        )
    _check_pixels(msg, length)
    frames = {view: _decode(msg.frames[index * length : (index + 1) * length], view) for index, view in enumerate(views)}
    return VideoPlan(
        plan_id=int(msg.plan_id),
        task_id=int(msg.task_id),
        prompt=msg.prompt[:MAX_TEXT],
        stamp_ns=to_ns(msg.header.stamp),
        step_dt_s=msg.step_dt,
        frames=frames,
        context_len=int(msg.context_len),
        model=msg.planner_model[:MAX_TEXT],
        seed=int(msg.seed),
        confidence=msg.confidence,
        inference_s=to_ns(msg.inference_time) * 1e-9,
        candidate=int(msg.candidate),
        candidates=max(int(msg.candidates), 1),
    )


def _check_pixels(msg: VideoPlanMsg, length: int) -> None:
    """Look at the sizes the frames say they have before any memory is given to them."""
    pixels = 0
    for place, frame in enumerate(msg.frames):
        what = f'frame {place % length} of view {msg.view_names[place // length][:40]}'
        head = bytes(frame.data[:24])
        if len(head) < 24 or not head.startswith(PNG_START):
            raise ShapeError(
                f'{what} with format {frame.format[:40]!r} and {len(frame.data)} bytes is not a picture that can be read; PNG is needed'
            )
        width, height = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
        if not (1 <= width <= MAX_EDGE and 1 <= height <= MAX_EDGE):
            raise ShapeError(f'{what} is {width}x{height} px; 1 to {MAX_EDGE} px are taken')
        pixels += width * height
    check_count(f'pixels of plan {msg.plan_id}', pixels, MAX_PLAN_PIXELS)


def _decode(frames: Sequence[CompressedImage], view: str) -> RgbArray:
    pictures = []
    for index, frame in enumerate(frames):
        data = np.frombuffer(frame.data, np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if bgr is None:
            raise ShapeError(
                f'frame {index} of view {view} with format {frame.format[:40]!r} and {data.size} bytes is not a picture that can be read'
            )
        pictures.append(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    if len({picture.shape for picture in pictures}) != 1:
        raise ShapeError(f'frames of view {view} have different sizes: {sorted({picture.shape for picture in pictures})}')
    return np.asarray(np.stack(pictures), dtype=np.uint8)


def check_view_names(views: Sequence[str], what: str) -> None:
    """Refuse no view, too many, or one named twice.

    Raises:
        ShapeError: Names them.
    """
    check_count(f'views of a {what}', len(views), MAX_VIEWS)
    if not views or len(set(views)) != len(views):
        raise ShapeError(f'{what} names the views [{few(views)}]; at least one is needed and none twice')
