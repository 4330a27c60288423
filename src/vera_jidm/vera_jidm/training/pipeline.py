# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a folder of recordings to a folder of weights, and from both to figures: what the command line calls."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.export import export_graph
from vera_jidm.jacobian.learned import LearnedField, NetworkField, field_engine
from vera_jidm.jacobian.network import FieldNetwork
from vera_jidm.jacobian.weights import GRAPH, read_metadata, shipped_folder, write_weights
from vera_jidm.solve.joint_step import SolveSettings
from vera_jidm.training.dataset import Report, estimate_pairs, label_moments, split_recordings
from vera_jidm.training.evaluation import IdmReport, evaluate_field
from vera_jidm.training.labels import LabelSource
from vera_jidm.training.objective import Data, FieldObjective
from vera_jidm.training.recording import Recording, find_recordings, read_recording
from vera_jidm.training.trainer import Observer, TrainingOptions, seed_everything, train

ACTION_FROM = 0.85
"""Share of the run after which the action loss is on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """How much of the recordings is used."""

    moments: int = 12000
    """Moments that get an exact label, at most; spread evenly."""
    pairs: int = 3000
    """Pairs of moments that get an estimated flow, at most."""

    def __post_init__(self) -> None:
        if self.moments < 1 or self.pairs < 1:
            raise ConfigError(f'moments is {self.moments} and pairs is {self.pairs}; both must be at least 1')


def train_idm(
    robot: Embodiment,
    data: Path,
    work: Path,
    weights: Path,
    estimator: FlowEstimator,
    *,
    labels: LabelSource | None,
    options: TrainingOptions,
    data_options: DataOptions | None = None,
    command: str,
    report: Report,
    observe: Observer | None = None,
    clock: Callable[[], float] = time.process_time,
) -> IdmReport | None:
    """Train a Jacobian field, write its weights and measure it on recordings that took no part.

    Args:
        robot: Whose field it is.
        data: Folder with self-play recordings.
        work: Folder for label cache and checkpoint; a run that was stopped goes on from there.
        weights: Folder for the result.
        estimator: Sees the flow between two pictures.
        labels: Exact labels where there is a simulator; None trains on the estimated flow alone, as on a real robot.
        options: Of the training.
        data_options: Of the data.
        command: What was typed, noted beside the weights.
        report: Called while recordings are read and labelled.
        observe: Called while training.
        clock: Time spent in training, s; by default the time this process had a core.

    Returns:
        Figures on the held-out recordings; None without exact labels.
    """
    data_options = data_options or DataOptions()
    training, validation, held_out = split_recordings(find_recordings(data))
    config = FieldConfig.for_robot(robot)
    rng = np.random.default_rng([options.seed, 7])
    parts = [
        _load_data(_read(paths, robot, report), robot, config, estimator, labels, most, work / 'labels', rng, report)
        for paths, most in ((training, data_options), (validation, DataOptions(moments=150, pairs=100)))
    ]
    objective = FieldObjective(
        config, *parts, ridge=SolveSettings().ridge, action_from=ACTION_FROM, batch=options.batch, rng=seed_everything(options.seed)
    )
    network, progress = train(FieldNetwork(config), objective, work, options, observe=observe, clock=clock)
    metadata: dict[str, Any] = {
        'network': config.to_json(),
        'command': command,
        'seed': options.seed,
        'revision': _revision(),
        'labels': 'estimated' if labels is None else 'exact',
        'options': asdict(options) | asdict(data_options),
        'steps': progress.step,
        'pictures': progress.pictures,
        'training_core_s': round(progress.elapsed_s, 1),
        'validation': progress.history[-1] if progress.history else {},
        'recordings': {'train': _identify(training), 'validation': _identify(validation), 'held_out': _identify(held_out)},
    }
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    write_weights(weights, tensors, metadata)
    export_graph(network, weights / GRAPH)
    if labels is None:
        return None
    figures = evaluate_field(
        NetworkField(config, field_engine(network)), _read(held_out, robot, report), robot, labels, estimator, report=report
    )
    write_weights(weights, tensors, metadata | {'figures': figures.to_json()})
    return figures


def evaluate_idm(
    robot: Embodiment,
    data: Path,
    estimator: FlowEstimator,
    labels: LabelSource,
    *,
    weights: Path | None = None,
    pairs: int = 240,
    seed: int = 0,
    report: Report,
) -> IdmReport:
    """Measure trained weights on the recordings of a folder that took no part in their training.

    Raises:
        ConfigError: If every recording of the folder took part.
        ModelContractError: If the weights are missing, damaged or made for something else.
    """
    folder = weights or shipped_folder(robot.name)
    model = LearnedField(robot, folder)
    used = read_metadata(folder).get('recordings', {})
    seen = {*used.get('train', ()), *used.get('validation', ())}
    found = find_recordings(data)
    paths = [path for path, identity in zip(found, _identify(found), strict=True) if identity not in seen]
    if not paths:
        raise ConfigError(
            f'all {len(found)} recordings in {data} were used in training; record held-out ones with another seed: vera collect'
        )
    return evaluate_field(model, _read(paths, robot, report), robot, labels, estimator, pairs=pairs, seed=seed, report=report)


def _read(paths: list[Path], robot: Embodiment, report: Report) -> list[Recording]:
    recordings = []
    for number, path in enumerate(paths, 1):
        recordings.append(read_recording(path, robot))
        report('reading recordings', number, len(paths))
    return recordings


def _load_data(
    recordings: list[Recording],
    robot: Embodiment,
    config: FieldConfig,
    estimator: FlowEstimator,
    labels: LabelSource | None,
    most: DataOptions,
    cache: Path,
    rng: np.random.Generator,
    report: Report,
) -> Data:
    every = max(1, -(-sum(map(len, recordings)) // most.moments))
    moments = None if labels is None else label_moments(recordings, robot, labels, every=every, cache=cache, report=report)
    per_recording = max(1, most.pairs // len(recordings))
    pairs = estimate_pairs(recordings, robot, estimator, stride=config.stride, per_recording=per_recording, rng=rng, report=report)
    return Data(moments=moments, pairs=pairs)


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
