# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera dream`: pictures and a sentence to a video and its figures, without a robot."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_core.imaging import to_working_size
from vera_core.shapes import RgbArray
from vera_core.types import Frame, VideoPlan
from vera_jidm.flow.dis import DisFlow
from vera_planner.params import PlannerParams
from vera_planner.planner import PlanRequest, check_prompt
from vera_planner.registry import planner_from_params

SCALE_TO = 256
"""Views are shown at least this high, px."""
MOVING_PX = 0.5
SUFFIXES = ('.mp4', '.gif')


@dataclass(frozen=True, slots=True, kw_only=True)
class DreamFigures:
    """What can be said about a dream without a robot."""

    frames: int
    step_dt_s: float
    seconds: float
    """Wall time of the dream."""
    confidence: float
    moving_share: float
    """Share of the pixels that are more than half a pixel from where they began, at the end."""
    motion_px: float
    """Median way of those pixels, px."""
    largest_step_px: float
    """99th percentile of the motion between two frames, px: a jump shows here."""
    change_psnr_db: float
    """Last frame against the real one: high means that nothing happens."""

    def lines(self) -> list[str]:
        """Return the figures as sentences."""
        return [
            f'{self.frames} frames every {self.step_dt_s:g} s ({self.frames * self.step_dt_s:.1f} s), dreamt in {self.seconds:.2f} s',
            f'confidence {self.confidence:.2f}',
            f'{self.moving_share:.1%} of the pixels move, by {self.motion_px:.1f} px at the end; largest step {self.largest_step_px:.1f} px',
            f'last frame against the real one: {self.change_psnr_db:.1f} dB{" (nothing moves)" if self.moving_share < 1e-3 else ""}',
        ]


def dream(params: PlannerParams, prompt: str, images: Sequence[Path], out: Path) -> tuple[VideoPlan, DreamFigures]:
    """Dream, write the video, return the plan and its figures.

    Args:
        params: Planner and its parameters.
        prompt: The sentence.
        images: One picture per view of the robot, or several moments of them, oldest first; or one that shows all views side by side.
        out: File to write, .mp4 or .gif.

    Raises:
        VeraError: If the sentence, a picture, the planner or the file cannot be used.
    """
    if out.suffix.lower() not in SUFFIXES or not out.parent.is_dir():
        raise ConfigError(f"'{out}' cannot be written; a name that ends in {' or '.join(SUFFIXES)}, in a folder that exists, is needed")
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f'the sentence is not UTF-8: {error}') from error
    check_prompt(prompt)
    robot = load_embodiment(params.robot)
    context = read_context(images, robot, params.step_dt_s)
    planner = planner_from_params(robot, params)
    request = PlanRequest(task_id=1, plan_id=1, prompt=prompt, context=context, step_dt_s=params.step_dt_s, seed=params.seed)
    begin = time.perf_counter()
    plan = replace(planner.plan(request), inference_s=time.perf_counter() - begin)
    write_video(out, plan)
    return plan, figures_of(plan)


def read_context(images: Sequence[Path], robot: Embodiment, spacing_s: float) -> dict[str, tuple[Frame, ...]]:
    """Return the pictures of files as context frames at the robot's working size.

    Raises:
        ConfigError: If a file cannot be read, or their number does not fit the robot's views.
    """
    pictures = [read_picture(path) for path in images]
    views = robot.view_names
    if len(pictures) == 1 and len(views) > 1:
        if pictures[0].shape[1] % len(views):
            raise ConfigError(
                f"'{images[0]}' is {pictures[0].shape[1]} px wide, which is not {len(views)} views ({', '.join(views)}) side by side"
            )
        pictures = np.split(pictures[0], len(views), axis=1)
    if not pictures or len(pictures) % len(views):
        raise ConfigError(
            f'{len(pictures)} pictures are given; robot {robot.name} has {len(views)} views ({", ".join(views)}): give one --image for each, '
            'or one picture that shows them side by side'
        )
    moments = len(pictures) // len(views)
    return {
        view: tuple(
            Frame(
                view=view,
                stamp_ns=round((moment + 1) * spacing_s * 1e9),
                rgb=to_working_size(np.ascontiguousarray(pictures[moment * len(views) + place]), robot.working_size),
            )
            for moment in range(moments)
        )
        for place, view in enumerate(views)
    }


def read_picture(path: Path) -> RgbArray:
    """Return a picture as RGB, shape (H, W, 3), whatever its file holds: grey, 16 bit, transparent.

    Raises:
        ConfigError: If it is not there or no picture.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise ConfigError(f"picture '{path}' cannot be read: {error}") from error
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        raise ConfigError(f"'{path}' is no picture that can be read ({data.size} bytes); PNG, JPEG and what else OpenCV reads are taken")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def figures_of(plan: VideoPlan) -> DreamFigures:
    """Measure a plan: the motion of all its pixels, from the real picture on."""
    flow = DisFlow()
    steps, ways, errors = [], [], []
    for pictures in plan.frames.values():
        steps += [np.linalg.norm(flow.estimate(a, b)[0], axis=-1) for a, b in pairwise(pictures)]
        ways.append(np.linalg.norm(flow.estimate(pictures[0], pictures[-1])[0], axis=-1))
        errors.append(float(np.mean((pictures[-1].astype(np.float64) - pictures[0]) ** 2)))
    way = np.concatenate([each.ravel() for each in ways])
    moving = way > MOVING_PX
    return DreamFigures(
        frames=plan.horizon,
        step_dt_s=plan.step_dt_s,
        seconds=plan.inference_s,
        confidence=plan.confidence,
        moving_share=float(moving.mean()),
        motion_px=float(np.median(way[moving])) if moving.any() else 0.0,
        largest_step_px=float(np.percentile(np.concatenate([step.ravel() for step in steps]), 99)),
        change_psnr_db=float(10 * np.log10(255**2 / max(float(np.mean(errors)), 1e-3))),
    )


def write_video(path: Path, plan: VideoPlan) -> None:
    """Write the views side by side, the real picture first; plays as fast as planned.

    Raises:
        ConfigError: If the file cannot be written.
    """
    height = next(iter(plan.frames.values())).shape[1]
    factor = max(1, -(-SCALE_TO // height))
    pictures = np.concatenate(list(plan.frames.values()), axis=2).repeat(factor, axis=1).repeat(factor, axis=2)
    pictures = pictures[:, : pictures.shape[1] // 2 * 2, : pictures.shape[2] // 2 * 2]
    is_gif = path.suffix.lower() == '.gif'
    try:
        with av.open(str(path), 'w', options={'loop': '0'} if is_gif else {}) as container:
            stream = container.add_stream('gif' if is_gif else 'libx264', rate=Fraction(1 / plan.step_dt_s).limit_denominator(100))
            stream.height, stream.width, stream.pix_fmt = *pictures.shape[1:3], 'rgb8' if is_gif else 'yuv420p'
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format='rgb24')
                container.mux(stream.encode(frame.reformat(format='rgb8') if is_gif else frame))
            container.mux(stream.encode())
    except (OSError, av.FFmpegError) as error:
        raise ConfigError(f"'{path}' cannot be written: {error}") from error
