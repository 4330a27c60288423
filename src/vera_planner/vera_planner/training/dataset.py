# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Expert clips read from a folder of `shard_*.npz` files; whoever writes them, a planner sees pictures and never a joint position.

Arrays of a shard (C clips, T frames in all): `start` (C + 1,) offsets, `target` (C,) colour index, and for every view
`frames_VIEW` (T, H, W, 3) uint8, `masks_VIEW` (T, H, W) uint8 robot coverage, `cubes_VIEW` (C, K, 2) pixels at the start, `tip_VIEW` (T, 2) pixels.
Where cubes are moved also `task`, `direction` and `onto` (C,) words and `moved_VIEW` (T, K, 2) pixels of the cubes' middles; without them a clip
is one of reach and its cubes stay where they are. Robots with fingers also have `marks_VIEW` (T, M, 2) pixels of points on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vera_core.errors import ConfigError
from vera_core.goals import Goal
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_planner.prompts import COLOURS


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClipSet:
    """Clips laid end to end in memory."""

    frames: Mapping[str, RgbArray]
    """View to (T, H, W, 3)."""
    masks: Mapping[str, Array]
    """View to (T, H, W), uint8, 255 where the robot covers the pixel."""
    tips: Mapping[str, FloatArray]
    """View to (T, 2), px; for evaluation only."""
    marks: Mapping[str, FloatArray]
    """View to (T, M, 2), px: points that tell how the fingers stand; M is 0 where the data has none."""
    cubes: Mapping[str, FloatArray]
    """View to (C, 4, 2), px, in the order of `prompts.COLOURS`."""
    moved: Mapping[str, FloatArray]
    """View to (T, 4, 2): how far every cube has come since the start of its clip, px."""
    goals: tuple[Goal, ...]
    """What every clip shows."""
    start: Array
    """Shape (C + 1,): clip c is frames start[c] .. start[c + 1] - 1."""
    target: Array
    """Shape (C,), index of the colour touched at the end."""

    @property
    def views(self) -> tuple[str, ...]:
        """View names."""
        return tuple(self.frames)

    @property
    def clip_of_frame(self) -> Array:
        """Clip index of every frame, shape (T,)."""
        return np.repeat(np.arange(len(self.target)), np.diff(self.start))

    def cubes_now(self, view: str, rows: Array) -> FloatArray:
        """Return the pixels of all cubes in frames `rows` (N,), shape (N, K, 2)."""
        return np.asarray(self.cubes[view][self.clip_of_frame[rows]] + self.moved[view][rows])

    def part(self, first: int, end: int) -> ClipSet:
        """Return clips first .. end - 1, sharing memory."""
        rows = slice(int(self.start[first]), int(self.start[end]))
        return ClipSet(
            frames={view: array[rows] for view, array in self.frames.items()},
            masks={view: array[rows] for view, array in self.masks.items()},
            tips={view: array[rows] for view, array in self.tips.items()},
            marks={view: array[rows] for view, array in self.marks.items()},
            cubes={view: array[first:end] for view, array in self.cubes.items()},
            moved={view: array[rows] for view, array in self.moved.items()},
            goals=self.goals[first:end],
            start=self.start[first : end + 1] - self.start[first],
            target=self.target[first:end],
        )

    def split(self, aside: int) -> tuple[ClipSet, ClipSet]:
        """Return all but the last `aside` clips, and those."""
        count = len(self.target)
        return self.part(0, count - aside), self.part(count - aside, count)


def load_clips(*folders: Path, max_clips: int | None = None) -> ClipSet:
    """Read the shards of folders in the order of their names.

    Raises:
        ConfigError: If the folder holds no shard, or one lacks an array; the text names it.
    """
    paths: list[Path] = []
    for folder in folders:
        paths += (found := sorted(folder.glob('shard_*.npz')))
        if not found:
            raise ConfigError(f"no shard_*.npz in '{folder}'; write a data set first")
    shards: list[dict[str, Array]] = []
    clips = 0
    for path in paths:
        with np.load(path) as file:
            shard = {name: file[name] for name in file.files}
        missing = {'start', 'target'} - set(shard)
        if missing:
            raise ConfigError(f"'{path}' lacks the arrays {sorted(missing)}; write the data set again")
        shards.append(shard)
        clips += len(shard['target'])
        if max_clips is not None and clips >= max_clips:
            break
    goals = tuple(goal for shard in shards for goal in _goals(shard))
    moved = [_moved(shard) for shard in shards]
    for shard in shards:
        for name in [name for name in shard if name.startswith('tip_')]:
            shard.setdefault(f'marks_{name.removeprefix("tip_")}', np.zeros((len(shard[name]), 0, 2), np.float32))
    views = [name.removeprefix('frames_') for name in shards[0] if name.startswith('frames_')]
    lengths = np.concatenate([np.diff(shard['start']) for shard in shards])

    def joined(prefix: str) -> dict[str, Array]:
        # Popping as it goes keeps the peak at one copy of a field instead of two of everything.
        return {view: np.concatenate([shard.pop(f'{prefix}_{view}') for shard in shards]) for view in views}

    target = np.concatenate([shard['target'] for shard in shards])
    return ClipSet(
        frames=joined('frames'),
        masks=joined('masks'),
        tips=joined('tip'),
        marks=joined('marks'),
        cubes=joined('cubes'),
        moved={view: np.concatenate([part[view] for part in moved]) for view in views},
        goals=goals,
        start=np.concatenate([[0], np.cumsum(lengths)]),
        target=target,
    )


def _goals(shard: Mapping[str, Array]) -> list[Goal]:
    """What the clips of a shard show."""
    words = {
        name: shard.get(name, np.full(len(shard['target']), default))
        for name, default in (('task', 'reach'), ('direction', ''), ('onto', ''))
    }
    return [
        Goal(
            task=str(words['task'][clip]),
            target='cube' if words['task'][clip] == 'rotate' else f'{COLOURS[int(colour)]}_cube',
            direction=str(words['direction'][clip]),
            onto=str(words['onto'][clip]),
        )
        for clip, colour in enumerate(shard['target'])
    ]


def _moved(shard: Mapping[str, Array]) -> dict[str, FloatArray]:
    """How far cubes have come since the start of their clips, (T, K, 2) per view."""
    views = [name.removeprefix('frames_') for name in shard if name.startswith('frames_')]
    lengths = np.diff(shard['start'])
    if f'moved_{views[0]}' not in shard:
        return {view: np.zeros((int(lengths.sum()), *shard[f'cubes_{view}'].shape[1:]), np.float32) for view in views}
    return {view: shard[f'moved_{view}'] - np.repeat(shard[f'moved_{view}'][shard['start'][:-1]], lengths, axis=0) for view in views}


def clean_plates(clips: ClipSet, *, samples: int = 400) -> dict[str, RgbArray]:
    """Return each view without robot and cubes, (H, W, 3) uint8: the median of what is seen where the robot is not.

    Pixels that the robot always covers take the median of everything; they are never shown.
    """
    plates = {}
    for view, frames in clips.frames.items():
        chosen = np.linspace(0, len(frames) - 1, min(samples, len(frames))).astype(int)
        pictures = frames[chosen].astype(np.float32)
        hidden = clips.masks[view][chosen] > 0
        never_seen = hidden.all(axis=0)
        pictures[hidden & ~never_seen] = np.nan
        plates[view] = np.clip(np.nanmedian(pictures, axis=0), 0, 255).astype(np.uint8)
    return plates
