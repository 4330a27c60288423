# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains the embedded planner from a folder of expert clips: grounding, robot layer, dynamics, then the figures and the weights file."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vera_core.errors import ConfigError
from vera_planner.language import SentenceEncoder
from vera_planner.models.dynamics import DynamicsSize
from vera_planner.models.robot_layer import LayerSize
from vera_planner.prompts import NOTHING_NAMED_HELD_OUT, held_out_sentences
from vera_planner.training.autoencoder import LayerFrames, fit_pca, layer_quality, sharpener_loss, spotter_loss, true_poses
from vera_planner.training.dataset import ClipSet, clean_plates, load_clips
from vera_planner.training.dynamics import dynamics_loss, dynamics_quality, make_windows
from vera_planner.training.grounding import grounding_loss, grounding_quality, training_vectors
from vera_planner.training.loop import Progress, StageSettings, run_stage
from vera_planner.weights import SHIPPED, EmbeddedModel, build_model, load_model, save_model

STEP_DT_S = 0.3
SHARES = {'grounding': 0.12, 'spotter': 0.07, 'sharpener': 0.65, 'dynamics': 0.15, 'locator': 0.01}
"""How the time is divided; the picture is the bottleneck, so the sharpener gets nearly all of it."""
LEARNING_RATES = {'grounding': 3e-3, 'spotter': 2e-3, 'sharpener': 1e-3, 'dynamics': 1e-3, 'locator': 2e-3}
LAYER_BATCH = 8
DYNAMICS_BATCH = 192
HELD_OUT_CLIPS = 40


@dataclass(slots=True)
class _Work:
    """What the stages share."""

    clips: ClipSet
    frames: LayerFrames
    model: EmbeddedModel
    latents: Tensor
    folder: Path
    minutes: float
    report: Callable[[Progress], None]
    seed: int

    def settings(self, name: str, *, low_precision: bool = True) -> StageSettings:
        """Settings of a stage in this run."""
        return StageSettings(
            name=name, seconds=60 * self.minutes * SHARES[name], learning_rate=LEARNING_RATES[name], low_precision=low_precision
        )

    def generator(self, name: str) -> torch.Generator:
        """Random numbers of a stage."""
        return torch.Generator().manual_seed(self.seed * 1000 + list(SHARES).index(name))


