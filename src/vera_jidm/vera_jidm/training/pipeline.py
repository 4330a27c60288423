# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a folder of recordings to a folder of weights, and from both to figures: what the command line calls."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_jidm.direct.protocol import JointStepModel
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.jacobian.export import export_graph
from vera_jidm.jacobian.heads import make_network
from vera_jidm.jacobian.learned import LearnedField, NetworkField, field_engine
from vera_jidm.jacobian.weights import GRAPH, field_folder, read_metadata, write_weights, write_whole
from vera_jidm.training.dataset import Report, split_recordings
from vera_jidm.training.evaluation import IdmReport, evaluate_field
from vera_jidm.training.labels import LabelSource
from vera_jidm.training.objective import Data, FieldObjective
from vera_jidm.training.recipe import VALIDATION_DATA, DataOptions, Recipe, check_losses, load_data
from vera_jidm.training.recording import Recording, find_recordings, read_recording
from vera_jidm.training.report_evidence import gather_evidence
from vera_jidm.training.report_page import ReportInput, render_report
from vera_jidm.training.trainer import Observer, seed_everything, train

PAGE = 'report.html'
"""Name of the report page in the work folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training leaves behind besides the weights."""

    figures: IdmReport | None
    """On the held-out recordings; None without exact labels."""
    page: Path
    """Report with pictures, one HTML file."""


def train_idm(
    robot: Embodiment,
    data: Path,
    work: Path,
    weights: Path,
    estimator: FlowEstimator,
    *,
    labels: LabelSource | None,
    recipe: Recipe,
    command: str,
    report: Report,
    observe: Observer | None = None,
    clock: Callable[[], float] = time.process_time,
) -> Trained:
    """Train a Jacobian field, write its weights, measure it on recordings that took no part and write a report with pictures.

    Args:
        robot: Whose field it is.
        data: Folder with self-play recordings.
        work: Folder for label cache, checkpoint and report; a run that was stopped goes on from there.
        weights: Folder for the result.
        estimator: Flow as the running system sees it.
        labels: Exact labels where there is a simulator; None trains on estimated flow alone, as on a real robot.
        recipe: Network, losses, data, time.
        command: What was typed, noted beside the weights.
        report: Called while recordings are read and labelled.
        observe: Called while training.
        clock: Time spent in training, s; by default the time this process had a core.

    Raises:
        ConfigError: If the recordings cannot be used, the losses want labels there are none of, or the work folder holds another run.
    """
    check_losses(recipe.losses, labels)
    training, validation, held_out = split_recordings(find_recordings(data))
    config = recipe.config(robot)
    rng = np.random.default_rng([recipe.training.seed, 7])

    def load(paths: list[Path], most: DataOptions) -> Data:
        recordings = _read(paths, robot, report)
        return load_data(recordings, robot, config, estimator, labels, recipe.losses, most, cache=work / 'labels', rng=rng, report=report)

    parts = (load(training, recipe.data), load(validation, VALIDATION_DATA))
    objective = FieldObjective(
        config, *parts, settings=recipe.losses, batch=recipe.training.batch, rng=seed_everything(recipe.training.seed)
    )
    network, progress = train(make_network(config), objective, work, recipe.training, observe=observe, clock=clock)
    metadata: dict[str, Any] = {
        'network': config.to_json(),
        'command': command,
        'seed': recipe.training.seed,
        'revision': _revision(),
        'labels': 'estimated' if labels is None else 'exact',
        'options': asdict(recipe.training) | asdict(recipe.data),
        'losses': asdict(recipe.losses),
        'steps': progress.step,
        'pictures': progress.pictures,
        'training_core_s': round(progress.elapsed_s, 1),
        'validation': progress.history[-1] if progress.history else {},
        'recordings': {'train': _identify(training), 'validation': _identify(validation), 'held_out': _identify(held_out)},
    }
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    write_weights(weights, tensors, metadata, half=True)
    export_graph(network, weights / GRAPH)
    model, unseen = NetworkField(config, field_engine(network)), _read(held_out, robot, report)
    figures = None
    if labels is not None:
        figures = evaluate_field(model, unseen, robot, labels, estimator, report=report)
        metadata['figures'] = figures.to_json()
        write_weights(weights, tensors, metadata, half=True)
    evidence = gather_evidence(model, unseen, robot, estimator, labels)
    positions = (parts[0].moments or parts[0].pairs).position
    page = ReportInput(robot=robot, metadata=metadata, history=progress.history, positions=positions, evidence=evidence, figures=figures)
    write_whole(work / PAGE, render_report(page).encode())
    return Trained(figures=figures, page=work / PAGE)


def evaluate_idm(
    robot: Embodiment,
    data: Path,
    estimator: FlowEstimator,
    labels: LabelSource,
    *,
    weights: Path | None = None,
    pairs: int = 240,
    seed: int = 0,
    others: Mapping[str, JointStepModel] | None = None,
    report: Report,
) -> IdmReport:
    """Measure trained weights, and other estimators beside them, on the recordings of a folder that took no part in their training.

    Raises:
        ConfigError: If every recording of the folder took part.
        ModelContractError: If the weights are missing, damaged or made for something else.
    """
    folder = weights or field_folder(robot)
    model = LearnedField(robot, folder)
    used = read_metadata(folder).get('recordings', {})
    seen = {*used.get('train', ()), *used.get('validation', ())}
    found = find_recordings(data)
    paths = [path for path, identity in zip(found, _identify(found), strict=True) if identity not in seen]
    if not paths:
        raise ConfigError(
            f'all {len(found)} recordings in {data} were used in training; record held-out ones with another seed: vera collect'
        )
    return evaluate_field(
        model, _read(paths, robot, report), robot, labels, estimator, pairs=pairs, seed=seed, others=others, report=report
    )


def _read(paths: list[Path], robot: Embodiment, report: Report) -> list[Recording]:
    recordings = []
    for number, path in enumerate(paths, 1):
        recordings.append(read_recording(path, robot))
        report('reading recordings', number, len(paths))
    return recordings


def _identify(paths: list[Path]) -> list[str]:
    """Name and start of the content's hash: two recordings of one name are told apart."""
    return [f'{path.name}:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}' for path in paths]


def _revision() -> str:
    """Return the revision of the source tree, or `unknown` outside of one."""
    try:
        answer = subprocess.run(
            ['git', 'describe', '--always', '--dirty'], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 'unknown'
    return answer.stdout.strip()
