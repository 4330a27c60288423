# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Threads that give way."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from vera_core.priority import BACKGROUND, give_way


@pytest.mark.skipif(sys.platform != 'linux', reason='niceness belongs to a thread on Linux only')
@pytest.mark.parametrize('niceness', [0, BACKGROUND])
def test_one_thread_gives_way_and_no_other(niceness: int) -> None:
    seen: list[int] = []

    def work() -> None:
        give_way(niceness)
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [max(niceness, before)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
