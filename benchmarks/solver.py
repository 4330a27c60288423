# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How long does the inversion take, against a plain dense least squares on all rows? Needs no simulator; 20 s on one core.

    python benchmarks/solver.py --json solver.json

Smooth random fields seen by two views, flow with 0.2 px of noise and a tenth of outliers, weights 0.1..1, step bounds of which some bind.
`solve` is rows in, joint step with covariance out (Huber, bounds); `whole` adds pooling, stacking and the conversion to float64;
`lstsq` is numpy.linalg.lstsq on the same rows, unweighted, neither robust nor bounded. Times are wall clock, one thread (OMP_NUM_THREADS=1).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from vera_core.types import FlowField, JacobianField
from vera_jidm.flow.between import flow_between
from vera_jidm.solve.joint_step import SolveSettings, solve_joint_step, solve_rows
from vera_jidm.solve.rows import stack_rows

PICTURE_PX = 128
BAR_MS = 3.0
SIZES = ((1, 16), (4, 16), (4, 7))
"""Pixels per cell and joints: every pixel with a hand's 16 joints (what the bar is about), then the shipped grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Times of one size, ms."""

    stride_px: int
    joints: int
    rows: int
    solve_p50: float
    solve_p99: float
    whole_p50: float
    lstsq_p50: float
    error_rad: float
    """Largest error of a joint against the joint step the flow was made from, rad."""

    @property
    def ratio(self) -> float:
        """How many times the plain least squares takes."""
        return self.lstsq_p50 / self.solve_p50


def scene(stride: int, joints: int, seed: int = 0) -> tuple[dict[str, JacobianField], FlowField, np.ndarray]:
    """Return fields, flow and the joint step the flow was made from."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=joints) * 0.03
    cells = PICTURE_PX // stride
    at = np.linspace(-1, 1, cells)
    column, row = np.meshgrid(at, at)
    waves = np.stack([np.cos(k * column + p) * np.cos(m * row + q) for k, m, p, q in rng.uniform(0, 5, size=(12, 4))], axis=-1)
    fields, flow, confidence = {}, {}, {}
    for view in ('front', 'side'):
        jacobian = (waves @ rng.normal(size=(12, 2 * joints)) * 15).reshape(cells, cells, 2, joints).astype(np.float32)
        fields[view] = JacobianField(view=view, jacobian=jacobian, confidence=rng.uniform(0.1, 1, size=(cells, cells)), stride=stride)
        cell_flow = jacobian @ truth + rng.normal(size=(cells, cells, 2)) * 0.2
        wrong = rng.random((cells, cells)) < 0.1
        cell_flow[wrong] += rng.normal(size=(int(wrong.sum()), 2)) * 5
        flow[view] = cell_flow.repeat(stride, axis=0).repeat(stride, axis=1)
        confidence[view] = np.ones((PICTURE_PX, PICTURE_PX))
    return fields, flow_between(flow, confidence), truth


def times_ms(call: Callable[[], object], repeats: int) -> np.ndarray:
    """Return the wall time of every repeat, ms; two calls before do not count."""
    for _ in range(2):
        call()
    taken = np.empty(repeats)
    for repeat in range(repeats):
        start = time.perf_counter()
        call()
        taken[repeat] = (time.perf_counter() - start) * 1e3
    return taken


def measure(stride: int, joints: int, repeats: int) -> Row:
    """Measure one size."""
    fields, flow, truth = scene(stride, joints)
    settings, rows = SolveSettings(), stack_rows(fields, flow)
    reach = np.abs(truth).max() * 0.9  # the largest joint of the answer is held by its bound
    bounds = {'lower': np.full(joints, -reach), 'upper': np.full(joints, reach)}
    tall, right = rows.jacobian.reshape(-1, joints), rows.flow.reshape(-1)
    solve = times_ms(lambda: solve_rows(rows, settings=settings, **bounds), repeats)
    whole = times_ms(lambda: solve_joint_step(fields, flow, settings=settings, **bounds), repeats)
    lstsq = times_ms(lambda: np.linalg.lstsq(tall, right), max(repeats // 5, 3))
    return Row(
        stride_px=stride,
        joints=joints,
        rows=len(right),
        solve_p50=float(np.percentile(solve, 50)),
        solve_p99=float(np.percentile(solve, 99)),
        whole_p50=float(np.percentile(whole, 50)),
        lstsq_p50=float(np.percentile(lstsq, 50)),
        error_rad=float(np.abs(solve_rows(rows, settings=settings).delta_q - truth).max()),
    )


def print_table(rows: list[Row]) -> None:
    """Print what was measured."""
    table = Table(title=f'Inversion, ms; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores')
    for title in ('cells x joints', 'rows', 'solve p50', 'p99', 'whole p50', 'lstsq p50', 'lstsq / solve', 'error, rad'):
        table.add_column(title, justify='right')
    for row in rows:
        cells = PICTURE_PX // row.stride_px
        table.add_row(
            f'2 x {cells} x {cells} x {row.joints}',
            f'{row.rows}',
            f'{row.solve_p50:.2f}',
            f'{row.solve_p99:.2f}',
            f'{row.whole_p50:.2f}',
            f'{row.lstsq_p50:.2f}',
            f'{row.ratio:.1f}',
            f'{row.error_rad:.1e}',
        )
    Console().print(table)
    Console().print(f'bar: solve <= {BAR_MS:g} ms at 2 x 128 x 128 x 16: {"met" if rows[0].solve_p50 <= BAR_MS else "NOT met"}')


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--repeats', type=int, default=200)
    parser.add_argument('--json', type=Path, help='file to write the numbers to')
    arguments = parser.parse_args()
    rows = [measure(stride, joints, arguments.repeats) for stride, joints in SIZES]
    print_table(rows)
    if arguments.json:
        report = {'load_average': os.getloadavg()[0], 'cores': os.cpu_count(), 'bar_ms': BAR_MS}
        arguments.json.write_text(json.dumps(report | {'rows': [asdict(row) | {'ratio': row.ratio} for row in rows]}, indent=2) + '\n')


if __name__ == '__main__':
    main()
