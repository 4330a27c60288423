# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a simulated task asks for, and the list of goals that are kept out of every training (`goals.yaml`)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from vera_core.errors import ConfigError, nearest_name_hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One thing to do."""

    task: str
    """`reach`, `push`, `pick`, `stack` or `rotate`."""
    target: str
    """Object it is about, for example red_cube; empty: the robot may do what it likes, and nothing counts as success."""
    direction: str = ''
    """Where to; empty for tasks without a direction."""
    onto: str = ''
    """Object the target ends up on; empty for tasks without one."""

    @property
    def colour(self) -> str:
        """The target's colour word."""
        return self.target.removesuffix('_cube')

    def __str__(self) -> str:
        """Say it in few words."""
        return ' '.join(word for word in (self.task, self.target, self.direction, f'onto {self.onto}' if self.onto else '') if word)


@functools.cache
def _document() -> Mapping[str, Any]:
    text = (resources.files('vera_core') / 'goals.yaml').read_text(encoding='utf-8')
    document: Mapping[str, Any] = yaml.safe_load(text)
    return document


def task_names() -> tuple[str, ...]:
    """Names of the tasks there are goals for."""
    return tuple(_document()['tasks'])


@functools.cache
def all_goals(task: str) -> tuple[Goal, ...]:
    """Return everything a task can ask for.

    Raises:
        ConfigError: If there is no task of that name; the text names the nearest.
    """
    if task not in task_names():
        raise ConfigError(f"unknown task '{task}'; {nearest_name_hint(task, task_names())}")
    entry = _document()['tasks'][task]
    targets = entry['targets']
    return tuple(
        Goal(task=task, target=target, direction=direction, onto=onto)
        for target in targets
        for direction in entry.get('directions', ('',))
        for onto in (targets if entry.get('onto') else ('',))
        if onto != target
    )


@functools.cache
def held_out_goals(task: str) -> tuple[Goal, ...]:
    """Return the goals of a task that no training sees.

    Raises:
        ConfigError: If the task is unknown.
    """
    goals = tuple(Goal(task=task, **entry) for entry in _document()['held_out'].get(task, ()))
    strange = set(goals) - set(all_goals(task))
    if strange:
        raise ConfigError(f'goals.yaml holds out {", ".join(map(str, strange))}, which the task cannot ask for')
    return goals


def training_goals(task: str) -> tuple[Goal, ...]:
    """Return the goals of a task that trainings may show.

    Raises:
        ConfigError: If the task is unknown.
    """
    held_out = held_out_goals(task)
    return tuple(goal for goal in all_goals(task) if goal not in held_out)


def checked_goal(goal: Goal) -> Goal:
    """Return a goal that its task can ask for.

    Raises:
        ConfigError: If it cannot; the text says which part is wrong and what can be.
    """
    goals = all_goals(goal.task)
    for part in ('target', 'direction', 'onto'):
        known = sorted({getattr(other, part) for other in goals})
        given = getattr(goal, part)
        if given not in known:
            what = f"has no {part} '{given}'" if given else f'needs a {part}'
            raise ConfigError(f'task {goal.task} {what}; {nearest_name_hint(given, known)}')
    if goal not in goals:
        raise ConfigError(f"task {goal.task} cannot put '{goal.target}' onto itself; name another object")
    return goal
