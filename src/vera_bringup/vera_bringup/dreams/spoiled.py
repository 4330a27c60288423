# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Dreams that no robot can follow, made from good ones by breaking one thing each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np

from vera_bringup.dreams.bent import bent_film
from vera_bringup.dreams.sample import Sample
from vera_core.shapes import FloatArray, RgbArray
from vera_sim.clips import make_motion_clip
from vera_sim.poses import pose_sampler
from vera_sim.world import World

SPOILED = ('teleport', 'wrong robot', 'reversed bend', 'cut and paste', 'frozen', 'noise')
LEAST_JUMP_PX = 6.0
"""A teleported tip lands at least this far away in some view, px."""
Frames = Mapping[str, RgbArray]


def spoil(kind: str, sample: Sample, world: World, foreign: Frames, seed: int) -> Sample:
    """Return a good sample made impossible.

    Args:
        kind: One of SPOILED.
        sample: What it is made from.
        world: Shows the scene of the sample; the robot in it is moved.
        foreign: A film of another robot in views of the same names or any others, shape (T, H, W, 3) each.
        seed: Same seed, same dream.

    Raises:
        KeyError: If the kind is unknown.
    """
    rng = np.random.default_rng([seed, 89])
    sample = replace(sample, may_rest=False)  # a still dream is a fault only where a motion is asked for
    if kind == 'reversed bend':
        name, position, real, frames = bent_film(world, rng)
        return Sample(kind=name, plan=replace(sample.plan, frames=frames), real=real, position=position)
    if kind == 'wrong robot':
        name, frames = _wrong_robot(sample, foreign, rng)
    else:
        name, frames = _WAYS[kind](sample, world, rng)
    return sample.with_frames(name, frames)


def _teleport(sample: Sample, world: World, rng: np.random.Generator) -> tuple[str, Frames]:
    frames, length = sample.plan.frames, sample.plan.horizon + 1
    at = int(rng.integers(1, length - 3))
    poses, size = pose_sampler(world), world.robot.working_size[0]
    here = _tips(world, sample.position, size)
    while True:
        first = poses.first_pose(rng)
        if np.linalg.norm(_tips(world, first, size) - here, axis=-1).max() >= LEAST_JUMP_PX:
            break
    # Elsewhere it moves on, as slowly as before.
    share = np.linspace(0.0, 0.3, length - at)[:, None]
    other = make_motion_clip(world, first + share * (sample.position - first))
    if rng.random() < 0.3:  # there and back
        back = min(at + int(rng.integers(1, 4)), length)
        return 'teleport, there and back', {
            view: np.concatenate([film[:at], other[view][: back - at], film[back:]]) for view, film in frames.items()
        }
    return 'teleport', {view: np.concatenate([film[:at], other[view]]) for view, film in frames.items()}


def _tips(world: World, position: FloatArray, size: int) -> FloatArray:
    world.set_joints(position)
    return np.stack([world.project(view, world.fingertips, size) for view in world.robot.view_names])


def _wrong_robot(sample: Sample, foreign: Frames, rng: np.random.Generator) -> tuple[str, Frames]:
    frames, length = sample.plan.frames, sample.plan.horizon + 1
    way = ('another robot', 'another robot, blended in', 'mirrored', 'shifted')[int(rng.integers(4))]
    films = list(foreign.values())
    result = {}
    shift = int(rng.choice([-1, 1]) * rng.integers(10, 24))
    for index, (view, film) in enumerate(frames.items()):
        other = films[index % len(films)]
        other = np.stack([cv2.resize(rgb, film.shape[2:0:-1]) for rgb in other[np.arange(length) % len(other)]])
        if way == 'mirrored':
            result[view] = film[:, :, ::-1]
        elif way == 'shifted':
            result[view] = np.roll(film, shift, axis=2)
        else:
            share = np.clip(np.arange(length) / (5.0 if 'blended' in way else 1.0), 0.0, 1.0)[:, None, None, None]
            result[view] = np.rint((1 - share) * film + share * other).astype(np.uint8)
    return f'wrong robot, {way}', result


