# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Self-play as arrays in memory: pictures with labels, and pairs of moments with the motion between them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_jidm.training.labels import LabelSource, SceneLabels
from vera_jidm.training.recording import Recording

GAPS = (1, 2, 3, 4, 6, 8)
"""Frames that may lie between the two moments of a pair."""
STEP_RANGE = (0.05, 0.2)
"""Length of the joint step wanted of a pair, rad; larger steps leave the range in which the field is linear."""
Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Moments:
    """Pictures with the exact field."""

    pictures: RgbArray
    """Shape (N, V, H, W, 3), uint8."""
    position: FloatArray
    """Shape (N, n), rad."""
    jacobian: Array
    """Shape (N, V, n, 2, h, w), float16, px/rad."""
    coverage: Array
    """Share of each cell that shows the robot, shape (N, V, h, w), float16."""

    def __len__(self) -> int:
        return len(self.position)

    def energy(self) -> FloatArray:
        """Mean squared sum of the exact field, shape (V, n), px²/rad²."""
        total = np.zeros(self.jacobian.shape[1:3])
        for field in self.jacobian:
            total += np.square(field.astype(np.float32)).sum(axis=(2, 3, 4))
        return total / len(self)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Waypoints:
    """Where the first pair of every start goes on to: half way and at its end."""

    pictures: RgbArray
    """Shape (S, 2, V, H, W, 3), uint8."""
    position: FloatArray
    """Shape (S, 2, n), rad."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pairs:
    """Moments, joint steps away from them and the motion a flow estimator sees; K pairs in a row, usually one, share their first moment."""

    pictures: RgbArray
    """The first moments, shape (S, V, H, W, 3), uint8."""
    position: FloatArray
    """Joints at the first moments, shape (S, n), rad."""
    delta_q: FloatArray
    """Measured joint steps, shape (S K, n), rad."""
    flow: Array
    """Estimated flow, mean over each cell, shape (S K, V, 2, h, w), float16, px."""
    trust: Array
    """Trust in that flow, shape (S K, V, h, w), float16."""
    waypoints: Waypoints | None = None
    """Only kept for losses that look at more than the first picture."""

    def __len__(self) -> int:
        """Number S of first moments."""
        return len(self.position)

    @property
    def steps(self) -> int:
        """Number K of joint steps from every first moment."""
        return len(self.delta_q) // len(self.position)

    def energy(self, charbonnier_px: float = 0.0) -> float:
        """Mean over flows of one view of the trusted squared flow, px²; or of its Charbonnier length, px, see losses.penalty."""
        squared = np.square(self.flow.astype(np.float32)).sum(axis=2)
        sizes = squared if charbonnier_px == 0 else np.sqrt(squared + charbonnier_px**2) - charbonnier_px
        return float((self.trust.astype(np.float32) * sizes).sum() / (len(self.flow) * self.flow.shape[1]))


def split_recordings(paths: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Return recordings for training, for choosing the best weights, and held out: about 90, 5 and 5 percent, by name only.

    Raises:
        ConfigError: If there are fewer than three recordings.
    """
    ordered = sorted(paths, key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    if len(ordered) < 3:
        raise ConfigError(
            f'{len(ordered)} recordings are too few: three are needed, to train, to choose and to hold out; record more with: vera collect'
        )
    share = max(1, len(ordered) // 20)
    return sorted(ordered[2 * share :]), sorted(ordered[:share]), sorted(ordered[share : 2 * share])


def label_moments(
    recordings: Sequence[Recording], robot: Embodiment, source: LabelSource, *, every: int, cache: Path | None, report: Report
) -> Moments:
    """Return every n-th moment of the recordings with its exact field; labels are kept in `cache` for the next run."""
    chosen = [np.arange(0, len(recording), every) for recording in recordings]
    count, done = sum(map(len, chosen)), 0
    fields: list[tuple[Array, Array]] = []
    for recording, indices in zip(recordings, chosen, strict=True):
        path = None if cache is None else cache / f'{recording.path.stem}-{_fingerprint(recording, indices)}.npz'
        fields.append(_cached_labels(recording, indices, robot, source, path))
        done += len(indices)
        report('exact labels', done, count)
    return Moments(
        pictures=np.concatenate([take_pictures(recording, robot, indices) for recording, indices in zip(recordings, chosen, strict=True)]),
        position=np.concatenate([recording.position[indices] for recording, indices in zip(recordings, chosen, strict=True)]),
        jacobian=np.concatenate([jacobian for jacobian, _ in fields]),
        coverage=np.concatenate([coverage for _, coverage in fields]),
    )


def find_pairs(recording: Recording, rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Return up to `count` pairs of moments whose joint step is within STEP_RANGE, spread over the recording."""
    pairs: list[tuple[int, int]] = []
    low, high = STEP_RANGE
    for start in rng.permutation(len(recording)):
        ends = [start + gap for gap in GAPS if start + gap < len(recording)]
        steps = [float(np.linalg.norm(recording.position[end] - recording.position[start])) for end in ends]
        usable = [end for end, step in zip(ends, steps, strict=True) if low <= step <= high]
        if usable:
            pairs.append((int(start), int(rng.choice(usable))))
        if len(pairs) == count:
            break
    return pairs


def take_pictures(recording: Recording, robot: Embodiment, indices: Array) -> RgbArray:
    """Return pictures of all views at some moments, shape (N, V, H, W, 3)."""
    return np.stack([recording.frames[view][indices] for view in robot.view_names], axis=1)


def save_arrays(path: Path, **arrays: Array) -> None:
    """Write arrays for a later run; an interrupted write leaves nothing behind that could be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix('.part')
    with beside.open('wb') as stream:
        # mypy takes the arrays for the option allow_pickle of savez.
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    beside.replace(path)


def _fingerprint(recording: Recording, indices: Array) -> str:
    content = recording.position[indices].tobytes() + recording.stamps_ns.tobytes() + repr(sorted(recording.metadata.items())).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _cached_labels(recording: Recording, indices: Array, robot: Embodiment, source: LabelSource, path: Path | None) -> tuple[Array, Array]:
    if path is not None and path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return stored['jacobian'], stored['coverage']
    labels = source(recording)
    jacobian, coverage = _labels(labels, recording.position[indices], robot)
    if path is not None:
        save_arrays(path, jacobian=jacobian, coverage=coverage)
    return jacobian, coverage


def _labels(labels: SceneLabels, positions: FloatArray, robot: Embodiment) -> tuple[Array, Array]:
    fields = [[labels.jacobian(view, position) for view in robot.view_names] for position in positions]
    jacobian = np.stack([np.stack([field.jacobian.transpose(3, 2, 0, 1) for field in views]) for views in fields])
    coverage = np.stack([np.stack([field.confidence for field in views]) for views in fields])
    return jacobian.astype(np.float16), coverage.astype(np.float16)
