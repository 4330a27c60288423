# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of faults to JSON and back, and to the table of docs/safety.md."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from vera_bringup.faults.fault import FaultRow


def read_rows(path: Path) -> dict[str, FaultRow]:
    """Return the rows of a file by name; none when there is no file."""
    if not path.is_file():
        return {}
    return {entry['name']: FaultRow(**entry) for entry in json.loads(path.read_text(encoding='utf-8'))['rows']}


def write_rows(path: Path, rows: Iterable[FaultRow], command: str) -> None:
    """Write rows and the command that made them; the file is whole at any time."""
    document = {'command': command, 'rows': [dataclasses.asdict(row) for row in rows]}
    new = path.with_suffix('.new')
    new.write_text(json.dumps(document, indent=1) + '\n', encoding='utf-8')
    new.replace(path)


def table(rows: Iterable[FaultRow]) -> str:
    """Return the rows as a Markdown table, with how many passed and when they were measured above it, as docs/safety.md has it."""
    rows = list(rows)
    days = sorted({row.measured[:10] for row in rows if row.measured})
    when = ' to '.join(dict.fromkeys([days[0], days[-1]])) if days else 'not measured'
    lines = [f'{sum(row.passed for row in rows)} of {len(rows)} as they have to be, {when}:', '']
    lines += ['| fault | told after | at rest after | bound | moved | told | as it has to be |', '|---|---|---|---|---|---|---|']
    for row in rows:
        figures = ''.join(f'; {name} {value:.3g}' for name, value in row.figures.items())
        verdict = 'yes' if row.passed else f'**no**: {row.problem}'
        lines.append(
            f'| {row.text} | {_seconds(row.known_s)} | {_seconds(row.rest_s)} | {_seconds(row.bound_s)} | {_number(row.moved_rad, "rad")}{figures} '
            f'| {row.reason} | {verdict} |'
        )
    return '\n'.join(lines) + '\n'


def _seconds(value: float | None) -> str:
    return _number(value, 's', digits=2)


def _number(value: float | None, unit: str, digits: int = 3) -> str:
    return '' if value is None else f'{value:.{digits}f} {unit}'
