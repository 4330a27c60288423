# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Videos: of the scripted expert, what a video planner learns from and the `recorded` planner plays back; and of any motion of any robot.

A data set is a folder of `shard_*.npz` files, each with some clips laid end to end, and no joint positions: a planner never sees actions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.imaging import to_working_size
from vera_core.shapes import Array, FloatArray, RgbArray, check_shapes
from vera_sim.expert import reach_path, sample_start, touch_point
from vera_sim.scene import COLOURS, sample_scene
from vera_sim.world import World

STEP_DT_S = 0.3
HOLD_FRAMES = 3
WORKING_SIZE = 128


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Clip:
    """One expert video, all views at working size, `STEP_DT_S` between frames."""

    seed: int
    target: str
    """Cube that is touched at the end."""
    frames: Mapping[str, RgbArray]
    """View to (T, 128, 128, 3), uint8."""
    masks: Mapping[str, Array]
    """View to (T, 128, 128), uint8: how much of each pixel the robot covers, 0..255."""
    tip_uv: Mapping[str, FloatArray]
    """View to (T, 2): pixel of the fingertip. For evaluation only."""
    cube_uv: Mapping[str, FloatArray]
    """View to (4, 2): pixel of every cube's touch point, in the order of `scene.COLOURS`."""
    joints: FloatArray
    """Shape (T, 7), rad: for evaluation only; data sets for planners leave it out."""


def clip_target(seed: int) -> str:
    """Cube a clip or an episode of that seed is about."""
    colours = list(COLOURS)
    return f'{colours[int(np.random.default_rng([seed, 51]).integers(len(colours)))]}_cube'


def make_clip(world: World, seed: int, *, target: str | None = None, low_start: bool = False, with_masks: bool = True) -> Clip:
    """Render the expert reaching for a cube in the scene of `seed`, from the start pose of `seed`; the last frames hold still.

    The arm of `world` is moved and its scene replaced.
    """
    world.set_scene(sample_scene(world.robot, seed))
    target = target or clip_target(seed)
    path = reach_path(world, target, sample_start(seed, low=low_start), dt_s=STEP_DT_S, seed=seed)
    path = np.concatenate([path, np.repeat(path[-1:], HOLD_FRAMES, axis=0)])
    views = world.robot.view_names
    frames: dict[str, list[RgbArray]] = {view: [] for view in views}
    masks: dict[str, list[Array]] = {view: [] for view in views}
    tips: dict[str, list[FloatArray]] = {view: [] for view in views}
    for q in path:
        world.set_joints(q)
        for view in views:
            frames[view].append(to_working_size(world.render(view), (WORKING_SIZE, WORKING_SIZE)))
            tips[view].append(world.project(view, world.fingertip, WORKING_SIZE)[0])
            if with_masks:
                mask = world.robot_mask(view).astype(np.uint8) * 255
                masks[view].append(cv2.resize(mask, (WORKING_SIZE, WORKING_SIZE), interpolation=cv2.INTER_AREA))
    goals = np.stack([touch_point(world, f'{colour}_cube') for colour in COLOURS])
    return Clip(
        seed=seed,
        target=target,
        frames={view: np.stack(frames[view]) for view in views},
        masks={view: np.stack(masks[view]) if with_masks else np.zeros((0, WORKING_SIZE, WORKING_SIZE), np.uint8) for view in views},
        tip_uv={view: np.stack(tips[view]) for view in views},
        cube_uv={view: world.project(view, goals, WORKING_SIZE) for view in views},
        joints=path,
    )


def make_motion_clip(world: World, path: FloatArray) -> dict[str, RgbArray]:
    """Render the robot of `world` in the poses of `path`, shape (T, n), rad, one picture each; objects stay where they are.

    Returns:
        View name to pictures at the robot's working size, shape (T, H, W, 3), uint8.
    """
    check_shapes(path=(path, f'T {len(world.robot.joints)}'))
    frames: dict[str, list[RgbArray]] = {view: [] for view in world.robot.view_names}
    for q in path:
        world.set_joints(q)
        for view, pictures in frames.items():
            pictures.append(to_working_size(world.render(view), world.robot.working_size))
    return {view: np.stack(pictures) for view, pictures in frames.items()}


def write_dataset(
    robot: Embodiment,
    folder: Path,
    seeds: range,
    *,
    clips_per_shard: int = 25,
    low_share: float = 0.25,
    on_clip: Callable[[int], None] | None = None,
) -> None:
    """Write the clips of the Panda for `seeds` as shards; shards that are already there are kept, so an interrupted run goes on where it was.

    Arrays of a shard (C clips, T frames in all): `start` (C + 1,) offsets, `target` (C,) colour index, `seed` (C,), and for every view
    `frames_VIEW` (T, 128, 128, 3) uint8, `masks_VIEW` (T, 128, 128) uint8, `tip_VIEW` (T, 2), `cubes_VIEW` (C, 4, 2) pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = World(robot)
    colours = list(COLOURS)
    for first in range(seeds.start, seeds.stop, clips_per_shard):
        target = folder / f'shard_{first:06d}.npz'
        if target.exists():
            continue
        clips = []
        for seed in range(first, min(first + clips_per_shard, seeds.stop)):
            low = bool(np.random.default_rng([seed, 77]).random() < low_share)
            clips.append(make_clip(world, seed, low_start=low))
            if on_clip is not None:
                on_clip(seed)
        arrays: dict[str, Any] = {
            'start': np.cumsum([0, *(len(clip.joints) for clip in clips)]),
            'target': np.array([colours.index(clip.target.removesuffix('_cube')) for clip in clips]),
            'seed': np.array([clip.seed for clip in clips]),
        }
        for view in robot.view_names:
            arrays[f'frames_{view}'] = np.concatenate([clip.frames[view] for clip in clips])
            arrays[f'masks_{view}'] = np.concatenate([clip.masks[view] for clip in clips])
            arrays[f'tip_{view}'] = np.concatenate([clip.tip_uv[view] for clip in clips]).astype(np.float32)
            arrays[f'cubes_{view}'] = np.stack([clip.cube_uv[view] for clip in clips]).astype(np.float32)
        partial = target.with_suffix('.partial')
        with partial.open('wb') as file:
            np.savez(file, **arrays)
        partial.rename(target)
    world.close()
