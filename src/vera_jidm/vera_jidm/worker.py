# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One thread that works whenever something new has arrived, so that callbacks only store."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vera_core.priority import give_way


class Worker:
    """Calls `work` once per wake-up, never twice at a time; wake-ups during the work are one more call."""

    def __init__(
        self,
        work: Callable[[], None],
        on_fault: Callable[[Exception], None],
        *,
        idle: Callable[[], None],
        idle_s: float = 1.0,
        niceness: int = 0,
    ) -> None:
        """Start the thread.

        Args:
            work: The work; it takes what it finds and returns.
            on_fault: Told about an exception that the work did not foresee; the thread goes on with the next wake-up.
            idle: Called when nothing arrived for `idle_s`.
            idle_s: s.
            niceness: How readily the thread gives way to others, see `give_way`.
        """
        self._work = work
        self._on_fault = on_fault
        self._idle = idle
        self._idle_s = idle_s
        self._niceness = niceness
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name='worker', daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that something new is there; returns at once."""
        self._wake.set()

    def close(self) -> None:
        """End the thread after the work in hand."""
        self._ended.set()
        self._wake.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        give_way(self._niceness)
        while not self._ended.is_set():
            woken = self._wake.wait(self._idle_s)
            self._wake.clear()
            if self._ended.is_set():
                return
            try:
                (self._work if woken else self._idle)()
            except Exception as error:  # outermost frame of the thread: report and go on
                if not self._ended.is_set():
                    self._on_fault(error)
