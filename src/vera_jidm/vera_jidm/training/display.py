# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Shows in the terminal how far reading, labelling and training are."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vera_jidm.training import checkpoint


class TrainingDisplay:
    """Progress bars for `train_idm` and `evaluate_idm`: hand over `report` and `observe`; use as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        columns = (
            TextColumn('{task.description}'),
            BarColumn(),
            TextColumn('{task.percentage:>3.0f} %'),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, TextColumn('{task.fields[note]}'), console=console)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> TrainingDisplay:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def report(self, what: str, done: int, count: int) -> None:
        """Show how much of a piece of work is done; a piece that begins anew starts its bar again."""
        task = self._task(what)
        self._progress.update(task, completed=done, total=count)

    def observe(self, progress: checkpoint.Progress, share: float, figures: dict[str, float]) -> None:
        """Show a training; figures on unseen recordings also leave a line."""
        note = ' '.join(f'{name} {value:.3f}' for name, value in figures.items())
        self._progress.update(self._task('training'), completed=1000 * share, total=1000, note=note)
        if 'score' in figures:
            spent = f'{progress.elapsed_s / 60:5.1f} min, {progress.pictures} pictures'
            self._progress.console.print(f'{spent}: unseen recordings {note}')

    def _task(self, what: str) -> TaskID:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, note='')
        return self._tasks[what]
