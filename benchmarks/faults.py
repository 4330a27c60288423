# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How long until the simulated arm rests after every fault there is, and is it told why?

    python benchmarks/faults.py --json faults.json [--only NAME ...] [--list]

Real processes of the set-up panda_sim with the recorded planner: as shipped for faults of processes, with a relay between the simulator and
the graph for faults of streams. Times are counted from the moment before the fault is made, by arrival of the simulator's own joint states.
Where the arm does not set out, because its plan was refused, or does not come to the pane, another scene is drawn, four at most.
Rows that the JSON file has already are not measured again, unless they did not pass. About 12 min on two quiet cores.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vera_bringup.asking import SessionError
from vera_bringup.faults.catalogue import TRIALS, Trial, running_set_up
from vera_bringup.faults.fault import FaultRow
from vera_bringup.faults.report import read_rows, table, write_rows
from vera_bringup.faults.rig import Rig
from vera_bringup.supervision import isolate


def main() -> int:
    """Run what is missing; 1 when a row did not pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=Path, default=Path('faults.json'), help='where rows are kept')
    parser.add_argument('--only', nargs='*', default=[], help='names of faults, measured anew')
    parser.add_argument('--log', type=Path, default=None, help='folder for what the nodes print')
    parser.add_argument('--list', action='store_true', help='name all faults')
    options = parser.parse_args()
    if options.list:
        print('\n'.join(f'{trial.name:28} {trial.text}' for trials in TRIALS.values() for trial in trials))
        return 0
    isolate()
    rows = read_rows(options.json)
    command = shlex.join(['python', *sys.argv])
    with tempfile.TemporaryDirectory(prefix='vera_faults_') as folder:
        os.environ['ROS_HOME'] = folder  # where the black box writes
        for set_up, trials in TRIALS.items():
            left = [trial for trial in trials if (trial.name in options.only if options.only else not _has_passed(rows, trial.name))]
            while left:
                log_file = None if options.log is None else options.log / f'{set_up}_{left[0].name}.log'
                with running_set_up(set_up, Path(folder), log_file=log_file) as rig:
                    run_trials(rig, left, rows, set_up, lambda: write_rows(options.json, _ordered(rows), command))
    print(table(_ordered(rows)))
    return 0 if all(row.passed for row in rows.values()) else 1


def run_trials(rig: Rig, left: list[Trial], rows: dict[str, FaultRow], set_up: str, keep: Callable[[], None]) -> None:
    """Take trials off the list and measure them, up to the first that does not end well: after that the system has to be started anew."""
    while left:
        trial, began_s = left.pop(0), time.monotonic()
        try:
            row = trial.run(rig)
        except SessionError as error:
            row = FaultRow(name=trial.name, text=trial.text, set_up=set_up, passed=False, problem=str(error))
        rows[trial.name] = row
        keep()
        figures = ' '.join(f'{name} {value:.3g}' for name, value in row.figures.items())
        words = 'ok' if row.passed else f'NOT: {row.problem}'
        print(
            f'{trial.name:28} told {_seconds(row.known_s)} rest {_seconds(row.rest_s)} of {_seconds(row.bound_s)} {figures} '
            f'[{time.monotonic() - began_s:.1f} s] {words}',
            flush=True,
        )
        if not row.passed:
            return


def _seconds(value: float | None) -> str:
    return '     -' if value is None else f'{value:6.3f}'


def _has_passed(rows: dict[str, FaultRow], name: str) -> bool:
    return name in rows and rows[name].passed


def _ordered(rows: dict[str, FaultRow]) -> list[FaultRow]:
    names = [trial.name for trials in TRIALS.values() for trial in trials]
    return [rows[name] for name in names if name in rows]


if __name__ == '__main__':
    try:
        sys.exit(main())
    except SessionError as error:
        sys.exit(str(error))
