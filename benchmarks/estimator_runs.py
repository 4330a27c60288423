# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What data_efficiency.py, scaling_with_joints.py and field_accuracy.py share: self-play of any robot as pairs, one training run, rows on disk."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from rich.console import Console

from vera_bringup.training import SimulatorLabels, collect_selfplay
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_jidm.direct.pairs import FlowKind, StepPairs, label_pairs
from vera_jidm.direct.recipe import LEARNING_RATES, Method, measure_estimator, train_estimator
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.registry import FLOW_ESTIMATORS
from vera_jidm.training.dataset import split_recordings
from vera_jidm.training.precision import Precision, available_precision, to_precision
from vera_jidm.training.recording import find_recordings, read_recording
from vera_jidm.training.trainer import TrainingOptions

METHODS: tuple[Method, ...] = ('field', 'direct_flow', 'direct_images')
KINDS: tuple[FlowKind, ...] = ('exact', 'estimated')
RATES = (3e-4, 6e-4, 1e-3)
"""Learning rates a direct network may choose from by its validation error, with the first seed."""
VALIDATION_PAIRS = 400
HELD_OUT_SEED = 1_000_000
"""Added to the seed of self-play that no training sees."""
CHECKS = 18
"""Looks at the validation pairs in a run."""
PATIENCE = 6
"""Looks without a better score that end a run."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RobotData:
    """Pairs of one robot: to learn from, to choose by, to measure on."""

    robot: Embodiment
    training: StepPairs
    validation: StepPairs
    held_out: StepPairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training; what tells its row from the others."""

    robot: str
    method: Method
    labels: str
    """`exact` or `estimated`: the flow learned from; `none` for pictures alone."""
    size: int
    """Training pairs."""
    seed: int
    minutes: float
    """Budget, min of one core."""

    def label(self) -> str:
        """Return a name that fits a folder."""
        return f'{self.robot}-{self.method}-{self.labels}-{self.size}-seed{self.seed}-{self.minutes:g}min'


class Rows:
    """Finished runs in a JSON file that several processes may add to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Row]:
        """Return every row."""
        return cast(list[Row], json.loads(self._path.read_text(encoding='utf-8'))) if self._path.is_file() else []

    def find(self, wanted: Row) -> Row | None:
        """Return the row that holds these values, when it is done."""
        return next((row for row in self.all() if all(row.get(name) == value for name, value in wanted.items())), None)

    def add(self, row: Row) -> None:
        """Write one more row; a reader never sees half a file."""
        with self._locked():
            beside = self._path.with_suffix('.part')
            beside.write_text(json.dumps([*self.all(), row], indent=1) + '\n', encoding='utf-8')
            beside.replace(self._path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix('.lock').open('w') as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def add_arguments(parser: argparse.ArgumentParser, *, json_name: str) -> None:
    """Add the options that all of these benchmarks have."""
    parser.add_argument('--minutes', type=float, default=3.0, help='training budget of every run, min of one core')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='of the draws: first weights, pairs')
    parser.add_argument('--pairs', type=int, default=400, help='held-out pairs measured on')
    parser.add_argument(
        '--data', type=Path, default=Path('data/benchmarks'), help='ROBOT/train and ROBOT/held_out below it; recorded if missing'
    )
    parser.add_argument('--selfplay-s', type=float, default=1800.0, help='self-play to record where there is none, simulated s')
    parser.add_argument('--work', type=Path, default=Path('runs/benchmarks'), help='labels and checkpoints; safe to delete')
    parser.add_argument('--json', type=Path, default=Path('runs/benchmarks') / json_name, help='rows; runs already in it are not repeated')


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of benchmarks that train many times."""
    parser.add_argument('--methods', nargs='+', choices=METHODS, default=list(METHODS))
    parser.add_argument('--rates', type=float, nargs='+', default=list(RATES), help='learning rates a direct network may choose from')
    parser.add_argument('--precision', default='fp32', help='fp32, or bf16 on processors that have units for it')
    parser.add_argument('--only', default='0/1', help='K/N: only every N-th comparison, beginning with number K')
    parser.add_argument('--report', action='store_true', help='print the tables of the JSON file and run nothing')


def load_data(robot_name: str, arguments: argparse.Namespace, *, most: int) -> RobotData:
    """Return the pairs of a robot, recorded and labelled first where that is missing.

    A tenth of the training recordings, two at least, chooses weights, learning rate and ridge; the held-out folder takes no part.
    """
    robot = load_embodiment(robot_name)
    source, estimator = SimulatorLabels(robot), FLOW_ESTIMATORS.make('dis')
    stride = FieldConfig.for_robot(robot).stride

    def labelled(paths: list[Path], count: int) -> StepPairs:
        return label_pairs(
            [read_recording(path, robot) for path in paths],
            robot,
            source,
            estimator,
            stride=stride,
            count=count,
            seed=0,
            cache=arguments.work / 'pairs' / robot_name,
            report=_show,
        )

    training, *others = split_recordings(recordings(robot_name, arguments, 'train'))
    return RobotData(
        robot=robot,
        training=labelled(training, most),
        validation=labelled(sorted(path for part in others for path in part), VALIDATION_PAIRS),
        held_out=labelled(recordings(robot_name, arguments, 'held_out'), arguments.pairs),
    )


