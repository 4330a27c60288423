# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How much data does a Jacobian field with its inverse need, and how much direct inverse dynamics, for the same accuracy?

    nice python benchmarks/data_efficiency.py --robots panda allegro --json runs/benchmarks/data_efficiency.json

Every estimator learns from the same pairs of moments (pictures, joints, joint step, flow), with the field's encoder, the same trainer and the
same time of one core; early stopping, learning rate of the direct networks and ridge of the field by the same validation recordings. Two kinds
of flow labels, exact and estimated; measured on held-out self-play with both. Cost: --minutes per run (three runs per direct network at the
first seed, for its learning rate), so about 5 core-hours per robot with the defaults; can be stopped and goes on. --only 0/2 and --only 1/2
split it between two processes that may share one JSON file. --report prints the tables of what is there and runs nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from estimator_runs import KINDS, METHODS, Row, Rows, add_arguments, add_run_arguments, mean_and_spread, plan, run_all, wide_console
from rich.table import Table

from vera_jidm.direct.curves import data_ratio

SIZES = (250, 1000, 4000, 16000)


def error_table(rows: list[Row], robot: str, flow: str) -> Table:
    """Return error by training-set size: sum |dq_hat - dq|^2 / sum |dq|^2, mean and spread over seeds."""
    sizes = sorted({int(row['size']) for row in rows})
    table = Table('method', 'learned from', *map(str, sizes), title=f'{robot}: error by training pairs, {flow} flow (always zero: 1.0)')
    for method, labels in _kinds(rows):
        cells = [mean_and_spread(_errors(rows, method, labels, size, flow)) for size in sizes]
        table.add_row(method, labels, *cells)
    return table


def ratio_table(rows: list[Row], robot: str, flow: str) -> Table:
    """Return which share of the data the field needs for the accuracy of each direct network."""
    sizes = sorted({int(row['size']) for row in rows})
    table = Table(
        'beside', 'learned from', *map(str, sizes), title=f'{robot}: share of these pairs at which the field is as good, {flow} flow'
    )
    curves = {key: _curve(rows, *key, flow) for key in _kinds(rows)}
    for (method, labels), curve in curves.items():
        for field_labels in KINDS:
            field = curves.get(('field', field_labels), {})
            if method == 'field' or labels not in ('none', field_labels) or not field:
                continue
            cells = [_ratio(field, curve, size) if size in curve else '–' for size in sizes]
            table.add_row(method, field_labels, *cells)
    return table


def _ratio(field: dict[int, float], direct: dict[int, float], size: int) -> str:
    ratio = data_ratio(field, direct, size)
    if ratio is None:
        return 'not reached'
    return f'≤ {ratio:.2f}' if ratio * size <= min(field) else f'{ratio:.2f}'


def _kinds(rows: list[Row]) -> list[tuple[str, str]]:
    found = {(row['method'], row['labels']) for row in rows}
    return [(method, labels) for method in METHODS for labels in (*KINDS, 'none') if (method, labels) in found]


def _errors(rows: list[Row], method: str, labels: str, size: int, flow: str) -> list[float]:
    wanted = (method, labels, size)
    return [float(row[flow]['normalised_error']) for row in rows if (row['method'], row['labels'], row['size']) == wanted]


def _curve(rows: list[Row], method: str, labels: str, flow: str) -> dict[int, float]:
    sizes = sorted({int(row['size']) for row in rows})
    errors = {size: _errors(rows, method, labels, size, flow) for size in sizes}
    return {size: float(np.mean(found)) for size, found in errors.items() if found}


def main() -> None:
    """Make the runs that are missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--robots', nargs='+', default=['panda'])
    parser.add_argument('--sizes', type=int, nargs='+', default=list(SIZES), help='training pairs')
    parser.add_argument('--labels', nargs='+', choices=KINDS, default=list(KINDS), help='flow that is learned from')
    add_arguments(parser, json_name='data_efficiency.json')
    add_run_arguments(parser)
    arguments = parser.parse_args()
    rows = Rows(Path(arguments.json))
    if not arguments.report:
        run_all(arguments, plan(arguments, arguments.robots, arguments.methods, arguments.sizes, arguments.labels), rows)
    console = wide_console()
    for robot in arguments.robots:
        found = [row for row in rows.all() if row['robot'] == robot and row['minutes'] == arguments.minutes]
        for flow in KINDS:
            console.print(error_table(found, robot, flow))
            console.print(ratio_table(found, robot, flow))


if __name__ == '__main__':
    main()
