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
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.solve.rows import pool_to_cells
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
class Pairs:
    """Two moments, the joint step between them and the motion a flow estimator sees."""

    pictures: RgbArray
    """The first moment, shape (P, V, H, W, 3), uint8."""
    position: FloatArray
    """Joints at the first moment, shape (P, n), rad."""
    delta_q: FloatArray
    """Measured joint step, shape (P, n), rad."""
    flow: Array
    """Estimated flow, mean over each cell, shape (P, V, 2, h, w), float16, px."""
    trust: Array
    """Trust in that flow, shape (P, V, h, w), float16."""

    def __len__(self) -> int:
        return len(self.position)

    def energy(self) -> float:
        """Mean over pictures of the trusted squared flow, px²."""
        trusted = self.trust[:, :, None].astype(np.float32) * np.square(self.flow.astype(np.float32))
        return float(trusted.sum() / (len(self) * self.flow.shape[1]))


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
        pictures=np.concatenate([_views(recording, robot, indices) for recording, indices in zip(recordings, chosen, strict=True)]),
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


def estimate_pairs(
    recordings: Sequence[Recording],
    robot: Embodiment,
    estimator: FlowEstimator,
    *,
    stride: int,
    per_recording: int,
    rng: np.random.Generator,
    report: Report,
) -> Pairs:
    """Return pairs of moments with the flow the estimator sees between them.

    Raises:
        ConfigError: If the robot hardly moves in any recording.
    """
    found = [(recording, pair) for recording in recordings for pair in find_pairs(recording, rng, per_recording)]
    if not found:
        raise ConfigError(f'no two moments of {len(recordings)} recordings are {STEP_RANGE} rad apart; the robot has to move in self-play')
    flows, trusts = [], []
    for number, (recording, (start, end)) in enumerate(found, 1):
        seen = [estimator.estimate(recording.frames[view][start], recording.frames[view][end]) for view in robot.view_names]
        flows.append(np.stack([pool_to_cells(flow, stride).transpose(2, 0, 1) for flow, _ in seen]).astype(np.float16))
        trusts.append(np.stack([pool_to_cells(trust, stride) for _, trust in seen]).astype(np.float16))
        if number % 50 == 0 or number == len(found):
            report('estimated flow', number, len(found))
    return Pairs(
        pictures=np.concatenate([_views(recording, robot, np.array([start])) for recording, (start, _) in found]),
        position=np.stack([recording.position[start] for recording, (start, _) in found]),
        delta_q=np.stack([recording.position[end] - recording.position[start] for recording, (start, end) in found]),
        flow=np.stack(flows),
        trust=np.stack(trusts),
    )


def _views(recording: Recording, robot: Embodiment, indices: Array) -> RgbArray:
    return np.stack([recording.frames[view][indices] for view in robot.view_names], axis=1)


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
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix('.part')
        with beside.open('wb') as stream:
            np.savez(stream, jacobian=jacobian, coverage=coverage)
        beside.replace(path)
    return jacobian, coverage


def _labels(labels: SceneLabels, positions: FloatArray, robot: Embodiment) -> tuple[Array, Array]:
    fields = [[labels.jacobian(view, position) for view in robot.view_names] for position in positions]
    jacobian = np.stack([np.stack([field.jacobian.transpose(3, 2, 0, 1) for field in views]) for views in fields])
    coverage = np.stack([np.stack([field.confidence for field in views]) for views in fields])
    return jacobian.astype(np.float16), coverage.astype(np.float16)