def recordings(robot_name: str, arguments: argparse.Namespace, part: str) -> list[Path]:
    """Return the recordings of `train` or `held_out`, made first where there are none; the two never share a seed."""
    folder = arguments.data / robot_name / part
    if not any(folder.rglob('*.mcap')):
        held_out = part == 'held_out'
        seconds, seed = (max(120.0, arguments.selfplay_s / 10), HELD_OUT_SEED) if held_out else (arguments.selfplay_s, 0)
        collect_selfplay(robot_name, folder, seconds=seconds, seed=seed)
    return find_recordings(folder)


def execute(run: Run, data: RobotData, rows: Rows, work: Path, rates: Sequence[float], precision: Precision) -> Row:
    """Train and measure one estimator; direct networks with the learning rate that did best on the validation pairs with the first seed."""
    training = data.training.take(np.random.default_rng(run.seed).permutation(len(data.training))[: run.size])
    candidates = [_attempt(run, data, training, rate, work, precision) for rate in _rates(run, rows, rates)]
    row = min(candidates, key=lambda candidate: float(candidate['validation']))
    rows.add(row)
    return row


def _rates(run: Run, rows: Rows, rates: Sequence[float]) -> Sequence[float]:
    if run.method == 'field':
        return (LEARNING_RATES['field'],)
    same = [row for row in rows.all() if all(row[name] == getattr(run, name) for name in ('robot', 'method', 'labels', 'size', 'minutes'))]
    return (float(same[0]['learning_rate']),) if same else rates


def _attempt(run: Run, data: RobotData, training: StepPairs, rate: float, work: Path, precision: Precision) -> Row:
    options = TrainingOptions(
        minutes=run.minutes,
        seed=run.seed,
        learning_rate=rate,
        check_every_s=60 * run.minutes / CHECKS,
        patience_checks=PATIENCE,
        precision=precision,
    )
    folder = work / 'checkpoints' / f'{run.label()}-{rate:g}'
    kind: FlowKind = 'estimated' if run.labels == 'estimated' else 'exact'
    model, progress = train_estimator(run.method, data.robot, training, data.validation, folder, options, labels=kind)
    step_rms = float(np.sqrt(np.square(data.held_out.delta_q).mean()))
    row: Row = {
        **asdict(run),
        'learning_rate': rate,
        'precision': precision,
        'steps': progress.step,
        'core_s': round(progress.elapsed_s, 1),
        'validation': progress.best_score,
        'held_out_pairs': len(data.held_out),
        'step_rms_rad': step_rms,
    }
    for flow in KINDS:
        found = measure_estimator(run.method, model, data.held_out, flow, data.robot.view_names)
        row[flow] = {name: value for name, value in asdict(found).items() if name not in ('field', 'flow', 'views')}
    return row


def plan(arguments: argparse.Namespace, robots: list[str], methods: list[Method], sizes: list[int], kinds: list[str]) -> list[Run]:
    """Return every run in the order they are made: whole comparisons of one seed before the next seed."""
    return [
        Run(robot=robot, method=method, labels=labels, size=size, seed=seed, minutes=arguments.minutes)
        for seed in arguments.seeds
        for robot in robots
        for size in sizes
        for method in methods
        for labels in (['none'] if method == 'direct_images' else kinds)
    ]


def mine(runs: list[Run], only: str) -> list[Run]:
    """Return the share of the runs that `--only K/N` names; seeds of one comparison stay together, as later ones use the first one's rate."""
    try:
        part, parts = (int(number) for number in only.split('/'))
    except ValueError as error:
        raise ConfigError(f"--only is '{only}'; it must be K/N, for example 0/2") from error
    if not 0 <= part < parts:
        raise ConfigError(f'--only is {only}; K must be at least 0 and less than N')
    comparisons = list(dict.fromkeys((run.robot, run.method, run.labels, run.size) for run in runs))
    return [run for run in runs if comparisons.index((run.robot, run.method, run.labels, run.size)) % parts == part]


def run_all(arguments: argparse.Namespace, runs: list[Run], rows: Rows) -> None:
    """Make the runs that are not done yet, loading the data of one robot at a time."""
    precision = available_precision(to_precision(arguments.precision))[0]
    data: RobotData | None = None
    waiting = [run for run in mine(runs, arguments.only) if rows.find(asdict(run)) is None]
    for number, run in enumerate(waiting, 1):
        if data is None or data.robot.name != run.robot:
            data = None  # Free the pictures of one robot before those of the next are read.
            data = load_data(run.robot, arguments, most=max(other.size for other in runs if other.robot == run.robot))
        row = execute(run, data, rows, arguments.work, arguments.rates, precision)
        errors = ', '.join(f'{kind} flow: error {row[kind]["normalised_error"]:.3f}, cosine {row[kind]["cosine"]:.3f}' for kind in KINDS)
        print(f'{number}/{len(waiting)} {run.label()} (rate {row["learning_rate"]:g}, {row["steps"]} steps): {errors}', flush=True)


def mean_and_spread(values: list[float]) -> str:
    """Return mean ± standard deviation over seeds; the mean alone for one seed, a dash for none."""
    if not values:
        return '–'
    return f'{np.mean(values):.3f}' + (f' ± {np.std(values, ddof=1):.3f}' if len(values) > 1 else '')


def wide_console() -> Console:
    """Return a console for tables; in a file they are not cut to the width of a terminal that is not there."""
    return Console(width=None if sys.stdout.isatty() else 140)


def _show(what: str, done: int, count: int) -> None:
    if done == count:
        print(f'{what}: {count}', flush=True)