def _cut_and_paste(sample: Sample, world: World, rng: np.random.Generator) -> tuple[str, Frames]:
    way = ('hand', 'arm', 'patch')[int(rng.integers(3))]
    if way == 'patch':
        return 'cut and paste, patch', {view: _pasted_patch(film, rng) for view, film in sample.plan.frames.items()}
    world.set_joints(sample.position)
    drift = rng.uniform(1.0, 3.0)
    heading = rng.uniform(0.0, 2 * np.pi)
    result = {}
    for view, film in sample.plan.frames.items():
        height, width = film.shape[1:3]
        mask = np.asarray(cv2.resize(world.robot_mask(view).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA))
        if way == 'hand':
            tip = world.project(view, world.fingertip, width)[0]
            v, u = np.mgrid[:height, :width]
            mask = mask * np.exp(-((((u - tip[0]) ** 2 + (v - tip[1]) ** 2) / (2 * 13.0**2)) ** 3))
        result[view] = _moved_cutout(film[0], mask.astype(np.float32), drift, heading, len(film))
        heading += rng.uniform(-0.5, 0.5)
    return f'cut and paste, {way}', result


def _moved_cutout(rgb: RgbArray, mask: FloatArray, drift_px: float, heading: float, length: int) -> RgbArray:
    """What the mask covers slides over the picture by `drift_px` per frame; what was under it is filled from around."""
    hole = cv2.dilate((mask > 0.1).astype(np.uint8), np.ones((5, 5), np.uint8))
    behind = cv2.inpaint(np.ascontiguousarray(rgb), hole, 3, cv2.INPAINT_TELEA)
    frames = []
    for index in range(length):
        way = drift_px * min(index, 12)
        matrix = np.array([[1.0, 0.0, way * np.cos(heading)], [0.0, 1.0, way * np.sin(heading)]])
        alpha = cv2.warpAffine(mask, matrix, rgb.shape[1::-1])[..., None]
        moved = cv2.warpAffine(rgb, matrix, rgb.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        frames.append(np.rint(alpha * moved + (1 - alpha) * behind).astype(np.uint8))
    return np.stack(frames)


def _pasted_patch(film: RgbArray, rng: np.random.Generator) -> RgbArray:
    """From some frame on a piece of one place lies over another one."""
    result = film.copy()
    height, width = film.shape[1:3]
    edge = int(rng.integers(24, 44))
    at = int(rng.integers(1, len(film) - 2))
    centre = _changed_place(film)
    to_v, to_u = (int(np.clip(place - edge // 2, 0, full - edge)) for place, full in zip(centre, (height, width), strict=True))
    from_v, from_u = (int((place + full // 2) % (full - edge)) for place, full in ((to_v, height), (to_u, width)))
    result[at:, to_v : to_v + edge, to_u : to_u + edge] = film[0, from_v : from_v + edge, from_u : from_u + edge]
    return result


def _changed_place(film: RgbArray) -> tuple[int, int]:
    """Row and column in the middle of what the film changes."""
    change = cv2.blur(np.abs(film[-1].astype(np.float32) - film[0]).sum(axis=2), (15, 15))
    row, column = np.unravel_index(int(np.argmax(change)), change.shape)
    return int(row), int(column)


def _frozen(sample: Sample, world: World, rng: np.random.Generator) -> tuple[str, Frames]:
    level = float(rng.uniform(0.0, 2.0)) if rng.random() < 0.5 else 0.0
    return 'frozen', {
        view: _clipped(np.repeat(sample.real[view][None], len(film), axis=0) + level * rng.standard_normal(film.shape))
        for view, film in sample.plan.frames.items()
    }


def _noise(sample: Sample, world: World, rng: np.random.Generator) -> tuple[str, Frames]:
    way = ('only', 'over the dream', 'growing', 'in blocks')[int(rng.integers(4))]
    level = float(rng.uniform(25.0, 70.0))
    result = {}
    for view, film in sample.plan.frames.items():
        grain = rng.standard_normal(film.shape)
        if way == 'in blocks':
            coarse = rng.standard_normal((len(film), film.shape[1] // 8, film.shape[2] // 8, 3))
            grain = coarse.repeat(8, axis=1).repeat(8, axis=2)
        share = np.linspace(0.0, 1.0, len(film))[:, None, None, None] if way == 'growing' else 1.0
        below = 127.0 if way == 'only' else film
        result[view] = _clipped(below + level * share * grain)
    return f'noise, {way}', result


def _clipped(levels: FloatArray) -> RgbArray:
    return np.asarray(np.clip(np.rint(levels), 0, 255), dtype=np.uint8)


_WAYS: Mapping[str, Callable[[Sample, World, np.random.Generator], tuple[str, Frames]]] = {
    'teleport': _teleport,
    'cut and paste': _cut_and_paste,
    'frozen': _frozen,
    'noise': _noise,
}
