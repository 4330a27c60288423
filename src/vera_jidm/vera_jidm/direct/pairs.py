# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of moments with all that any estimator can learn from: both pictures, joints, joint step, exact and estimated flow."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_jidm.direct.protocol import StepQuery
from vera_jidm.flow.between import flow_between
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.solve.rows import pool_to_cells
from vera_jidm.training.dataset import GAPS, STEP_RANGE, Pairs, Report
from vera_jidm.training.labels import LabelSource, SceneLabels
from vera_jidm.training.recording import Recording

FlowKind = Literal['exact', 'estimated']
BLOCK = 25
"""Pairs of one recording that are labelled, and kept for the next run, together."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StepPairs:
    """P pairs of moments; pictures are kept once per moment, however many pairs it belongs to."""

    frames: RgbArray
    """Every moment, shape (M, V, H, W, 3), uint8."""
    first: Array
    """Row in `frames` before the step, shape (P,), int64."""
    second: Array
    """Row in `frames` after the step, shape (P,), int64."""
    position: FloatArray
    """Joints before the step, shape (P, n), rad."""
    delta_q: FloatArray
    """Measured joint step, shape (P, n), rad."""
    exact: Array
    """Exact flow, mean over each cell, shape (P, V, 2, h, w), float16, px."""
    estimated: Array
    """Flow the estimator sees, like `exact`."""
    trust: Array
    """Trust in the estimated flow, shape (P, V, h, w), float16."""

    def __len__(self) -> int:
        return len(self.position)

    def take(self, rows: Array) -> StepPairs:
        """Return some of the pairs; the moments are shared, not copied."""
        names = ('first', 'second', 'position', 'delta_q', 'exact', 'estimated', 'trust')
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def seen(self, kind: FlowKind) -> tuple[Array, Array]:
        """Return flow and trust of one kind; exact flow is trusted everywhere."""
        return (self.exact, np.ones_like(self.trust)) if kind == 'exact' else (self.estimated, self.trust)

    def for_field(self, kind: FlowKind) -> Pairs:
        """Return what a Jacobian field learns from: first picture, joint step and one kind of flow."""
        flow, trust = self.seen(kind)
        return Pairs(pictures=self.frames[self.first], position=self.position, delta_q=self.delta_q, flow=flow, trust=trust)

    def query(self, row: int, kind: FlowKind, views: Sequence[str]) -> StepQuery:
        """Return one pair as a question; the flow is constant within each cell, so pooling it again changes nothing."""
        flow, trust = self.seen(kind)
        height = self.frames.shape[2]
        stride = height // flow.shape[3]
        return StepQuery(
            before=dict(zip(views, self.frames[self.first[row]], strict=True)),
            after=dict(zip(views, self.frames[self.second[row]], strict=True)),
            flow=flow_between(
                {view: _to_pixels(cells.transpose(1, 2, 0), stride) for view, cells in zip(views, flow[row], strict=True)},
                {view: _to_pixels(cells, stride) for view, cells in zip(views, trust[row], strict=True)},
            ),
            position=self.position[row],
        )


def choose_pairs(recording: Recording, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return all pairs of moments whose joint step is within STEP_RANGE, in random order.

    No moment starts a second pair before every usable one has started a first, so small sets are as varied as the recording allows.
    """
    low, high = STEP_RANGE
    rounds: list[list[tuple[int, int]]] = [[] for _ in GAPS]
    for start in rng.permutation(len(recording)):
        ends = [int(start) + gap for gap in rng.permutation(GAPS).tolist() if start + gap < len(recording)]
        lengths = [float(np.linalg.norm(recording.position[end] - recording.position[start])) for end in ends]
        usable = [end for end, length in zip(ends, lengths, strict=True) if low <= length <= high]
        for turn, end in enumerate(usable):
            rounds[turn].append((int(start), end))
    return [pair for turn in rounds for pair in turn]


