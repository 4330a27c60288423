# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sentences for any goal of the simulated tasks: those a training may use, and others kept aside to test it with."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import yaml

from vera_core.errors import ConfigError
from vera_core.goals import Goal
from vera_planner.prompts import HELD_OUT_COLOURS, HELD_OUT_WORDINGS, TRAIN_COLOURS, TRAIN_WORDINGS


@functools.cache
def _document() -> Mapping[str, Any]:
    text = (resources.files('vera_planner') / 'wordings.yaml').read_text(encoding='utf-8')
    document: Mapping[str, Any] = yaml.safe_load(text)
    return {'reach': {'training': TRAIN_WORDINGS, 'held_out': HELD_OUT_WORDINGS}, **document}


def wordings(task: str, *, held_out: bool) -> tuple[str, ...]:
    """Return the patterns of a task's sentences.

    Raises:
        ConfigError: If nobody wrote sentences for the task.
    """
    if task not in _document():
        raise ConfigError(f"there are no sentences for task '{task}'; write some in vera_planner/wordings.yaml")
    return tuple(_document()[task]['held_out' if held_out else 'training'])


@functools.cache
def sentences(goal: Goal, *, held_out: bool) -> tuple[str, ...]:
    """Return every sentence that asks for a goal; one that is to be drawn more often appears more often.

    Args:
        goal: What is asked for.
        held_out: In wordings that no training sees, with the plain words for colours and directions, because phrasing is what is tested.

    Raises:
        ConfigError: If nobody wrote sentences for the task, or none for the goal's direction.
    """
    patterns = wordings(goal.task, held_out=held_out)
    phrases: Mapping[str, Sequence[str]] = _document()[goal.task].get('directions', {'': ('',)})
    if goal.direction not in phrases:
        raise ConfigError(f"there is no phrase for direction '{goal.direction}' of {goal.task}; write one in vera_planner/wordings.yaml")
    directions = phrases[goal.direction][:1] if held_out else phrases[goal.direction]
    colours = HELD_OUT_COLOURS if held_out else TRAIN_COLOURS
    return tuple(
        pattern.format(word, onto=onto, direction=direction)
        for pattern in patterns
        for word in colours.get(goal.colour, ('',))
        # Two lists of synonyms would make more sentences than anybody needs: the other cube has its plain word.
        for onto in (goal.onto.removesuffix('_cube'),)
        for direction in directions
    )
