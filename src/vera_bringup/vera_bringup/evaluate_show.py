# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera evaluate`: the evaluation with its tables."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from vera_bringup.evaluate import EvaluationRequest, evaluate, summarise, write_report
from vera_bringup.supervision import isolate
from vera_bringup.tables import episode_line, episodes_table, summary_table
from vera_bringup.task_run import EpisodeRow

TABLE_WIDTH = 140


def evaluate_and_show(request: EvaluationRequest, *, report: Path | None, log_file: Path | None) -> int:
    """Evaluate, print a line per episode as it ends and the tables at the end; return 1 if a process was lost on the way."""
    console = Console(soft_wrap=True)
    if not console.is_terminal:
        console.width = TABLE_WIDTH
    domain = isolate()
    console.print(f'{request.episodes} episodes of {request.task} with the {request.planner} planner, ROS_DOMAIN_ID {domain}')
    count = 0

    def show(row: EpisodeRow) -> None:
        nonlocal count
        console.print(episode_line(count, row))
        count += 1

    rows = evaluate(request, log_file=log_file, on_row=show)
    if report:
        write_report(report, request, rows)
    console.print(episodes_table(rows))
    console.print(summary_table(f'{request.robot} · {request.task} · {request.planner}', summarise(rows)))
    if report:
        console.print(f'report: {report}')
    return 0 if len(rows) == request.episodes else 1
