# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What Linux tells about a process from outside."""

from __future__ import annotations

from pathlib import Path


def private_mb(pid: int) -> float | None:
    """Return the memory that is a process's own, MB (RssAnon of Linux, shared memory of the middleware left out); None when it is gone."""
    try:
        text = Path(f'/proc/{pid}/status').read_text(encoding='utf-8')
    except OSError:
        return None
    found = [line.split()[1] for line in text.splitlines() if line.startswith('RssAnon')]
    return int(found[0]) / 1024 if found else None


def waited_s(pid: int) -> float | None:
    """Return for how long the threads of a process were ready to run and had no processor, all together, s; None where it is not told.

    Second figure of schedstat of every thread that is there now (Linux, Documentation/scheduler/sched-stats.rst).
    """
    try:
        lines = [path.read_text(encoding='utf-8') for path in Path(f'/proc/{pid}/task').glob('*/schedstat')]
        return sum(int(line.split()[1]) for line in lines) * 1e-9 if lines else None
    except (OSError, IndexError, ValueError):
        return None
