# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains the layers of robots besides that of reach: what finds and paints the fingers of one that looks the same otherwise, or all of another's."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vera_core.errors import ConfigError
from vera_planner.models.marks import MarkReader
from vera_planner.models.refiner import Refiner, cut, spots_in, window_of
from vera_planner.models.robot_layer import LayerSize, RobotLayer
from vera_planner.training.autoencoder import LayerFrames, fit_pca, layer_loss, layer_quality, sharpener_loss, spotter_loss, true_poses
from vera_planner.training.dataset import ClipSet, clean_plates
from vera_planner.training.loop import Progress, StageSettings, run_stage
from vera_planner.weights import EmbeddedModel, build_marked, build_own

Stage = tuple[str, nn.Module, Callable[[], Tensor]]
"""Name, what is trained, and its loss."""
SHARES = {'spotter': 0.1, 'marks': 0.15, 'sharpener': 0.5, 'refiner': 0.25}
"""How the time is divided."""
OWN_SHARES = {'spotter': 0.15, 'sharpener': 0.85}
OWN_SIZE = LayerSize(latent=32, hidden=128, width=48, blocks=2, half=16)
"""Of a hand that moves a finger: it takes few postures."""
PCA_SAMPLES = 3000
LEARNING_RATES = {'spotter': 1e-3, 'marks': 1.5e-3, 'sharpener': 7e-4, 'refiner': 1.5e-3}
LAYER_BATCH, MARKS_BATCH, REFINER_BATCH = 8, 32, 16
PAINTED = 4000
"""So many frames are painted without fingers once, and refined again and again."""
MARK_WEIGHT, MARK_RADIUS_PX = 4.0, 4.0
"""How much more pixels round a mark count, and how far round it, px."""
LATENT_NOISE = 0.1
"""Standard deviation of noise on the latents that marks are read with: what the spotter gets wrong on a real picture."""
CENTRE_NOISE_PX = 1.0
MEASURED = 200
"""So many frames of the held-out clips give the figures."""
POSE_NOISE = 0.05
"""Standard deviation of noise on poses that are painted, so that an imperfect forecast still gives clean fingers."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LayerLesson:
    """What a layer is trained from, and for how long."""

    base: EmbeddedModel
    """Weights of the robot of reach, whose grounding is kept."""
    base_name: str
    """Name of their file, which has to lie beside that of the new weights."""
    clips: ClipSet
    held_out: ClipSet
    """Clips for the figures."""
    folder: Path
    """Gets checkpoints, from which an interrupted training goes on."""
    minutes: float
    """Time budget, min."""
    seed: int = 0
    """Of initial weights and batches."""
    command: str
    """Written into the page."""
    report: Callable[[Progress], None] = lambda progress: None
    """Called after every step."""

    def begin(self) -> None:
        """Make ready for a training that can be repeated."""
        torch.set_num_threads(1)
        torch.manual_seed(self.seed)
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(
        self, stages: tuple[Stage, ...], shares: Mapping[str, float], *, before: Mapping[str, Callable[[], None]] | None = None
    ) -> dict[str, Any]:
        """Run stages one after the other; return what the page says about them."""
        done = {}
        for name, module, loss in stages:
            if before and name in before:
                before[name]()
            module.requires_grad_(True)
            seconds = 60 * self.minutes * shares[name]
            settings = StageSettings(name=name, seconds=seconds, learning_rate=LEARNING_RATES[name], low_precision=name != 'marks')
            progress = run_stage(settings, [module], loss, self.folder, report=self.report)
            module.eval().requires_grad_(False)
            done[name] = {'steps': progress.steps, 'loss': round(progress.loss, 4), 'seconds': round(seconds)}
        return done

    def page(self, done: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
        """Return the page of the weights."""
        clips = self.clips
        return {
            'command': self.command,
            'seed': self.seed,
            'made': datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d'),
            'data': {'clips': len(clips.target), 'frames': len(clips.clip_of_frame), 'held_out_clips': len(self.held_out.target)},
            'training': dict(done),
            'figures': dict(figures),
        }


def train_marked_layer(lesson: LayerLesson) -> EmbeddedModel:
    """Train spotter, mark reader, painter and refiner of a robot that looks like that of the base but for its fingers; the base's latent is kept.

    Raises:
        ConfigError: If the clips show other views or no marks.
    """
    base, clips = lesson.base, lesson.clips
    marks = next(iter(clips.marks.values())).shape[1]
    if clips.views != base.views or not marks:
        raise ConfigError(
            f'the clips have views {", ".join(clips.views)} and {marks} marks; views {", ".join(base.views)} and marks are needed'
        )
    lesson.begin()
    plates = clean_plates(clips)
    model = build_marked(base, lesson.base_name, marks, plates, {})
    layer, reader, latent = model.layer, model.marks, base.layer.size.latent
    assert reader is not None
    frames = LayerFrames(clips, plates)
    poses = true_poses(layer, frames)
    generator = torch.Generator().manual_seed(lesson.seed)
    painter = Painter(layer, frames, poses, generator)

    def drawn(count: int) -> Tensor:
        return torch.randint(0, len(frames), (count,), generator=generator)

    stages: tuple[Stage, ...] = (
        ('spotter', layer.spotters, lambda: spotter_loss(layer, frames, drawn(LAYER_BATCH))),
        ('marks', reader, lambda: marks_loss(reader, frames, poses[:, :latent], drawn(MARKS_BATCH), generator)),
        ('sharpener', layer.tuned(), lambda: sharpener_loss(layer, frames, poses[:, :latent], drawn(LAYER_BATCH), generator)),
        ('refiner', layer.refiners, painter.loss),
    )
    done = lesson.run(stages, SHARES, before={'refiner': painter.prepare})
    return replace(model, metadata=lesson.page(done, marked_quality(model, LayerFrames(lesson.held_out, plates))))


def train_own_layer(lesson: LayerLesson, size: LayerSize = OWN_SIZE) -> EmbeddedModel:
    """Train spotter and sharpener of another robot from nothing."""
    lesson.begin()
    clips = lesson.clips
    plates = clean_plates(clips)
    rows, cols = next(iter(clips.frames.values())).shape[1:3]
    model = build_own(lesson.base, lesson.base_name, clips.views, (int(rows), int(cols)), size, plates, {})
    layer, frames = model.layer, LayerFrames(clips, plates)
    generator = torch.Generator().manual_seed(lesson.seed)
    fit_pca(layer, frames, samples=PCA_SAMPLES, generator=generator)
    latents = true_poses(layer, frames)

    def drawn() -> Tensor:
        return torch.randint(0, len(frames), (LAYER_BATCH,), generator=generator)

    stages: tuple[Stage, ...] = (
        ('spotter', layer.spotters, lambda: spotter_loss(layer, frames, drawn())),
        ('sharpener', nn.ModuleList([layer.trunk, layer.sharpeners]), lambda: sharpener_loss(layer, frames, latents, drawn(), generator)),
    )
    done = lesson.run(stages, OWN_SHARES)
    test = LayerFrames(lesson.held_out, plates)
    return replace(model, metadata=lesson.page(done, layer_figures(layer, test, some_frames(test))))


class Painter:
    """Gives the refiner's loss: frames are painted without marks once, and their windows refined again and again."""

    def __init__(self, layer: RobotLayer, frames: LayerFrames, poses: Tensor, generator: torch.Generator) -> None:
        self._layer, self._frames, self._poses, self._generator = layer, frames, poses, generator
        self._chosen = torch.randperm(len(frames), generator=generator)[:PAINTED]
        self._painted: dict[str, Tensor] = {}

    @torch.no_grad()
    def prepare(self) -> None:
        """Paint the chosen frames; to be called when the painter has learned what it will."""
        parts: dict[str, list[Tensor]] = {view: [] for view in self._layer.views}
        for part in torch.split(self._chosen, 32):
            latent = self._poses[part, : self._layer.size.latent]
            noisy = latent + POSE_NOISE * torch.randn(latent.shape, generator=self._generator)
            for view, pair in self._layer.decode_latent(noisy).items():
                parts[view].append((torch.cat(pair, dim=1) * 255).round().byte())
        self._painted = {view: torch.cat(found) for view, found in parts.items()}

    def loss(self) -> Tensor:
        """`layer_loss` in the windows round the marks, all views; what lies next to the marks counts more."""
        layer, frames = self._layer, self._frames
        number = torch.randint(0, len(self._chosen), (REFINER_BATCH,), generator=self._generator)
        index = self._chosen[number]
        rgb, masks = frames.batch(index)
        pose = self._poses[index]
        pose = pose + POSE_NOISE * torch.randn(pose.shape, generator=self._generator)
        marks = layer.marks_of(pose)
        total = torch.zeros(())
        for i, view in enumerate(layer.views):
            refiner = layer.refiners[view]
            assert isinstance(refiner, Refiner)
            rows, cols = window_of(marks[:, i], rgb[view].shape[2:])
            there = cut(self._painted[view][number].float() / 255, rows, cols)
            made = refiner.paint(there, pose, marks[:, i], rows, cols)
            plate = frames.plates[view].expand(len(index), -1, -1, -1)
            true_rgb, mask, behind = (cut(part, rows, cols) for part in (rgb[view], masks[view], plate))
            near = spots_in(frames.marks[index, i], rows, cols, MARK_RADIUS_PX).amax(dim=1, keepdim=True)
            total = total + layer_loss(made[:, :3], made[:, 3:], true_rgb, mask, behind, MARK_WEIGHT * near)
        return total


