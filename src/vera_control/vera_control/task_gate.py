# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Only the task in force may move the arm: when it ends, whatever still arrives for it is not followed any more."""

from __future__ import annotations


class TaskGate:
    """Remembers which task the executive says is in force."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._task_id: int | None = None
        self._heard_ns = 0
        self.is_dry = False
        """True while the task in force is only tried: nothing of it must reach the driver."""

    def report(self, task_id: int, now_ns: int, *, is_active: bool, is_dry: bool = False) -> None:
        """Take in what the executive says; it repeats an active task several times a second."""
        if is_active:
            self._task_id, self._heard_ns, self.is_dry = task_id, now_ns, is_dry
        elif task_id == self._task_id:
            self._task_id, self.is_dry = None, False

    def in_force(self, now_ns: int) -> int | None:
        """Return the id of the task in force; None when there is none or the executive fell silent."""
        if self._task_id is not None and not 0 <= (now_ns - self._heard_ns) * 1e-9 <= self._timeout_s:
            self._task_id, self.is_dry = None, False
        return self._task_id
