# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Live progress of one task in the terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from vera_bringup.outcome import SAFETY_STATES
from vera_bringup.session import Session
from vera_msgs.action import ExecuteTask


class TaskProgress:
    """A small table that follows the feedback of the task. Use as a context manager; plain lines where there is no terminal."""

    def __init__(self, console: Console, session: Session, prompt: str) -> None:
        self._console, self._session, self._prompt = console, session, prompt
        self._phase = ''
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def on_feedback(self, feedback: ExecuteTask.Feedback) -> None:
        """Show a feedback message of the executive."""
        if self._live:
            self._live.update(self._table(feedback))
        elif feedback.phase != self._phase:
            self._console.print(
                f'{feedback.elapsed:5.1f} s  {feedback.phase}  plan {feedback.plan_id}  still to go {feedback.remaining:.1f} px'
            )
        self._phase = feedback.phase

    def _table(self, feedback: ExecuteTask.Feedback) -> Table:
        table = Table(show_header=False, title=f'"{self._prompt}"', min_width=64)
        table.add_row('elapsed', f'{feedback.elapsed:.1f} s')
        table.add_row('phase', feedback.phase)
        table.add_row('plan', f'{feedback.plan_id}, {feedback.plan_age:.1f} s old')
        table.add_row('still to go', f'{feedback.remaining:.1f} px')
        table.add_row('flow no joint motion explains', f'{feedback.residual_ratio:.0%}')
        planner, safety = self._session.planner, self._session.safety
        if planner:
            table.add_row('planner', planner.text)
        if safety:
            table.add_row('controller', f'{SAFETY_STATES.get(safety.state, "?")}: {safety.text}')
        return table
