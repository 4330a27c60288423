# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Threads that give way: on two cores the next plan is dreamt, opened and measured beside the loop that moves the arm."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

BACKGROUND = 10
"""Niceness of work that nobody waits for at camera rate."""


def give_way(niceness: int) -> None:
    """Make the calling thread, and it alone, at least as nice as told: 0 (like all others) to 19 (gives way to all).

    On Linux niceness belongs to a thread (sched(7)); elsewhere, and where a sandbox forbids it, nothing happens.
    """
    if sys.platform != 'linux':
        return
    thread = threading.get_native_id()
    if os.getpriority(os.PRIO_PROCESS, thread) < niceness:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
