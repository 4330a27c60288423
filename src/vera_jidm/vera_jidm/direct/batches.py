# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Draws training batches for direct networks: what one sees of each pair, with jitter and, if wanted, turned-around motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vera_core.shapes import Array, RgbArray
from vera_jidm.direct.config import Sight
from vera_jidm.direct.network import flow_planes, image_planes
from vera_jidm.direct.pairs import FlowKind, StepPairs
from vera_jidm.training.batches import ENCODER_NOISE_RAD, JITTER, NOISE

FLOW_SCALES = (0.5, 1.427)
"""Flow and its step are multiplied by plus or minus a number in this range, whose mean square is 1, so that zero still scores 1.0."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StepBatch:
    """P pairs as a StepNetwork takes them."""

    planes: Tensor
    """Shape (P, V, PLANES, H, W)."""
    position: Tensor
    """Shape (P, n), rad."""
    delta_q: Tensor
    """Shape (P, n), rad."""


def step_batch(data: StepPairs, rows: Array, *, sees: Sight, kind: FlowKind, rng: np.random.Generator | None, turned: bool) -> StepBatch:
    """Return pairs number `rows` of the data.

    Args:
        data: All pairs.
        rows: Which of them, shape (P,).
        sees: What the network looks at.
        kind: Which flow, when it looks at flow.
        rng: Jitters colours and joints, the two pictures of a pair alike; None takes everything as it is.
        turned: Also teach other motions that are known to be true: half of the picture pairs backwards with the opposite step, flow and
            step multiplied by one number (to first order the flow is linear in the step; the field has that built in).
    """
    first, second = data.first[rows], data.second[rows]
    position, delta_q = data.position[rows], data.delta_q[rows]
    if sees == 'images':
        if rng is not None and turned:
            back = rng.random(len(rows)) < 0.5
            first, second = np.where(back, second, first), np.where(back, first, second)
            position = position + back[:, None] * delta_q
            delta_q = np.where(back[:, None], -delta_q, delta_q)
        pictures = _jittered(np.stack([data.frames[first], data.frames[second]], axis=1), rng)
        planes = image_planes(pictures[:, 0], pictures[:, 1])
    else:
        flow, trust = (array[rows].astype(np.float32) for array in data.seen(kind))
        if rng is not None and turned:
            scale = rng.uniform(*FLOW_SCALES, len(rows)) * rng.choice((-1.0, 1.0), len(rows))
            flow = flow * scale.astype(np.float32)[:, None, None, None, None]
            delta_q = delta_q * scale[:, None]
        pictures = _jittered(data.frames[first][:, None], rng)
        planes = flow_planes(pictures[:, 0], torch.from_numpy(flow), torch.from_numpy(trust))
    noise = 0.0 if rng is None else rng.normal(0, ENCODER_NOISE_RAD, position.shape)
    return StepBatch(
        planes=planes,
        position=torch.from_numpy((position + noise).astype(np.float32)),
        delta_q=torch.from_numpy(delta_q.astype(np.float32)),
    )


def _jittered(rgb: RgbArray, rng: np.random.Generator | None) -> Tensor:
    """Return pictures (P, T, V, H, W, 3) as (P, T, V, 3, H, W), 0..1; T moments of a view share their colours, not their noise."""
    pictures = torch.from_numpy(np.ascontiguousarray(np.moveaxis(rgb, -1, 3))).float().div_(255)
    if rng is None:
        return pictures
    pairs, views = rgb.shape[0], rgb.shape[2]
    gain = rng.uniform(1 - JITTER, 1 + JITTER, (pairs, 1, views, 3, 1, 1)) * rng.uniform(1 - JITTER, 1 + JITTER, (pairs, 1, views, 1, 1, 1))
    shift = rng.uniform(-JITTER / 2, JITTER / 2, (pairs, 1, views, 1, 1, 1))
    noise = torch.from_numpy(rng.standard_normal(pictures.shape, dtype=np.float32)).mul_(float(rng.uniform(0, NOISE)))
    return pictures.mul_(_tensor(gain)).add_(_tensor(shift)).add_(noise).clamp_(0, 1)


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
