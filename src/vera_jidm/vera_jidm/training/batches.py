# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Draws training batches: pictures with jittered colours as tensors, a pass through all data before anything repeats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vera_core.shapes import Array, RgbArray
from vera_jidm.training.dataset import Moments, Pairs

JITTER = 0.1
"""Share by which brightness, contrast and each colour vary in training."""
NOISE = 0.02
"""Standard deviation of pixel noise in training, of 0..1."""
BYTE_STD = 73.9
"""Standard deviation of evenly spread integers from -128 to 127."""
ENCODER_NOISE_RAD = 0.01
"""Standard deviation by which measured joints vary in training, rad."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MomentBatch:
    """One picture per row."""

    picture: Tensor
    """Shape (B, 3, H, W), 0..1."""
    position: Tensor
    """Shape (B, n), rad."""
    view: Tensor
    """Shape (B,), int64."""
    jacobian: Tensor
    """Shape (B, n, 2, h, w), px/rad."""
    coverage: Tensor
    """Shape (B, h, w)."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PairBatch:
    """First moments of pairs, T = 1, or with the moments half way and at the end of the first pair, T = 3; all views in consecutive rows."""

    picture: Tensor
    """Shape (T S V, 3, H, W), 0..1: first all starts, then all middles, then all ends."""
    position: Tensor
    """Shape (T S V, n), rad."""
    view: Tensor
    """Shape (T S V,), int64."""
    delta_q: Tensor
    """Shape (S, K, n), rad."""
    first_half: Tensor
    """Joint step to the moment half way, shape (S, n), rad; zero for T = 1."""
    flow: Tensor
    """Shape (S, K, V, 2, h, w), px."""
    trust: Tensor
    """Shape (S, K, V, h, w)."""


def cycle(count: int, size: int, rng: np.random.Generator) -> Iterator[Array]:
    """Yield index batches for ever; every index comes once before any comes again."""
    size = min(size, count)
    while True:
        order = rng.permutation(count)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]


def moment_batch(data: Moments, rows: Array, rng: np.random.Generator | None) -> MomentBatch:
    """Return (moment, view) number `rows` of the data, with jitter when a generator is given."""
    views = data.jacobian.shape[1]
    moment, view = rows // views, rows % views
    return MomentBatch(
        picture=_pictures(data.pictures[moment, view], rng),
        position=_positions(data.position[moment], rng),
        view=torch.from_numpy(view.astype(np.int64)),
        jacobian=torch.from_numpy(data.jacobian[moment, view].astype(np.float32)),
        coverage=torch.from_numpy(data.coverage[moment, view].astype(np.float32)),
    )


def pair_batch(data: Pairs, rows: Array, rng: np.random.Generator | None, *, waypoints: bool = False) -> PairBatch:
    """Return first moments number `rows` with all their pairs, with jitter when a generator is given."""
    views, steps = data.flow.shape[1], data.steps
    pairs = (rows[:, None] * steps + np.arange(steps)).ravel()
    pictures, positions = [data.pictures[rows]], [data.position[rows]]
    if waypoints:
        assert data.waypoints is not None
        pictures += [data.waypoints.pictures[rows, index] for index in (0, 1)]
        positions += [data.waypoints.position[rows, index] for index in (0, 1)]
    first_half = positions[1] - positions[0] if waypoints else np.zeros_like(positions[0])
    return PairBatch(
        picture=_pictures(np.concatenate(pictures).reshape(-1, *data.pictures.shape[2:]), rng),
        position=_positions(np.repeat(np.concatenate(positions), views, axis=0), rng),
        view=torch.arange(views).repeat(len(pictures) * len(rows)),
        delta_q=torch.from_numpy(data.delta_q[pairs].astype(np.float32)).unflatten(0, (len(rows), steps)),
        first_half=torch.from_numpy(first_half.astype(np.float32)),
        flow=torch.from_numpy(data.flow[pairs].astype(np.float32)).unflatten(0, (len(rows), steps)),
        trust=torch.from_numpy(data.trust[pairs].astype(np.float32)).unflatten(0, (len(rows), steps)),
    )


def _positions(position: Array, rng: np.random.Generator | None) -> Tensor:
    noise = 0.0 if rng is None else rng.normal(0, ENCODER_NOISE_RAD, position.shape)
    return torch.from_numpy((position + noise).astype(np.float32))


def _pictures(rgb: RgbArray, rng: np.random.Generator | None) -> Tensor:
    pictures = torch.from_numpy(np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))).float().div_(255)
    if rng is None:
        return pictures
    count = len(rgb)
    gain = torch.from_numpy(rng.uniform(1 - JITTER, 1 + JITTER, (count, 3, 1, 1)).astype(np.float32))
    gain *= torch.from_numpy(rng.uniform(1 - JITTER, 1 + JITTER, (count, 1, 1, 1)).astype(np.float32))
    shift = torch.from_numpy(rng.uniform(-JITTER / 2, JITTER / 2, (count, 1, 1, 1)).astype(np.float32))
    # Random bytes: a tenth of the time that normal numbers take, which was a twentieth of a step.
    noise = torch.frombuffer(bytearray(rng.bytes(pictures.numel())), dtype=torch.int8).reshape(pictures.shape)
    noise = noise * float(rng.uniform(0, NOISE) / BYTE_STD)
    return pictures.mul_(gain).add_(shift).add_(noise).clamp_(0, 1)
