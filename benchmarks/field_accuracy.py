# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How well does the trained field recover joint motion it has never seen, beside the analytic field and direct inverse dynamics?

    nice python benchmarks/field_accuracy.py --robots panda --json runs/benchmarks/field_accuracy.json

Every row answers the same held-out pairs of moments with all views, once with exact and once with estimated flow; mean and spread over the
evaluation seeds, which draw the pairs. The last column is the cosine as a share of the analytic field's with the same flow: .97 is wanted with
exact flow. Direct networks are read from --direct, or trained first for --minutes on --size pairs and kept there. Cost: six minutes of one core
per robot and seed, training aside; can be stopped and goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from estimator_runs import KINDS, RATES, Row, Rows, add_arguments, load_data, mean_and_spread, recordings, wide_console
from rich.table import Table

from vera_bringup.training import SimulatorLabels
from vera_core.embodiment import Embodiment, load_embodiment
from vera_jidm.direct.model import METADATA, DirectSteps, load_direct, save_direct
from vera_jidm.direct.pairs import FlowKind
from vera_jidm.direct.protocol import JointStepModel
from vera_jidm.direct.recipe import Method, train_estimator
from vera_jidm.jacobian.weights import field_folder, read_metadata
from vera_jidm.registry import FLOW_ESTIMATORS
from vera_jidm.training.pipeline import evaluate_idm
from vera_jidm.training.trainer import TrainingOptions

DIRECT: dict[str, tuple[Method, FlowKind]] = {
    'direct_flow': ('direct_flow', 'exact'),
    'direct_flow_estimated': ('direct_flow', 'estimated'),
    'direct_images': ('direct_images', 'exact'),
}
"""Rows of direct networks: method and the flow it learned from."""


def direct_networks(robot: Embodiment, arguments: argparse.Namespace) -> dict[str, JointStepModel]:
    """Return the direct networks of a robot; those that are missing are trained, with the learning rate that validates best, and kept."""
    folders = {name: arguments.direct / robot.name / name for name in arguments.networks}
    missing = [name for name, folder in folders.items() if not (folder / METADATA).is_file()]
    data = load_data(robot.name, arguments, most=arguments.size) if missing else None
    for name in missing:
        assert data is not None
        method, labels = DIRECT[name]
        best: tuple[float, float, DirectSteps] | None = None
        for rate in arguments.rates:
            options = TrainingOptions(minutes=arguments.minutes, learning_rate=rate, check_every_s=60 * arguments.minutes / 18)
            work = arguments.work / 'checkpoints' / f'{robot.name}-{name}-{arguments.size}-{arguments.minutes:g}min-{rate:g}'
            model, progress = train_estimator(method, robot, data.training, data.validation, work, options, labels=labels)
            assert isinstance(model, DirectSteps)
            if best is None or progress.best_score < best[0]:
                best = (progress.best_score, rate, model)
        assert best is not None
        notes = {'pairs': arguments.size, 'minutes': arguments.minutes, 'learning_rate': best[1], 'validation': best[0], 'labels': labels}
        save_direct(folders[name], best[2].network, notes)
    return {name: load_direct(folder, robot) for name, folder in folders.items()}


def measure(robot: Embodiment, arguments: argparse.Namespace, rows: Rows) -> list[Row]:
    """Return one report per seed, measuring those that are missing."""
    folder = arguments.weights or field_folder(robot)
    # Weights are told apart by how they were made, not by where they lie.
    made = {name: read_metadata(folder).get(name) for name in ('labels', 'seed', 'revision', 'training_core_s')}
    others: dict[str, JointStepModel] | None = None
    reports = []
    for seed in arguments.seeds:
        key: Row = {
            'robot': robot.name,
            'weights': made,
            'seed': seed,
            'wanted': arguments.pairs,
            'direct': [] if arguments.no_direct else arguments.networks,
        }
        row = rows.find(key)
        if row is None:
            if others is None:
                others = {} if arguments.no_direct else direct_networks(robot, arguments)
            recordings(robot.name, arguments, 'held_out')
            report = evaluate_idm(
                robot,
                arguments.data / robot.name / 'held_out',
                FLOW_ESTIMATORS.make('dis'),
                SimulatorLabels(robot),
                weights=folder,
                pairs=arguments.pairs,
                seed=seed,
                others=others,
                report=_quiet,
            )
            row = {**key, 'report': report.to_json()}
            rows.add(row)
        reports.append(row['report'])
    return reports


def recovery_table(robot: str, reports: list[Row], flow: str) -> Table:
    """Return one row per estimator: all views together, mean and spread over the reports."""
    views = len(reports[0]['recovery'][-1]['views'])
    found = [[row for row in report['recovery'] if row['flow'] == flow and len(row['views']) == _most_views(report)] for report in reports]
    names = [row['field'] for row in found[0]]
    title = f'{robot}: {flow} flow, {views} views, {reports[0]["pairs"]} pairs, {len(reports)} seeds'
    table = Table('estimator', 'cosine', 'error', 'normalised', 'R² by joint', 'of analytic', title=title)
    for index, name in enumerate(names):
        picked = [rows[index] for rows in found]
        analytic = [rows[names.index('analytic')] for rows in found]
        share = [row['cosine'] / best['cosine'] for row, best in zip(picked, analytic, strict=True)]
        joints = np.mean([row['r2_joints'] for row in picked], axis=0)
        figures = [mean_and_spread([row[key] for row in picked]) for key in ('cosine', 'relative_error', 'normalised_error')]
        table.add_row(name, *figures, ' '.join(f'{value:.2f}' for value in joints), mean_and_spread(share))
    return table


def _most_views(report: Any) -> int:
    return max(len(row['views']) for row in report['recovery'])


def _quiet(what: str, done: int, count: int) -> None:
    if done == count:
        print(f'{what}: {count}', flush=True)


def main() -> None:
    """Measure what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--robots', nargs='+', default=['panda'])
    parser.add_argument('--weights', type=Path, help='trained field of the one robot; the shipped one when left out')
    parser.add_argument('--direct', type=Path, default=Path('runs/benchmarks/direct'), help='trained direct networks, made if missing')
    parser.add_argument('--no-direct', action='store_true', help='leave the direct networks out')
    parser.add_argument('--networks', nargs='*', choices=DIRECT, default=list(DIRECT), help='which direct networks')
    parser.add_argument('--rates', type=float, nargs='+', default=list(RATES), help='learning rates they may choose from')
    parser.add_argument('--size', type=int, default=4000, help='pairs the direct networks are trained on')
    add_arguments(parser, json_name='field_accuracy.json')
    arguments = parser.parse_args()
    if arguments.weights and len(arguments.robots) > 1:
        parser.error(f'--weights belong to one robot, but --robots has {len(arguments.robots)}')
    rows, console = Rows(arguments.json), wide_console()
    for name in arguments.robots:
        reports = measure(load_embodiment(name), arguments, rows)
        for flow in KINDS:
            console.print(recovery_table(name, reports, flow))


if __name__ == '__main__':
    main()