def marks_loss(net: MarkReader, frames: LayerFrames, latents: Tensor, index: Tensor, generator: torch.Generator) -> Tensor:
    """Mean error of the rough and of the exact marks in units of 5 px, absolute above half a pixel and squared below."""
    rgb, _ = frames.batch(index)
    true = frames.marks[index]
    latent = latents[index]
    latent = latent + LATENT_NOISE * torch.rand((len(index), 1), generator=generator) * torch.randn(latent.shape, generator=generator)
    rough = net.guess(latent)
    centres = rough.detach().mean(dim=2)
    centres = centres + CENTRE_NOISE_PX * torch.randn(centres.shape, generator=generator)
    exact = net.look(rgb, frames.plates, latent, centres)
    total: Tensor = sum((functional.smooth_l1_loss(made / 5, true / 5, beta=0.1) for made in (rough, exact)), torch.zeros(()))
    return total


def some_frames(frames: LayerFrames) -> Tensor:
    """Return the numbers of frames that figures are taken of."""
    return torch.arange(0, len(frames), max(1, len(frames) // MEASURED))


def layer_figures(layer: RobotLayer, frames: LayerFrames, index: Tensor) -> dict[str, Any]:
    """Return the figures of decoded frames, from true masks and from pictures."""
    return {
        'layer': layer_quality(layer, frames, index, spotted=False),
        'layer_from_pictures': layer_quality(layer, frames, index, spotted=True),
    }


@torch.no_grad()
def marked_quality(model: EmbeddedModel, frames: LayerFrames) -> dict[str, Any]:
    """Return figures of the layer, and how far marks that are read from pictures are from the true ones and from their true distance, px."""
    assert model.marks is not None
    index = some_frames(frames)
    rgb, _ = frames.batch(index)
    made = model.marks(rgb, frames.plates, model.layer.encode(rgb, frames.plates))
    true = frames.marks[index]
    error = (made - true).norm(dim=3).flatten()
    apart = ((made[:, :, 0] - made[:, :, -1]) - (true[:, :, 0] - true[:, :, -1])).norm(dim=2).flatten()
    return {
        **layer_figures(model.layer, frames, index),
        'marks': {
            'error_median_px': round(float(error.median()), 3),
            'error_p95_px': round(float(error.quantile(0.95)), 3),
            'distance_error_median_px': round(float(apart.median()), 3),
            'distance_error_p95_px': round(float(apart.quantile(0.95)), 3),
        },
    }
