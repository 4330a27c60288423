# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Measures the whole dream on held-out clips and wordings: does the hand end at the cube named, and do the pictures beat trivial ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import Frame
from vera_planner.backends.embedded import EmbeddedPlanner
from vera_planner.background import paint
from vera_planner.language import SentenceEncoder
from vera_planner.planner import PlanRequest
from vera_planner.prompts import COLOURS, held_out_sentences
from vera_planner.training.autoencoder import LayerFrames, true_poses
from vera_planner.training.dataset import ClipSet, load_clips
from vera_planner.training.dynamics import Windows, make_windows
from vera_planner.weights import EmbeddedModel

CHAIN = 2
"""Dreams played one after the other, each on the frames of the one before: the longest expert motions outlast one."""


@dataclass(slots=True)
class _Tally:
    nearest: list[bool] = field(default_factory=list)
    error_px: list[float] = field(default_factory=list)

    def add(self, tip: FloatArray, cubes: FloatArray, colour: int) -> None:
        """Count one dream; `tip` (V, 2) and `cubes` (V, 4, 2), px. Distances are means over the views."""
        distance = np.linalg.norm(cubes - tip[:, None], axis=2).mean(axis=0)
        self.nearest.append(int(distance.argmin()) == colour)
        self.error_px.append(float(distance[colour]))

    def row(self) -> dict[str, float]:
        """Figures of this tally."""
        return {
            'n': len(self.nearest),
            'nearest_is_named': round(float(np.mean(self.nearest)), 4),
            'median_px': round(float(np.median(self.error_px)), 2),
            'p90_px': round(float(np.percentile(self.error_px, 90)), 2),
        }


def evaluate_planner(
    held_out_dir: Path, *, train_dir: Path | None = None, weights: str = '', clips: int = 50, seed: int = 0, json_path: Path | None = None
) -> dict[str, Any]:
    """Return the figures of the embedded planner and write them as JSON if asked to.

    Args:
        held_out_dir: Clips no training saw.
        train_dir: Training clips, for the retrieval baseline; None leaves it out.
        weights: File or folder of weights; empty for those of the package.
        clips: How many held-out clips.
        seed: Seed of the choice of wordings.
        json_path: Where to write the figures.
    """
    held_out = load_clips(held_out_dir, max_clips=clips)
    clips = min(clips, len(held_out.target))
    planner = EmbeddedPlanner(weights=weights)
    figures: dict[str, Any] = {'clips': clips, 'weights': planner.name, 'locator': locator_error(planner.model, held_out)}
    figures['steering'] = steering(planner, held_out, clips, np.random.default_rng(seed))
    bank = RetrievalBank(planner.model, _training_windows(planner.model, train_dir)) if train_dir else None
    figures['pictures'] = picture_quality(planner, held_out, clips, bank)
    if json_path is not None:
        json_path.write_text(json.dumps(figures, indent=1) + '\n', encoding='utf-8')
    return figures


def _training_windows(model: EmbeddedModel, train_dir: Path) -> Windows:
    clips = load_clips(train_dir)
    return make_windows(clips, true_poses(model.layer, LayerFrames(clips, model.plates)), model.dynamics.size.horizon)


def request_from(frames: Mapping[str, RgbArray], task_id: int, step_dt_s: float) -> PlanRequest:
    """Return a request whose context is the given real frames, (C, H, W, 3) per view."""
    context = {
        view: tuple(Frame(view=view, stamp_ns=round(i * step_dt_s * 1e9), rgb=rgb) for i, rgb in enumerate(pictures))
        for view, pictures in frames.items()
    }
    return PlanRequest(task_id=task_id, plan_id=task_id, prompt='evaluation', context=context, step_dt_s=step_dt_s)