def label_pairs(
    recordings: Sequence[Recording],
    robot: Embodiment,
    source: LabelSource,
    estimator: FlowEstimator,
    *,
    stride: int,
    count: int,
    seed: int,
    cache: Path | None = None,
    report: Report,
) -> StepPairs:
    """Return `count` pairs spread evenly over the recordings, in turns: the first N of them are what a smaller `count` gives.

    Args:
        recordings: Self-play; each gives up to six pairs per moment.
        robot: Its views.
        source: Exact flow.
        estimator: Estimated flow; use another `cache` for another estimator.
        stride: Pixels per cell edge.
        count: Pairs wanted.
        seed: Which pairs.
        cache: Folder in which labels are kept for the next run.
        report: Called while labelling.

    Raises:
        ConfigError: If the recordings hold fewer usable pairs.
    """
    chosen = [choose_pairs(recording, np.random.default_rng([seed, _number(recording)])) for recording in recordings]
    turns = [(number, turn) for turn in range(count) for number, pairs in enumerate(chosen) if turn < len(pairs)][:count]
    if len(turns) < count:
        raise ConfigError(f'{len(recordings)} recordings hold {len(turns)} usable pairs of moments, {count} are wanted; record more')
    needed = [sum(1 for number, _ in turns if number == index) for index in range(len(recordings))]
    labels: list[tuple[Array, Array, Array]] = []
    done = 0
    for recording, pairs, wanted in zip(recordings, chosen, needed, strict=True):
        blocks = [pairs[start : start + BLOCK] for start in range(0, wanted, BLOCK)]
        parts = [_cached(recording, block, robot, source, estimator, stride, cache) for block in blocks]
        labels.append(tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True)) if parts else ())  # type: ignore[arg-type]
        done += wanted
        report('flow of pairs', done, count)
    offsets = np.cumsum([0, *map(len, recordings)])
    found = [(recordings[number], offsets[number], *chosen[number][turn]) for number, turn in turns]
    exact, estimated, trust = (np.stack([labels[number][part][turn] for number, turn in turns]) for part in range(3))
    return StepPairs(
        frames=np.concatenate([np.stack([recording.frames[view] for view in robot.view_names], axis=1) for recording in recordings]),
        first=np.array([offset + start for _, offset, start, _ in found], dtype=np.int64),
        second=np.array([offset + end for _, offset, _, end in found], dtype=np.int64),
        position=np.stack([recording.position[start] for recording, _, start, _ in found]),
        delta_q=np.stack([recording.position[end] - recording.position[start] for recording, _, start, end in found]),
        exact=exact,
        estimated=estimated,
        trust=trust,
    )


def _number(recording: Recording) -> int:
    """A number that stays with the recording, whichever others are read beside it."""
    return int.from_bytes(hashlib.sha256(recording.position.tobytes()).digest()[:4], 'little')


def _cached(
    recording: Recording,
    pairs: Sequence[tuple[int, int]],
    robot: Embodiment,
    source: LabelSource,
    estimator: FlowEstimator,
    stride: int,
    cache: Path | None,
) -> tuple[Array, Array, Array]:
    path = None if cache is None else cache / f'{recording.path.stem}-{_fingerprint(recording, pairs, stride)}.npz'
    if path is not None and path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return stored['exact'], stored['estimated'], stored['trust']
    exact, estimated, trust = _label(recording, pairs, robot, source(recording), estimator, stride)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix('.part')
        with beside.open('wb') as stream:
            np.savez_compressed(stream, exact=exact, estimated=estimated, trust=trust)
        beside.replace(path)
    return exact, estimated, trust


def _fingerprint(recording: Recording, pairs: Sequence[tuple[int, int]], stride: int) -> str:
    noted = repr((sorted(recording.metadata.items()), list(pairs), stride)).encode()
    return hashlib.sha256(recording.position.tobytes() + recording.stamps_ns.tobytes() + noted).hexdigest()[:16]


def _label(
    recording: Recording, pairs: Sequence[tuple[int, int]], robot: Embodiment, scene: SceneLabels, estimator: FlowEstimator, stride: int
) -> tuple[Array, Array, Array]:
    exact, estimated, trust = [], [], []
    for start, end in pairs:
        before, after = recording.position[start], recording.position[end]
        seen = [estimator.estimate(recording.frames[view][start], recording.frames[view][end]) for view in robot.view_names]
        exact.append(np.stack([pool_to_cells(scene.flow(view, before, after), stride).transpose(2, 0, 1) for view in robot.view_names]))
        estimated.append(np.stack([pool_to_cells(flow, stride).transpose(2, 0, 1) for flow, _ in seen]))
        trust.append(np.stack([pool_to_cells(share, stride) for _, share in seen]))
    return np.stack(exact).astype(np.float16), np.stack(estimated).astype(np.float16), np.stack(trust).astype(np.float16)


def _to_pixels(cells: Array, stride: int) -> FloatArray:
    return cells.astype(np.float32).repeat(stride, axis=0).repeat(stride, axis=1)
