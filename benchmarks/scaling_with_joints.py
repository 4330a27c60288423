# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How does the error per joint grow with the number of joints, for the Jacobian field and for direct inverse dynamics?

    nice python benchmarks/scaling_with_joints.py --json runs/benchmarks/scaling_with_joints.json

Planar fingers with 1 to 5 joints and the Allegro hand with 16; the same number of pairs and the same time of one core for every robot and
estimator (see data_efficiency.py). All steps are equally long whatever the number of joints, so a joint of a longer chain moves less; the table
therefore holds both the error per joint in mrad and its share of the joint's motion. Cost: self-play of six robots and about 4 core-hours with
the defaults; can be stopped and goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from estimator_runs import KINDS, METHODS, Row, Rows, add_arguments, add_run_arguments, mean_and_spread, plan, run_all, wide_console
from rich.table import Table

from vera_core.embodiment import load_embodiment

ROBOTS = ('finger_1', 'finger_2', 'finger_3', 'finger_4', 'finger_5', 'allegro')


def share_of_motion(row: Row, flow: str) -> float:
    """Return rms error over rms step, both over all joints and pairs; 1.0 for the zero answer."""
    return float(np.sqrt(row[flow]['normalised_error']))


def growth_table(rows: list[Row], robots: list[str], flow: str) -> Table:
    """Return error per joint by robot, mean and spread over seeds, and how much it grows from the first robot to the last."""
    table = Table('method', 'unit', *robots, 'growth', title=f'Error per joint, {flow} flow')
    for method in (method for method in METHODS if any(row['method'] == method for row in rows)):
        by_robot = {robot: [row for row in rows if row['robot'] == robot and row['method'] == method] for robot in robots}
        shares = {robot: [share_of_motion(row, flow) for row in found] for robot, found in by_robot.items()}
        lengths = {robot: [1e3 * share_of_motion(row, flow) * row['step_rms_rad'] for row in found] for robot, found in by_robot.items()}
        for unit, values in (('of its motion', shares), ('mrad', lengths)):
            ends = [values[robots[0]], values[robots[-1]]]
            growth = f'{np.mean(ends[1]) / np.mean(ends[0]):.2f}' if all(ends) else '–'
            table.add_row(method, unit, *(mean_and_spread(values[robot]) for robot in robots), growth)
    return table


def main() -> None:
    """Make the runs that are missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--robots', nargs='+', default=list(ROBOTS), help='fewest joints first')
    parser.add_argument('--size', type=int, default=4000, help='training pairs')
    parser.add_argument('--labels', choices=KINDS, default='exact', help='flow that is learned from')
    add_arguments(parser, json_name='scaling_with_joints.json')
    add_run_arguments(parser)
    arguments = parser.parse_args()
    rows = Rows(Path(arguments.json))
    if not arguments.report:
        run_all(arguments, plan(arguments, arguments.robots, arguments.methods, [arguments.size], [arguments.labels]), rows)
    console = wide_console()
    console.print(', '.join(f'{robot}: {len(load_embodiment(robot).joints)}' for robot in arguments.robots), 'joints')
    chosen = {'size': arguments.size, 'minutes': arguments.minutes}
    found = [
        row
        for row in rows.all()
        if row['labels'] in (arguments.labels, 'none') and all(row[name] == value for name, value in chosen.items())
    ]
    for flow in KINDS:
        console.print(growth_table(found, arguments.robots, flow))


if __name__ == '__main__':
    main()