def steering(planner: EmbeddedPlanner, held_out: ClipSet, clips: int, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Ask for each of the four cubes in every layout, in held-out words and with an empty sentence vector; see where the hand ends."""
    encoder = SentenceEncoder()
    sentences = held_out_sentences()
    tallies = {name: _Tally() for name in ('held-out wordings, one dream', 'held-out wordings', 'empty sentence vector')}
    task = 0
    for clip in range(clips):
        first = int(held_out.start[clip])
        cubes = np.stack([held_out.cubes[view][clip] for view in held_out.views])
        start = {view: held_out.frames[view][first : first + 1] for view in held_out.views}
        for colour, name in enumerate(COLOURS):
            task += 1
            vector = encoder.encode(str(rng.choice(sentences[name])))
            first_dream, end = _chained(planner, start, vector, task)
            tallies['held-out wordings, one dream'].add(locate(planner.model, first_dream), cubes, colour)
            tallies['held-out wordings'].add(locate(planner.model, end), cubes, colour)
        # Without a sentence the dream cannot depend on the colour, so one dream answers for all four.
        task += 1
        _, end = _chained(planner, start, torch.zeros(384), task)
        for colour in range(len(COLOURS)):
            tallies['empty sentence vector'].add(locate(planner.model, end), cubes, colour)
    return {name: tally.row() for name, tally in tallies.items()}


def _chained(
    planner: EmbeddedPlanner, start: Mapping[str, RgbArray], sentence: Tensor, task: int
) -> tuple[dict[str, RgbArray], dict[str, RgbArray]]:
    """Return the first and the last of CHAIN dreams, each on the frames of the one before."""
    first, _ = planner.dream(request_from(start, task, planner.step_dt_s), sentence)
    frames = first
    for _ in range(CHAIN - 1):
        tail = {view: pictures[-3:] for view, pictures in frames.items()}
        frames, _ = planner.dream(request_from(tail, task, planner.step_dt_s), sentence)
    return first, frames


@torch.no_grad()
def locate(model: EmbeddedModel, frames: Mapping[str, RgbArray]) -> FloatArray:
    """Return the fingertip seen in the last of the frames, shape (V, 2), px."""
    pictures = {view: _tensor(frames[view][-1:]) for view in model.views}
    plates = {view: _tensor(plate[None]) for view, plate in model.plates.items()}
    found = model.locator(model.layer.encode(pictures, plates))[0]
    return np.asarray(found.view(-1, 2).numpy() * np.array(model.working_size[::-1]))


@torch.no_grad()
def locator_error(model: EmbeddedModel, held_out: ClipSet) -> dict[str, float]:
    """Return the locator's median and 95th percentile error on real last frames and on decoded true ones, px."""
    frames = LayerFrames(held_out, model.plates)
    last = torch.from_numpy(np.asarray(held_out.start[1:] - 1))
    rgb, _ = frames.batch(last)
    true = np.stack([held_out.tips[view][last.numpy()] for view in model.views], axis=1)
    out = {}
    decoded = model.layer.decode(model.layer.latent(frames.thumbnails(last)))
    again = {view: alpha * colour + (1 - alpha) * frames.plates[view] for view, (colour, alpha) in decoded.items()}
    for name, pictures in (('real', rgb), ('decoded', again)):
        found = model.locator(model.layer.encode(pictures, frames.plates)).view(len(last), -1, 2).numpy() * np.array(
            model.working_size[::-1]
        )
        error = np.linalg.norm(found - true, axis=2).mean(axis=1)
        out[f'{name}_median_px'], out[f'{name}_p95_px'] = round(float(np.median(error)), 2), round(float(np.percentile(error, 95)), 2)
    return out


class RetrievalBank:
    """The strongest simple rival: the training window with the nearest start and goal, painted by the same decoder on the same background."""

    def __init__(self, model: EmbeddedModel, windows: Windows) -> None:
        self._model, self._windows = model, windows
        std = model.dynamics.latent_std
        self._keys = torch.cat([self._windows.latents[self._windows.past[:, 2]] / std.norm(), 4 * self._windows.goals], dim=1)

    def path(self, latent: Tensor, goals: Tensor) -> Tensor:
        """Return latents 1..T, (T, latent), of the nearest window for a latent (latent,) and goals (2 V,) over the picture's size."""
        key = torch.cat([latent / self._model.dynamics.latent_std.norm(), 4 * goals])
        best = int((self._keys - key).square().sum(dim=1).argmin())
        return self._windows.latents[self._windows.future[best]]


@torch.no_grad()
def picture_quality(planner: EmbeddedPlanner, held_out: ClipSet, clips: int, bank: RetrievalBank | None) -> dict[str, dict[str, float]]:
    """Compare the dream of the true target with a still picture, with retrieval, and with the decoder's ceiling, from rest and mid-motion."""
    encoder, model = SentenceEncoder(), planner.model
    rows: dict[str, list[tuple[float, float]]] = {}
    frames_all = LayerFrames(held_out, model.plates)
    for clip in range(clips):
        first, end = int(held_out.start[clip]), int(held_out.start[clip + 1])
        sentence = encoder.encode(held_out_sentences()[COLOURS[int(held_out.target[clip])]][clip % 8])
        for place, now in (('rest', first), ('mid', first + (end - first) // 3)):
            context = {view: held_out.frames[view][max(first, now - 2) : now + 1] for view in model.views}
            rows_true = np.minimum(end - 1, now + 1 + np.arange(model.dynamics.size.horizon))
            request = request_from(context, 100000 + 2 * clip + (place == 'mid'), planner.step_dt_s)
            dream, _ = planner.dream(request, sentence)
            candidates = {'dream': {view: pictures[1:] for view, pictures in dream.items()}}
            candidates['static copy'] = {view: np.repeat(context[view][-1:], len(rows_true), axis=0) for view in model.views}
            backgrounds = {view: planner.background(view) for view in model.views}
            candidates['decoder ceiling'] = _paint(
                model, model.layer.latent(frames_all.thumbnails(torch.from_numpy(rows_true))), backgrounds
            )
            if bank is not None:
                latent = model.layer.latent(frames_all.thumbnails(torch.tensor([now])))[0]
                goal = np.concatenate(
                    [held_out.cubes[view][clip, held_out.target[clip]] / np.array(model.working_size[::-1]) for view in model.views]
                )
                candidates['retrieval'] = _paint(model, bank.path(latent, torch.from_numpy(goal).float()), backgrounds)
            for name, made in candidates.items():
                for view in model.views:
                    true = held_out.frames[view][rows_true]
                    likeness = float(np.mean([ssim(a, b) for a, b in zip(made[view], true, strict=True)]))
                    rows.setdefault(f'{place}, {name}', []).append((psnr(made[view], true), likeness))
    means = {name: np.mean(pairs, axis=0) for name, pairs in rows.items()}
    return {name: {'psnr_db': round(float(mean[0]), 2), 'ssim': round(float(mean[1]), 4)} for name, mean in means.items()}


def _paint(model: EmbeddedModel, path: Tensor, backgrounds: Mapping[str, RgbArray]) -> dict[str, RgbArray]:
    layers = model.layer.decode(path)
    return {view: paint(layers[view], backgrounds[view]) for view in model.views}


def psnr(made: RgbArray, true: RgbArray) -> float:
    """Peak signal to noise ratio, dB, averaged over frames (T, H, W, 3)."""
    squared = ((made.astype(np.float32) - true) ** 2).mean(axis=(1, 2, 3))
    return float((10 * np.log10(255.0**2 / np.maximum(squared, 1e-6))).mean())


def ssim(made: RgbArray, true: RgbArray) -> float:
    """Structural similarity of two pictures (H, W, 3) in grey with a Gaussian window of 1.5 px [Wang et al. 2004]."""
    a, b = (cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float64) for picture in (made, true))

    def smooth(x: FloatArray) -> FloatArray:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5))

    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b, both = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2, smooth(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mean_a * mean_b + c1) * (2 * both + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _tensor(pictures: RgbArray) -> Tensor:
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255
