# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which terms of the training objective pay? The same data and core time for every variant, one term switched at a time.

    python benchmarks/objective_ablation.py --data data/selfplay --work data/ablation --json data/ablation/rows.json --minutes 3 --seeds 0 1 2

Simulated self-play; each variant trains for `--minutes` of one core with exact labels (terms on top of the exact field) and with estimated ones
(terms on top of the flow), and is measured on held-out recordings against the exact field. Default cost: 17 variants x 3 min x seeds, and some
minutes for labels the first time. Rows that are in the JSON file are not run again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from vera_bringup.training import LABELS, SimulatorLabels
from vera_core.embodiment import Embodiment, load_embodiment
from vera_jidm.flow.dis import DisFlow
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.heads import make_network
from vera_jidm.jacobian.learned import NetworkField, field_engine
from vera_jidm.training.dataset import split_recordings
from vera_jidm.training.display import TrainingDisplay
from vera_jidm.training.evaluation import IdmReport, evaluate_field
from vera_jidm.training.loss_weights import LossSettings
from vera_jidm.training.objective import Data, FieldObjective
from vera_jidm.training.precision import available_precision, to_precision
from vera_jidm.training.recipe import VALIDATION_DATA, DataOptions, load_data
from vera_jidm.training.recording import Recording, find_recordings, read_recording
from vera_jidm.training.trainer import TrainingOptions, seed_everything, train

