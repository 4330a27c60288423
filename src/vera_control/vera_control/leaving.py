# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Leaving in good order: a signal is noted, the node says its last words while the middleware still works, then it goes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from rclpy.signals import uninstall_signal_handlers


class LeaveFlag:
    """Set by SIGINT or SIGTERM. rclpy's own handlers, which end the context before a node could say anything, are taken off.

    Must be made in the main thread after rclpy.init.
    """

    def __init__(self) -> None:
        self.is_set = False
        self.is_awaited: Callable[[], bool] = lambda: True
        """Whether somebody looks at the flag; when nobody does, a signal ends the process at once."""
        uninstall_signal_handlers()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._set)

    def _set(self, number: int, frame: FrameType | None) -> None:
        if self.is_set or not self.is_awaited():
            raise KeyboardInterrupt
        self.is_set = True
