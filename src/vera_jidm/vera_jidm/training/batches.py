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
    """All views of each pair in consecutive rows, so B = P V."""

    picture: Tensor
    position: Tensor
    view: Tensor
    delta_q: Tensor
    """Shape (P, n), rad."""
    flow: Tensor
    """Shape (P, V, 2, h, w), px."""
    trust: Tensor
    """Shape (P, V, h, w)."""


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


def pair_batch(data: Pairs, rows: Array, rng: np.random.Generator | None) -> PairBatch:
    """Return pairs number `rows` of the data, with jitter when a generator is given."""
    views = data.flow.shape[1]
    return PairBatch(
        picture=_pictures(data.pictures[rows].reshape(-1, *data.pictures.shape[2:]), rng),
        position=_positions(np.repeat(data.position[rows], views, axis=0), rng),
        view=torch.arange(views).repeat(len(rows)),
        delta_q=torch.from_numpy(data.delta_q[rows].astype(np.float32)),
        flow=torch.from_numpy(data.flow[rows].astype(np.float32)),
        trust=torch.from_numpy(data.trust[rows].astype(np.float32)),
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
    noise = torch.from_numpy(rng.standard_normal(pictures.shape, dtype=np.float32)).mul_(float(rng.uniform(0, NOISE)))
    return pictures.mul_(gain).add_(shift).add_(noise).clamp_(0, 1)
