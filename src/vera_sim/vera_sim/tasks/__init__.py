# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The tasks of the simulator by name."""

from __future__ import annotations

from collections.abc import Mapping

from vera_core.errors import ConfigError, nearest_name_hint
from vera_sim.tasks.pick import Pick
from vera_sim.tasks.push import Push
from vera_sim.tasks.reach import Reach
from vera_sim.tasks.rotate import Rotate
from vera_sim.tasks.stack import Stack
from vera_sim.tasks.task import EXPERT_DT_S, Check, Task

TASKS: Mapping[str, Task] = {task.name: task for task in (Reach(), Push(), Pick(), Stack(), Rotate())}
"""Task name to task; names are those of `vera_core/goals.yaml`."""


def find_task(name: str) -> Task:
    """Return the task called `name`.

    Raises:
        ConfigError: If there is none; the text names the nearest.
    """
    if name not in TASKS:
        raise ConfigError(f"unknown task '{name}'; {nearest_name_hint(name, TASKS)}")
    return TASKS[name]


__all__ = ['EXPERT_DT_S', 'TASKS', 'Check', 'Task', 'find_task']
