# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Data sets of expert videos for the training of planners.

A data set is a folder of `shard_*.npz` files, each with some clips laid end to end, and no joint positions: a planner never sees actions.
Goals that `vera_core/goals.yaml` holds out are never filmed for training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.goals import held_out_goals
from vera_sim.clips import LOW_STARTS, Clip, clip_goal, make_clip
from vera_sim.scene import COLOURS
from vera_sim.world import World

LOW_SHARE, MISSED_SHARE = 0.25, 0.4
"""Share of the clips of reach, and of pick and stack, that start low, at the cubes: what to do after a miss is never seen in a film from a usual start."""


def write_dataset(
    robot: Embodiment,
    folder: Path,
    seeds: range,
    *,
    task: str = 'reach',
    held_out: bool = False,
    clips_per_shard: int = 25,
    on_clip: Callable[[int], None] | None = None,
) -> int:
    """Film a task for `seeds` and write shards; shards that are already there are kept, so an interrupted run goes on where it was.

    A seed whose expert fails, or finds its goal out of reach, is left out. Arrays of a shard (C clips, T frames in all): `start` (C + 1,) offsets,
    `target` (C,) colour index, `seed` (C,), `task`, `direction` and `onto` (C,) words, and for every view `frames_VIEW` (T, 128, 128, 3) uint8,
    `masks_VIEW` (T, 128, 128) uint8, `tip_VIEW` (T, 2), `marks_VIEW` (T, M, 2) pixels of M points on the fingers, `cubes_VIEW` (C, K, 2) at the start and `moved_VIEW` (T, K, 2)
    pixels of K cubes.

    Args:
        robot: Who does it.
        folder: Where the shards go.
        seeds: One clip each.
        task: Name of the task.
        held_out: Film only goals that are held out of training, to measure on.
        clips_per_shard: Seeds of a shard.
        on_clip: Called with every seed that is done.

    Returns:
        How many of the seeds that were filmed now were left out.

    Raises:
        ConfigError: If the task is unknown or not one of this robot, or holds nothing out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = World(robot)
    left_out = 0
    for first in range(seeds.start, seeds.stop, clips_per_shard):
        target = folder / f'shard_{first:06d}.npz'
        if target.exists():
            continue
        clips = []
        for seed in range(first, min(first + clips_per_shard, seeds.stop)):
            clip = _film(world, task, seed, held_out=held_out)
            if clip is None:
                left_out += 1
            else:
                clips.append(clip)
            if on_clip is not None:
                on_clip(seed)
        if clips:
            _write(target, clips, robot.view_names)
    world.close()
    return left_out


def _film(world: World, task: str, seed: int, *, held_out: bool) -> Clip | None:
    goal = clip_goal(task, seed, held_out=held_out)
    assert held_out or goal not in held_out_goals(task), 'nothing held out is filmed for training'
    share = LOW_SHARE if task == 'reach' else MISSED_SHARE if task in LOW_STARTS else 0.0
    low = bool(np.random.default_rng([seed, 77]).random() < share)
    try:
        clip = make_clip(world, seed, goal=goal, low_start=low)
    except ConfigError:
        if task == 'reach':
            raise
        return None
    return clip if clip.success else None


def _write(path: Path, clips: Sequence[Clip], views: Sequence[str]) -> None:
    colours = list(COLOURS)
    arrays: dict[str, Any] = {
        'start': np.cumsum([0, *(len(clip.joints) for clip in clips)]),
        'target': np.array([colours.index(clip.colour) for clip in clips]),
        'seed': np.array([clip.seed for clip in clips]),
    }
    for word in ('task', 'direction', 'onto'):
        arrays[word] = np.array([getattr(clip.goal, word) for clip in clips])
    for view in views:
        arrays[f'frames_{view}'] = np.concatenate([clip.frames[view] for clip in clips])
        arrays[f'masks_{view}'] = np.concatenate([clip.masks[view] for clip in clips])
        arrays[f'tip_{view}'] = np.concatenate([clip.tip_uv[view] for clip in clips]).astype(np.float32)
        arrays[f'marks_{view}'] = np.concatenate([clip.marks_uv[view] for clip in clips]).astype(np.float32)
        arrays[f'cubes_{view}'] = np.stack([clip.cube_uv[view] for clip in clips]).astype(np.float32)
        arrays[f'moved_{view}'] = np.concatenate([clip.moved_uv[view] for clip in clips]).astype(np.float32)
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        np.savez(file, **arrays)
    partial.rename(path)
