# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains the grounding net on pictures, sentences and the pixels of what they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vera_core.shapes import Array
from vera_planner.models.grounding import CELL, Grounded, Grounding, read_heat
from vera_planner.prompts import COLOURS, NOTHING_NAMED, training_sentences
from vera_planner.training.autoencoder import LayerFrames
from vera_planner.training.dataset import ClipSet

TARGET_SIGMA = 0.7
"""Width of the wanted heat, cells."""
NOTHING_SHARE = 0.2
ABSENT_SHARE = 0.1
"""Share of pictures shown without any cube, where every sentence names nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """Sentence vectors to draw from."""

    by_colour: tuple[Tensor, ...]
    """One (S, 384) per colour."""
    nothing: Tensor
    """Shape (S, 384)."""


def training_vectors(encode: Callable[[list[str]], Tensor]) -> Sentences:
    """Encode every training sentence once; a sentence drawn more often keeps its repeats."""
    groups = []
    for sentences in training_sentences().values():
        unique = sorted(set(sentences))
        vectors = encode(unique)
        place = {sentence: i for i, sentence in enumerate(unique)}
        groups.append(vectors[[place[sentence] for sentence in sentences]])
    return Sentences(by_colour=tuple(groups), nothing=torch.cat([encode(list(NOTHING_NAMED)), torch.zeros(1, 384)]))


def draw_pictures(frames: LayerFrames, view: str, index: Array, rng: np.random.Generator) -> Tensor:
    """Return pictures (B, 3, H, W), 0..1; in half of them the robot is taken out as the background memory does it."""
    rgb, masks = frames.batch(torch.from_numpy(index))
    picture = rgb[view]
    covered = functional.max_pool2d((masks[view] > 0.02).float(), 5, 1, 2)
    without = torch.where(covered > 0, frames.plates[view], picture)
    choose = torch.from_numpy(rng.random(len(index)) < 0.5)[:, None, None, None]
    picture = torch.where(choose, without, picture)
    gain = torch.from_numpy(rng.uniform(0.93, 1.07, (len(index), 3, 1, 1)).astype(np.float32))
    return (picture * gain + 0.01 * torch.randn_like(picture)).clamp(0, 1)


def grounding_loss(
    net: Grounding, clips: ClipSet, frames: LayerFrames, sentences: Sentences, rng: np.random.Generator, *, batch: int = 12
) -> Tensor:
    """Cross entropy of the heat with a small bump at the wanted pixel, plus the distance of the position read from it, cells.

    Every picture is asked for all colours and once for something that is not there.
    """
    view = clips.views[int(rng.integers(len(clips.views)))]
    index = rng.integers(len(frames), size=batch)
    pictures = draw_pictures(frames, view, index, rng)
    uv = torch.from_numpy(clips.cubes_now(view, index)).float()
    absent = rng.random(batch) < ABSENT_SHARE
    if absent.any():
        pictures[torch.from_numpy(absent)] = frames.plates[view] + 0.01 * torch.randn_like(pictures[torch.from_numpy(absent)])
    features = net.features(pictures)
    rows, cols = features.shape[2:]
    grid_v, grid_u = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing='ij')
    total = torch.zeros(())
    for colour in range(len(COLOURS)):
        vectors = _draw(sentences.by_colour[colour], batch, rng)
        logits, nothing = net.logits(features, vectors)
        cell = (uv[:, colour] - (CELL - 1) / 2) / CELL
        inside = torch.from_numpy(~absent) & (cell > 0).all(1) & (cell[:, 0] < cols - 1) & (cell[:, 1] < rows - 1)
        bump = torch.exp(
            -((grid_u - cell[:, 0, None, None]) ** 2 + (grid_v - cell[:, 1, None, None]) ** 2) / (2 * TARGET_SIGMA**2)
        ).flatten(1)
        bump = bump / bump.sum(dim=1, keepdim=True).clamp_min(1e-6)
        wanted = torch.cat([bump * inside[:, None], (~inside).float()[:, None]], dim=1)
        log_heat = torch.log_softmax(torch.cat([logits.flatten(1), nothing[:, None]], dim=1), dim=1)
        total = total - (wanted * log_heat).sum(dim=1).mean()
        if inside.any():
            found = read_heat(logits[inside], nothing[inside]).uv
            total = total + 0.2 * functional.smooth_l1_loss(found / CELL, uv[inside, colour] / CELL)
    logits, nothing = net.logits(features, _draw(sentences.nothing, batch, rng))
    log_nothing = torch.log_softmax(torch.cat([logits.flatten(1), nothing[:, None]], dim=1), dim=1)[:, -1]
    return (total - len(COLOURS) * NOTHING_SHARE * log_nothing.mean()) / len(COLOURS) + word_loss(net, sentences, rng)


def word_loss(net: Grounding, sentences: Sentences, rng: np.random.Generator, *, each: int = 64) -> Tensor:
    """Cross entropy of telling which colour a sentence names, or none, over `each` sentences of every kind."""
    groups = (*sentences.by_colour, sentences.nothing)
    vectors = torch.cat([_draw(group, each, rng) for group in groups])
    return functional.cross_entropy(net.word(net.query(vectors)).float(), torch.arange(len(groups)).repeat_interleave(each))


def _draw(vectors: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    # A little noise keeps the query from leaning on one exact vector per sentence.
    return vectors[torch.from_numpy(rng.integers(len(vectors), size=count))] + 0.01 * torch.randn(count, vectors.shape[1])


@torch.no_grad()
def grounding_quality(
    net: Grounding, clips: ClipSet, frames: LayerFrames, by_colour: tuple[Tensor, ...], nothing: Tensor, index: Array
) -> dict[str, float]:
    """Return the share of goals whose nearest cube is the named one, the median error in px, and how often "nothing" is told rightly."""
    right, errors, refused, kept = [], [], [], []
    for view in clips.views:
        rgb, _ = frames.batch(torch.from_numpy(index))
        features = net.features(rgb[view])
        cubes = torch.from_numpy(clips.cubes_now(view, index)).float()
        for colour, vectors in enumerate(by_colour):
            for vector in vectors:
                found: Grounded = read_heat(*net.logits(features, vector.expand(len(index), -1)))
                distance = (found.uv[:, None] - cubes).norm(dim=2)
                right.append((distance.argmin(dim=1) == colour) & (distance[:, colour] < 5))
                errors.append(distance[:, colour])
                kept.append(found.nothing < 0.5)
        for vector in nothing:
            refused.append(read_heat(*net.logits(features, vector.expand(len(index), -1))).nothing > 0.5)
    return {
        'correct': float(torch.cat(right).float().mean()),
        'median_px': float(torch.cat(errors).median()),
        'p95_px': float(torch.cat(errors).quantile(0.95)),
        'accepted_when_named': float(torch.cat(kept).float().mean()),
        'refused_when_nothing_named': float(torch.cat(refused).float().mean()),
    }
