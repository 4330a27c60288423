# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Progress bars of a training, one per stage."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from vera_planner.training.loop import Progress


class ProgressShow:
    """Shows stages as bars while it is entered."""

    def __init__(self, stages: Iterable[str]) -> None:
        self._bars = Bars(
            TextColumn('{task.description:<10}'), BarColumn(), TextColumn('{task.fields[text]}'), TimeElapsedColumn(), TimeRemainingColumn()
        )
        self._tasks = {stage: self._bars.add_task(stage, total=1.0, text='', start=False) for stage in stages}

    def __enter__(self) -> ProgressShow:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def report(self, progress: Progress) -> None:
        """Show where a stage stands."""
        task = self._tasks[progress.stage]
        self._bars.start_task(task)
        self._bars.update(task, completed=progress.done, text=f'step {progress.steps}, loss {progress.loss:.4f}')