def train_planner(
    dataset_dir: Path,
    out_dir: Path,
    *,
    minutes: float = 45.0,
    seed: int = 0,
    resume: bool = True,
    held_out_dir: Path | None = None,
    command: str = 'vera train planner --robot panda',
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train all stages within a time budget and write the weights; return their path.

    Args:
        dataset_dir: Folder of `shard_*.npz` clips.
        out_dir: Gets checkpoints (`work/`), the weights file and its JSON page.
        minutes: Time budget of the stages together, min, > 0; reading the data comes on top.
        seed: Seed of initial weights and batches.
        resume: Go on from checkpoints in `out_dir`; otherwise they are removed first.
        held_out_dir: Clips for the figures; without it the last tenth of `dataset_dir` is kept aside.
        command: Written into the JSON page.
        report: Called after every step; None shows a progress bar.

    Raises:
        ConfigError: If there is no data or the budget is not positive.
    """
    if not minutes > 0:
        raise ConfigError(f'minutes is {minutes}; it must be > 0')
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    folder = out_dir / 'work'
    if not resume and folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if report is None:
        from vera_planner.training.show import ProgressShow

        with ProgressShow(SHARES) as show:
            return _train(dataset_dir, out_dir, folder, minutes, seed, held_out_dir, command, show.report)
    return _train(dataset_dir, out_dir, folder, minutes, seed, held_out_dir, command, report)


def _train(
    dataset_dir: Path,
    out_dir: Path,
    folder: Path,
    minutes: float,
    seed: int,
    held_out_dir: Path | None,
    command: str,
    report: Callable[[Progress], None],
) -> Path:
    clips = load_clips(dataset_dir)
    held_out = load_clips(held_out_dir, max_clips=HELD_OUT_CLIPS) if held_out_dir else None
    if held_out is None:
        clips, held_out = clips.split(max(1, min(HELD_OUT_CLIPS, len(clips.target) // 10)))
    work = _prepare(clips, folder, minutes, seed, report)
    sentences = SentenceEncoder()
    stages = {
        'grounding': _train_grounding(work, sentences),
        'spotter': _train_spotter(work),
        'sharpener': _train_sharpener(work),
        'dynamics': _train_dynamics(work),
        'locator': _train_locator(work),
    }
    figures = offline_figures(work.model, held_out, sentences)
    metadata: dict[str, Any] = {
        'command': command,
        'seed': seed,
        'made': datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d'),
        'data': {'clips': len(clips.target), 'frames': len(clips.clip_of_frame), 'held_out_clips': len(held_out.target)},
        'training': {
            name: {'steps': p.steps, 'loss': round(p.loss, 4), 'seconds': round(60 * minutes * SHARES[name])} for name, p in stages.items()
        },
        'figures': figures,
    }
    model = dataclasses.replace(work.model, metadata=metadata)
    path = out_dir / SHIPPED
    save_model(model, path)
    load_model(path)
    (out_dir / 'figures.json').write_text(json.dumps(figures, indent=1), encoding='utf-8')
    return path


def _prepare(clips: ClipSet, folder: Path, minutes: float, seed: int, report: Callable[[Progress], None]) -> _Work:
    """Find plates, the linear latent and the latents of all frames; kept in `pca.safetensors` for a resumed run."""
    rows, cols = next(iter(clips.frames.values())).shape[1:3]
    kept = folder / 'pca.safetensors'
    known = load_file(kept) if kept.is_file() else {}
    if known and len(known['latents']) != len(clips.clip_of_frame):
        raise ConfigError(f"'{folder}' holds checkpoints of another data set; choose another output folder or train without resuming")
    plates = {view: known[f'plate.{view}'].numpy() for view in clips.views} if known else clean_plates(clips)
    layer = LayerSize()
    size = DynamicsSize(latent=layer.latent, goals=2 * len(clips.views))
    model = build_model(clips.views, (int(rows), int(cols)), STEP_DT_S, layer, size, plates, {})
    frames = LayerFrames(clips, plates)
    if known:
        model.layer.pca.load_state_dict({key.removeprefix('pca.'): value for key, value in known.items() if key.startswith('pca.')})
        latents = known['latents']
    else:
        fit_pca(model.layer, frames, samples=3000, generator=torch.Generator().manual_seed(seed))
        latents = true_poses(model.layer, frames)
        tensors = {f'pca.{key}': value for key, value in model.layer.pca.state_dict().items()}
        save_file({**tensors, 'latents': latents, **{f'plate.{view}': torch.from_numpy(plate) for view, plate in plates.items()}}, kept)
    return _Work(clips, frames, model, latents, folder, minutes, report, seed)


def _train_grounding(work: _Work, sentences: SentenceEncoder) -> Progress:
    vectors = training_vectors(sentences.encode_all)
    rng = np.random.default_rng(work.seed)
    net = work.model.grounding
    return run_stage(
        work.settings('grounding'),
        [net],
        lambda: grounding_loss(net, work.clips, work.frames, vectors, rng),
        work.folder,
        report=work.report,
    )


def _train_spotter(work: _Work) -> Progress:
    generator = work.generator('spotter')
    layer = work.model.layer

    def loss() -> Tensor:
        return spotter_loss(layer, work.frames, torch.randint(0, len(work.frames), (LAYER_BATCH,), generator=generator))

    return run_stage(work.settings('spotter'), [layer.spotters], loss, work.folder, report=work.report)


def _train_sharpener(work: _Work) -> Progress:
    generator = work.generator('sharpener')
    layer = work.model.layer

    def loss() -> Tensor:
        index = torch.randint(0, len(work.frames), (LAYER_BATCH,), generator=generator)
        return sharpener_loss(layer, work.frames, work.latents, index, generator)

    return run_stage(work.settings('sharpener'), [layer.trunk, layer.sharpeners], loss, work.folder, report=work.report)


def _train_dynamics(work: _Work) -> Progress:
    generator = work.generator('dynamics')
    net = work.model.dynamics
    windows = make_windows(work.clips, work.latents, net.size.horizon)
    every = max(1, len(windows.past) // 8000)
    net.fit(work.latents[windows.future[::every]] - work.latents[windows.past[::every, 2:]], work.latents)
    width = float(work.model.working_size[1])

    def loss() -> Tensor:
        index = torch.randint(0, len(windows.past), (DYNAMICS_BATCH,), generator=generator)
        return dynamics_loss(net, windows, index, generator, width)

    return run_stage(work.settings('dynamics', low_precision=False), [net], loss, work.folder, report=work.report)


def _train_locator(work: _Work) -> Progress:
    generator = work.generator('locator')
    net = work.model.locator
    width, height = work.model.working_size[::-1]
    tips = torch.cat([torch.from_numpy(work.clips.tips[view]).float() / torch.tensor([width, height]) for view in work.model.views], dim=1)

    def loss() -> Tensor:
        index = torch.randint(0, len(tips), (DYNAMICS_BATCH,), generator=generator)
        latents = work.latents[index]
        return 100 * torch.nn.functional.smooth_l1_loss(
            net(latents + 0.1 * torch.randn(latents.shape, generator=generator)), tips[index], beta=0.02
        )

    return run_stage(work.settings('locator', low_precision=False), [net], loss, work.folder, report=work.report)


def offline_figures(model: EmbeddedModel, held_out: ClipSet, sentences: SentenceEncoder) -> dict[str, Any]:
    """Measure every part on held-out clips and held-out wordings; the whole dream is measured by `evaluate_planner`."""
    frames = LayerFrames(held_out, model.plates)
    index = torch.arange(0, len(frames), max(1, len(frames) // 200))
    firsts = held_out.start[:-1]
    vectors = tuple(sentences.encode_all(list(group)) for group in held_out_sentences().values())
    nothing = sentences.encode_all(list(NOTHING_NAMED_HELD_OUT))
    windows = make_windows(held_out, true_poses(model.layer, frames), model.dynamics.size.horizon)
    return {
        'layer': layer_quality(model.layer, frames, index, spotted=False),
        'layer_from_pictures': layer_quality(model.layer, frames, index, spotted=True),
        'grounding_first_frame': grounding_quality(model.grounding, held_out, frames, vectors, nothing, np.asarray(firsts)),
        'dynamics': dynamics_quality(model.dynamics, windows),
    }
