# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Draws what the robot saw, dreamt and did as one video: per view camera, dream, flow and Jacobian field, beside the joint velocities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vera_bringup.timeline import Moment, Timeline
from vera_core.embodiment import Embodiment
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.overlay import draw_field, draw_flow

FPS = 15
PANEL = 256
"""Edge of one picture in the video, px."""
HEADER = 56
CURVES_WIDTH = 416
BACKGROUND = (18, 18, 22)
TEXT = (235, 235, 235)
FAINT = (110, 110, 118)
JOINT_COLOURS = ((239, 83, 80), (255, 167, 38), (255, 238, 88), (102, 187, 106), (38, 198, 218), (92, 130, 240), (186, 104, 200))
SMOOTHING_S = 1.0
HOLD_S = 1.5
"""The last picture stays this long."""


class Video:
    """Renders the frames of one task's video."""

    def __init__(self, timeline: Timeline, robot: Embodiment, field: JacobianModel | None, *, prompt: str) -> None:
        """Prepare.

        Args:
            timeline: The recorded task.
            robot: Names of joints and views.
            field: The Jacobian field to show; computed here, after the run, from the recorded pictures and joints.
            prompt: The sentence.
        """
        self._timeline = timeline
        self._robot = robot
        self._field = field
        self._prompt = prompt
        times, velocities = timeline.measured_velocity()
        self._times, self._velocities = times, velocities
        self._scale = max(0.1, float(np.percentile(np.abs(velocities), 99.8)) * 1.2)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame, px."""
        return 4 * PANEL + CURVES_WIDTH, HEADER + len(self._robot.views) * PANEL

    def frames(self) -> Iterator[RgbArray]:
        """Draw all frames, shape (height, width, 3), uint8, FPS per second of the task."""
        count = max(1, int(self._timeline.duration_s * FPS))
        frame = None
        for index in range(count):
            frame = self.draw(self._timeline.at(index / FPS))
            yield frame
        for _ in range(int(HOLD_S * FPS)):
            assert frame is not None
            yield frame

    def draw(self, moment: Moment) -> RgbArray:
        """Draw one frame."""
        width, height = self.size
        canvas = np.full((height, width, 3), BACKGROUND, np.uint8)
        joint = self._busiest_joint(moment.time_s)
        fields = self._field.predict(moment.working, moment.position) if self._field else {}
        for row, view in enumerate(self._robot.view_names):
            panels = [
                moment.pictures[view],
                self._dream(moment, view),
                draw_flow(moment.working[view], moment.flow.flow[view], moment.flow.confidence[view]) if moment.flow else None,
                draw_field(moment.working[view], fields[view], joint) if fields else None,
            ]
            top = HEADER + row * PANEL
            for column, panel in enumerate(panels):
                if panel is not None:
                    canvas[top : top + PANEL, column * PANEL : (column + 1) * PANEL] = _fit(panel)
            _write(canvas, view, (6, top + 18), TEXT)
        self._draw_header(canvas, moment, joint)
        self._draw_curves(canvas[HEADER:, 4 * PANEL :], moment.time_s)
        return canvas

    def _dream(self, moment: Moment, view: str) -> RgbArray | None:
        if moment.plan is None or view not in moment.plan.frames:
            return None
        step = moment.flow.step if moment.flow is not None and moment.flow.plan_id == moment.plan.plan_id else 0
        return np.asarray(moment.plan.frames[view][min(step, moment.plan.horizon)])

    def _busiest_joint(self, time_s: float) -> int:
        near = np.abs(self._times - time_s) < SMOOTHING_S / 2
        return int(np.abs(self._velocities[near]).mean(axis=0).argmax()) if near.any() else 0

    def _draw_header(self, canvas: RgbArray, moment: Moment, joint: int) -> None:
        _write(canvas, f'"{self._prompt}"', (8, 22), TEXT, scale=0.6)
        _write(canvas, f'{moment.time_s:5.1f} s', (4 * PANEL + CURVES_WIDTH - 84, 22), TEXT, scale=0.6)
        plan = f'dream (plan {moment.plan.plan_id})' if moment.plan else 'dream'
        titles = ('camera', plan, 'flow towards the dream', f'Jacobian field, joint {joint + 1}', 'joint velocities')
        for column, title in enumerate(titles):
            _write(canvas, title, (column * PANEL + 8, HEADER - 8), FAINT)

    def _draw_curves(self, area: RgbArray, time_s: float) -> None:
        """Measured velocities as lines, estimates from the pictures as dots, up to `time_s`."""
        height, width = area.shape[:2]
        left, right, top, bottom = 46, width - 12, 12, height - 28
        span = max(self._timeline.duration_s, 1e-3)

        def points(times: FloatArray, values: FloatArray) -> Array:
            x = left + times / span * (right - left)
            y = (top + bottom) / 2 - np.clip(values / self._scale, -1, 1) * (bottom - top) / 2
            return np.asarray(np.rint(np.stack([x, y], axis=-1)), dtype=np.int32)

        for value in (-self._scale, 0.0, self._scale):
            y = int(points(np.zeros(1), np.array([value]))[0, 1])
            cv2.line(area, (left, y), (right, y), FAINT, 1)
            _write(area, f'{value:+.2f}' if value else '0', (4, y + 4), FAINT, scale=0.36)
        _write(area, 'rad/s; lines: measured, dots: from flow and Jacobian', (left, height - 8), FAINT, scale=0.36)
        past = (self._times >= 0) & (self._times <= time_s)
        estimate_times, estimates = self._timeline.estimated_velocity()
        estimated = (estimate_times >= 0) & (estimate_times <= time_s)
        for index, colour in zip(range(len(self._robot.joints)), JOINT_COLOURS, strict=False):
            cv2.polylines(area, [points(self._times[past], self._velocities[past, index])], False, colour, 1, cv2.LINE_AA)
            for point in points(estimate_times[estimated], estimates[estimated, index]):
                cv2.circle(area, tuple(int(value) for value in point), 1, colour, -1, cv2.LINE_AA)
            _write(area, f'{index + 1}', (left + 6 + 18 * index, top + 14), colour)


def _fit(picture: RgbArray) -> RgbArray:
    if picture.shape[:2] == (PANEL, PANEL):
        return picture
    return np.asarray(cv2.resize(picture, (PANEL, PANEL), interpolation=cv2.INTER_LINEAR))


def _write(canvas: RgbArray, text: str, place: tuple[int, int], colour: tuple[int, int, int], *, scale: float = 0.45) -> None:
    # The built-in font knows ASCII only.
    ascii_text = text.encode('ascii', 'replace').decode()
    cv2.putText(canvas, ascii_text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def write_mp4(path: Path, frames: Iterable[RgbArray], *, size: tuple[int, int], fps: int = FPS) -> str:
    """Write frames of one size as an MP4 file and return the codec: H.264 where this PyAV has it, else MPEG-4.

    Args:
        path: Target; replaced only when the video is complete.
        frames: Pictures of shape (height, width, 3), uint8.
        size: Width and height, px, both even.
        fps: Frames per second.
    """
    codec = 'libx264' if 'libx264' in av.codecs_available else 'mpeg4'
    partial = path.with_suffix('.partial.mp4')
    with av.open(str(partial), 'w') as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = 'yuv420p'
        stream.thread_count = 2
        if codec == 'libx264':
            stream.options = {'preset': 'veryfast', 'crf': '21'}
        else:
            stream.bit_rate = 6_000_000
        for rgb in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format='rgb24')))
        container.mux(stream.encode(None))
    partial.replace(path)
    return codec
