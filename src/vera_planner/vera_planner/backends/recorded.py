# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A demonstration as the plan: a video file, an .npz or an MCAP recording of the cameras is followed from its first picture to its last."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, PlanningError
from vera_core.imaging import to_working_size
from vera_core.shapes import RgbArray
from vera_core.types import VideoPlan
from vera_planner.planner import PlanRequest, check_request

MAX_FRAMES = 400
"""Longest recording, frames per view."""


class RecordedPlanner:
    """Plays a recording. Its first plan holds all of it, so it is asked once per task."""

    plans_once = True

    def __init__(self, robot: Embodiment, recording: str, *, step_dt_s: float = 0.3) -> None:
        """Read the recording.

        Args:
            robot: Views and working size.
            recording: Path of an `.npz` (arrays `frames_VIEW` of shape (T, H, W, 3), uint8, RGB, and `step_dt_s`), of a video file that shows the
                views side by side in the robot file's order, or of an `.mcap` with the robot's image topics (raw or `/compressed`).
            step_dt_s: Spacing that videos and MCAP recordings are sampled at, s.

        Raises:
            ConfigError: If the file is missing, cannot be read or lacks a view; the text says what is needed.
        """
        self._views = robot.view_names
        path = Path(recording)
        if not recording or not path.is_file():
            raise ConfigError(f"recording '{recording}' does not exist; set the parameter 'recording' to an .npz, .mcap or video file")
        reader = _READERS.get(path.suffix.lower(), _read_video)
        frames, self.step_dt_s = reader(path, robot, step_dt_s)
        self._frames = {view: np.stack([to_working_size(rgb, robot.working_size) for rgb in frames[view]]) for view in self._views}
        length = len(next(iter(self._frames.values())))
        if not 2 <= length <= MAX_FRAMES:
            raise ConfigError(f"recording '{recording}' has {length} frames per view; 2 to {MAX_FRAMES} are needed")
        self.name = f'recorded {path.name}, {length} frames every {self.step_dt_s:g} s'

    def plan(self, request: PlanRequest) -> VideoPlan:
        """Return what is left of the recording from the request's place in the task on; see `VideoPlanner.plan`.

        Raises:
            PlanningError: If a view has no picture or the recording is over.
        """
        check_request(request, self._views)
        first = int(request.task_age_s / self.step_dt_s) if request.task_age_s > self.step_dt_s else 0
        length = len(next(iter(self._frames.values())))
        if first >= length - 1:
            raise PlanningError(
                f'the recording is over: it lasts {(length - 1) * self.step_dt_s:.1f} s, the task {request.task_age_s:.1f} s'
            )
        return VideoPlan(
            plan_id=request.plan_id,
            task_id=request.task_id,
            prompt=request.prompt,
            stamp_ns=request.stamp_ns,
            step_dt_s=self.step_dt_s,
            frames={view: np.concatenate([request.context[view][-1].rgb[None], self._frames[view][first + 1 :]]) for view in self._views},
            context_len=1,
            model=self.name,
            seed=request.seed,
        )


Frames = Mapping[str, 'list[RgbArray]']


def _read_npz(path: Path, robot: Embodiment, step_dt_s: float) -> tuple[Frames, float]:
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [view for view in robot.view_names if f'frames_{view}' not in file]
            if missing:
                raise ConfigError(f"recording '{path}' has no frames_{missing[0]}; it holds {', '.join(file.files)}")
            frames = {view: list(file[f'frames_{view}']) for view in robot.view_names}
            step = float(file['step_dt_s']) if 'step_dt_s' in file else step_dt_s
    except ConfigError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"recording '{path}' cannot be read: {error}; is it complete?") from error
    for view, pictures in frames.items():
        if not pictures or pictures[0].dtype != np.uint8 or pictures[0].ndim != 3 or pictures[0].shape[2] != 3:
            raise ConfigError(f"recording '{path}': frames_{view} must have shape (T, H, W, 3) and dtype uint8")
    if len({len(pictures) for pictures in frames.values()}) != 1:
        raise ConfigError(
            f"recording '{path}' has {[len(pictures) for pictures in frames.values()]} frames for {list(frames)}; all views need the same number"
        )
    if not (np.isfinite(step) and step > 0):
        raise ConfigError(f"recording '{path}' has step_dt_s = {step}; it must be finite and > 0")
    return frames, step


def _read_video(path: Path, robot: Embodiment, step_dt_s: float) -> tuple[Frames, float]:
    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS)
    if not capture.isOpened() or not rate > 0:
        raise ConfigError(
            f"recording '{path}' is not a video that can be read; known are .npz, .mcap and what OpenCV reads (mp4, avi, ...)"
        )
    frames: dict[str, list[RgbArray]] = {view: [] for view in robot.view_names}
    index = 0
    while len(frames[robot.view_names[0]]) <= MAX_FRAMES:
        done, bgr = capture.read()
        if not done:
            break
        if index >= len(frames[robot.view_names[0]]) * step_dt_s * rate - 0.5:
            if bgr.shape[1] % len(robot.views):
                raise ConfigError(f"recording '{path}' is {bgr.shape[1]} px wide, which is not {len(robot.views)} views side by side")
            for view, part in zip(robot.view_names, np.split(bgr, len(robot.views), axis=1), strict=True):
                frames[view].append(np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2RGB), dtype=np.uint8))
        index += 1
    capture.release()
    return frames, step_dt_s


def _read_mcap(path: Path, robot: Embodiment, step_dt_s: float) -> tuple[Frames, float]:
    from mcap.exceptions import McapError
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    topics = {topic: view.name for view in robot.views for topic in (view.image_topic, f'{view.image_topic}/compressed')}
    frames: dict[str, list[RgbArray]] = {view: [] for view in robot.view_names}
    start_ns: int | None = None
    try:
        with path.open('rb') as file:
            for _, channel, message, decoded in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages(
                topics=list(topics)
            ):
                view = topics[channel.topic]
                start_ns = message.log_time if start_ns is None else start_ns
                if (message.log_time - start_ns) * 1e-9 >= len(frames[view]) * step_dt_s - 1e-3 and len(frames[view]) <= MAX_FRAMES:
                    frames[view].append(_decode(decoded, path))
    except McapError as error:
        raise ConfigError(f"recording '{path}' cannot be read: {error}; is it complete?") from error
    missing = [view.image_topic for view in robot.views if not frames[view.name]]
    if missing:
        raise ConfigError(f"recording '{path}' has no pictures on {', '.join(missing)}")
    shortest = min(len(pictures) for pictures in frames.values())
    return {view: pictures[:shortest] for view, pictures in frames.items()}, step_dt_s


def _decode(message: Any, path: Path) -> RgbArray:
    if hasattr(message, 'format'):
        bgr = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ConfigError(f"recording '{path}' holds a compressed picture that cannot be read")
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    if message.encoding not in ('rgb8', 'bgr8') or len(message.data) != message.step * message.height:
        raise ConfigError(f"recording '{path}' holds a picture with encoding '{message.encoding}'; rgb8 or bgr8 is needed")
    picture = (
        np.frombuffer(message.data, np.uint8)
        .reshape(message.height, message.step)[:, : 3 * message.width]
        .reshape(message.height, message.width, 3)
    )
    return picture if message.encoding == 'rgb8' else np.ascontiguousarray(picture[:, :, ::-1])


_READERS: dict[str, Callable[[Path, Embodiment, float], tuple[Frames, float]]] = {'.npz': _read_npz, '.mcap': _read_mcap}