Changes = dict[str, float]
SHARED: dict[str, Changes] = {
    'base': {},
    'without action': {'action': 0.0},
    'without trust': {'trust': 0.0},
    'with cycle': {'cycle': 0.1},
    'with there and back': {'there_and_back': 0.5},
    'with halves': {'halves': 0.5},
    'with smooth': {'smooth': 0.1},
}
VARIANTS: dict[str, dict[str, Changes]] = {
    'exact': SHARED | {'without inverse': {'inverse': 0.0}, 'with flow': {'flow': 0.5}},
    'estimated': SHARED | {'with Charbonnier': {'charbonnier_px': 0.5}},
}
"""Changes of the loss weights, or of the length of the Charbonnier penalty, by label and variant."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bench:
    """What all variants share."""

    robot: Embodiment
    config: FieldConfig
    unseen: list[Recording]
    work: Path
    options: TrainingOptions
    display: TrainingDisplay
    test_pairs: int


def settings_of(labels: str, changes: Changes) -> LossSettings:
    """Return the losses of a variant."""
    weights = {name: value for name, value in changes.items() if name != 'charbonnier_px'}
    return replace(LABELS[labels].changed(weights), charbonnier_px=changes.get('charbonnier_px', 0.0))


def load_parts(bench: Bench, data: Path, labels: str, most: DataOptions) -> tuple[Data, Data]:
    """Return training and validation data with everything that any variant needs."""
    needs = settings_of(labels, {'halves': 1.0})
    source, rng = SimulatorLabels(bench.robot) if labels == 'exact' else None, np.random.default_rng(7)
    training, validation, _ = split_recordings(find_recordings(data))

    def load(paths: list[Path], amount: DataOptions) -> Data:
        recordings = [read_recording(path, bench.robot) for path in paths]
        folder, report = bench.work / 'labels', bench.display.report
        return load_data(recordings, bench.robot, bench.config, DisFlow(), source, needs, amount, cache=folder, rng=rng, report=report)

    return load(training, most), load(validation, VALIDATION_DATA)


def run(bench: Bench, parts: tuple[Data, Data], labels: str, variant: str, seed: int) -> dict[str, Any]:
    """Train one variant and return its row."""
    options = replace(bench.options, seed=seed)
    losses, rng = settings_of(labels, VARIANTS[labels][variant]), seed_everything(seed)
    objective = FieldObjective(bench.config, *parts, settings=losses, batch=options.batch, rng=rng)
    folder = bench.work / f'{labels}-{variant.replace(" ", "_")}-{seed}'
    network, progress = train(make_network(bench.config), objective, folder, options, observe=bench.display.observe)
    model = NetworkField(bench.config, field_engine(network))
    report = evaluate_field(
        model, bench.unseen, bench.robot, SimulatorLabels(bench.robot), DisFlow(), pairs=bench.test_pairs, report=bench.display.report
    )
    return {'labels': labels, 'variant': variant, 'seed': seed, 'minutes': options.minutes, 'steps': progress.step, **figures(report)}


def figures(report: IdmReport) -> dict[str, Any]:
    """Return what the table shows of one report."""
    accuracy, views = report.accuracy['all'], max(len(row.views) for row in report.recovery)
    found: dict[str, Any] = {'pairs': report.pairs, 'field_r2': accuracy.r2, 'field_loss': accuracy.normalised_loss}
    found['field_r2_weakest'] = min(accuracy.r2_joints)
    for flow in ('exact', 'estimated'):
        for prefix, field in (('', 'learned'), ('analytic_', 'analytic')):
            row = report.find(field, flow, views)
            found |= {f'{prefix}cosine_{flow}': row.cosine, f'{prefix}error_{flow}': row.relative_error}
            found[f'{prefix}r2_joints_{flow}'] = list(row.r2_joints)
            found[f'{prefix}weakest_{flow}'] = min(row.r2_joints)
    return found


COLUMNS = (
    'steps',
    'field_r2',
    'field_r2_weakest',
    'field_loss',
    *(f'{figure}_{flow}' for flow in ('exact', 'estimated') for figure in ('cosine', 'error', 'weakest')),
)
"""Of a row, as the table shows them; `weakest`: R² of the joint that comes back worst."""


def show(rows: list[dict[str, Any]], console: Console) -> None:
    """Print means over seeds, and the spread where there is more than one."""
    for labels, variants in VARIANTS.items():
        table = Table('variant', *(column.replace('_', ' ') for column in COLUMNS), title=f'{labels} labels')
        for variant in variants:
            found = [row for row in rows if (row['labels'], row['variant']) == (labels, variant)]
            if found:
                table.add_row(variant, *(_spread([row[column] for row in found]) for column in COLUMNS))
        if table.row_count:
            console.print(table)


def _spread(values: list[float]) -> str:
    mean = f'{np.mean(values):.0f}' if np.mean(values) > 50 else f'{np.mean(values):.3f}'
    return mean if len(values) == 1 else f'{mean} ±{np.std(values, ddof=1):.3f}'


def main() -> None:
    """Run what is missing in the JSON file and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--robot', default='panda')
    parser.add_argument('--data', type=Path, default=Path('data/selfplay'), help='self-play to train on')
    parser.add_argument('--held-out', type=Path, help='self-play to measure on; a part of --data that no training sees when left out')
    parser.add_argument('--work', type=Path, default=Path('data/ablation'), help='label cache and checkpoints')
    parser.add_argument('--json', type=Path, default=Path('data/ablation/rows.json'))
    parser.add_argument('--minutes', type=float, default=3.0, help='core time of one training, min')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--labels', nargs='+', choices=tuple(VARIANTS), default=list(VARIANTS))
    parser.add_argument('--variants', nargs='+', help='only these; all when left out')
    parser.add_argument('--moments', type=int, default=12000)
    parser.add_argument('--pairs', type=int, default=3000)
    parser.add_argument('--test-pairs', type=int, default=100)
    parser.add_argument('--precision', default='fp32')
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    console = Console()
    robot = load_embodiment(arguments.robot)
    rows: list[dict[str, Any]] = json.loads(arguments.json.read_text()) if arguments.json.is_file() else []
    known = {(row['labels'], row['variant'], row['seed'], row['minutes']) for row in rows}
    held_out = find_recordings(arguments.held_out) if arguments.held_out else split_recordings(find_recordings(arguments.data))[2]
    options = TrainingOptions(
        minutes=arguments.minutes, patience_checks=0, precision=available_precision(to_precision(arguments.precision))[0]
    )
    with TrainingDisplay(console) as display:
        bench = Bench(
            robot=robot,
            config=FieldConfig.for_robot(robot),
            unseen=[read_recording(path, robot) for path in held_out],
            work=arguments.work,
            options=options,
            display=display,
            test_pairs=arguments.test_pairs,
        )
        for labels in arguments.labels:
            names = [name for name in VARIANTS[labels] if not arguments.variants or name in arguments.variants]
            missing = [(name, seed) for seed in arguments.seeds for name in names if (labels, name, seed, arguments.minutes) not in known]
            if not missing:
                continue
            parts = load_parts(bench, arguments.data, labels, DataOptions(moments=arguments.moments, pairs=arguments.pairs))
            for name, seed in missing:
                rows.append(run(bench, parts, labels, name, seed))
                arguments.json.parent.mkdir(parents=True, exist_ok=True)
                arguments.json.write_text(json.dumps(rows, indent=1) + '\n')
    show(rows, console)


if __name__ == '__main__':
    main()
