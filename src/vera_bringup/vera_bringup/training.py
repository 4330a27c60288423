# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings the simulator's data and truths to the trainings, which know nothing of a simulator: collect, train, measure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError, nearest_name_hint
from vera_core.shapes import FloatArray
from vera_core.types import JacobianField
from vera_jidm.jacobian.config import HEADS
from vera_jidm.jacobian.weights import field_folder
from vera_jidm.registry import FLOW_ESTIMATORS
from vera_jidm.training.display import TrainingDisplay
from vera_jidm.training.loss_weights import ESTIMATED_LABELS, EXACT_LABELS, parse_weights
from vera_jidm.training.pipeline import evaluate_idm, train_idm
from vera_jidm.training.precision import available_precision
from vera_jidm.training.recipe import ESTIMATED_DATA, DataOptions, Recipe
from vera_jidm.training.recording import Recording, find_recordings
from vera_jidm.training.trainer import TrainingOptions
from vera_sim import oracle
from vera_sim.selfplay import collect, recorded_scene
from vera_sim.world import World

SELFPLAY_S = 3000.0
"""Self-play recorded for a training when there is none, simulated s."""
LABELS = {'exact': EXACT_LABELS, 'estimated': ESTIMATED_LABELS}
"""Where labels come from, and the losses that go with them."""
HELD_OUT_S = 240.0
HELD_OUT_SEED = 1_000_000
"""Added to the seed of self-play that no training sees."""


def data_folder(robot_name: str, part: str) -> Path:
    """Return where data of a robot goes by default: every robot's apart from the others'."""
    return Path('data') / load_embodiment(robot_name).name / part


class SimulatorLabels:
    """The exact field and flow of recorded self-play: rebuilds the scene a recording was made in."""

    def __init__(self, robot: Embodiment) -> None:
        self._world = World(robot)

    def __call__(self, recording: Recording) -> SimulatorLabels:
        """Set the scene of a recording.

        Raises:
            ConfigError: If the recording was not made by `vera collect` in simulation with this robot.
        """
        self._world.set_scene(recorded_scene(recording.path, self._world.robot))
        return self

    def jacobian(self, view: str, position: FloatArray) -> JacobianField:
        """Return the exact field at joints of shape (n,), rad."""
        return oracle.image_jacobian(self._world, view, position)

    def flow(self, view: str, start: FloatArray, end: FloatArray) -> FloatArray:
        """Return the exact flow between two joint positions, shape (H, W, 2), px."""
        return oracle.image_flow(self._world, view, start, end)


def collect_selfplay(robot_name: str, folder: Path, *, seconds: float, seed: int) -> int:
    """Record self-play of the simulated robot with a progress bar; return 0."""
    console = Console(soft_wrap=True)
    _collect(load_embodiment(robot_name), folder, seconds=seconds, seed=seed, console=console)
    recordings = find_recordings(folder)
    console.print(f'{len(recordings)} recordings in {folder}, {sum(path.stat().st_size for path in recordings) / 1e6:.0f} MB')
    return 0


def _collect(robot: Embodiment, folder: Path, *, seconds: float, seed: int, console: Console) -> None:
    with Progress(console=console) as progress:
        task = progress.add_task(f'self-play of {robot.name}', total=seconds)
        collect(robot, folder, seconds=seconds, seed=seed, on_second=lambda done: progress.update(task, completed=done))


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRequest:
    """What `vera train idm` is asked for."""

    robot: str
    data: Path
    work: Path
    out: Path | None = None
    """Folder for the weights; that of the robot when left out: inside the package, or beside its YAML file."""
    labels: str = 'exact'
    weights: Sequence[str] = ()
    """Changes of loss weights, each `name=value`."""
    head: str = 'links'
    uses_position: bool = True
    backbone: str | None = None
    freeze_backbone: bool = True
    training: TrainingOptions = field(default_factory=TrainingOptions)

    def __post_init__(self) -> None:
        if self.labels not in LABELS:
            raise ConfigError(f"unknown labels '{self.labels}'; {nearest_name_hint(self.labels, LABELS)}")
        if self.head not in HEADS:
            raise ConfigError(f"unknown head '{self.head}'; {nearest_name_hint(self.head, HEADS)}")
        if (self.head == 'pretrained') != bool(self.backbone):
            raise ConfigError(f"head '{self.head}' with backbone {self.backbone!r}; head 'pretrained', and no other, needs one: --backbone")

    def recipe(self) -> Recipe:
        """Return network, losses and time.

        Raises:
            ConfigError: If a loss weight has no such name or value.
        """
        return Recipe(
            head=self.head,
            uses_position=self.uses_position,
            backbone=self.backbone,
            freeze_backbone=self.freeze_backbone,
            training=self.training,
            losses=LABELS[self.labels].changed(parse_weights(self.weights)),
            data=DataOptions() if self.labels == 'exact' else ESTIMATED_DATA,
        )


def train_field(request: FieldRequest) -> int:
    """Train the Jacobian field on self-play (recorded first where there is none), show its figures and write a report page; return 0."""
    console = Console(soft_wrap=True)
    robot, recipe = load_embodiment(request.robot), request.recipe()
    out = request.out or field_folder(robot)
    precision, note = available_precision(recipe.training.precision)
    if note:
        console.print(note)
        recipe = replace(recipe, training=replace(recipe.training, precision=precision))
    if not any(request.data.rglob('*.mcap')):
        console.print(f'no recordings in {request.data}: recording {SELFPLAY_S:.0f} s of self-play first')
        _collect(robot, request.data, seconds=SELFPLAY_S, seed=recipe.training.seed, console=console)
    with TrainingDisplay(console) as display:
        trained = train_idm(
            robot,
            request.data,
            request.work,
            out,
            FLOW_ESTIMATORS.make('dis'),
            labels=SimulatorLabels(robot) if request.labels == 'exact' else None,
            recipe=recipe,
            command=_command(),
            report=display.report,
            observe=display.observe,
        )
    console.print(f'weights: {out}')
    console.print(f'report: {trained.page}')
    for table in trained.figures.tables() if trained.figures else ():
        console.print(table)
    return 0


def measure_field(robot_name: str, *, data: Path, weights: Path | None, pairs: int, seed: int, json: Path | None) -> int:
    """Measure trained weights on self-play that took no part in their training; return 0."""
    import json as json_module

    console = Console(soft_wrap=True)
    robot = load_embodiment(robot_name)
    if not any(data.rglob('*.mcap')):
        console.print(f'no recordings in {data}: recording {HELD_OUT_S:.0f} s of held-out self-play first')
        _collect(robot, data, seconds=HELD_OUT_S, seed=HELD_OUT_SEED + seed, console=console)
    with TrainingDisplay(console) as display:
        report = evaluate_idm(
            robot, data, FLOW_ESTIMATORS.make('dis'), SimulatorLabels(robot), weights=weights, pairs=pairs, seed=seed, report=display.report
        )
    for table in report.tables():
        console.print(table)
    if json:
        json.write_text(json_module.dumps(report.to_json(), indent=1) + '\n', encoding='utf-8')
        console.print(f'report: {json}')
    return 0


def _command() -> str:
    return ' '.join(['vera', *sys.argv[1:]])
