# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The reader's weights, which are the same for every robot and task, and what a sentence must tell before anything is dreamt for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vera_core.errors import PlanningError
from vera_core.goals import all_goals
from vera_planner.models.reader import Asked, Reader
from vera_planner.weights_file import fill_modules, kept_metadata, reading_weights, write_weights

FORMAT = 1
READER = 'embedded_reader.safetensors'
MAKE_COMMAND = 'vera train planner --task push'
SURE = 0.5
"""An answer is taken from this probability on."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReaderWeights:
    """A reader and its page."""

    reader: Reader
    metadata: dict[str, Any]


def save_reader(weights: ReaderWeights, path: Path) -> None:
    """Write a reader and its page."""
    write_weights(path, {'reader': weights.reader}, {'format': FORMAT, **kept_metadata(weights.metadata)})


def load_reader(path: Path) -> ReaderWeights:
    """Read a reader.

    Raises:
        ModelContractError: If a file is missing, damaged or does not fit; the text names it and the command that makes it.
    """
    with reading_weights(path, FORMAT, MAKE_COMMAND) as (page, tensors):
        reader = Reader()
        fill_modules({'reader': reader}, tensors)
    return ReaderWeights(reader=reader, metadata=page)


def check_asked(asked: Asked, prompt: str, known: Collection[str], robot: str, others: Collection[str] = ()) -> None:
    """Check that a sentence asks for something these weights know and says all that the task needs.

    Args:
        asked: What the sentence asks for.
        prompt: The sentence.
        known: Tasks these weights have learned.
        robot: Whose weights they are.
        others: Robots whose weights know the task.

    Raises:
        PlanningError: If it does not; the text says what is missing.
    """
    said = f"'{prompt[:80]}'"
    task_sure, direction_sure, target_sure, onto_sure = asked.sure
    if not asked.target or min(task_sure, target_sure) < SURE:
        doubt = 1 - target_sure if not asked.target else min(task_sure, target_sure)
        raise PlanningError(
            f'{said} names nothing the planner sees (confidence {doubt:.2f}, {SURE:.2f} needed); '
            'name a cube by its colour, for example "touch the red cube"'
        )
    if asked.task not in known:
        elsewhere = (
            f'that of {" and ".join(others)} knows it'
            if others
            else f'train it with: vera train planner --task {asked.task} --robot {robot}'
        )
        raise PlanningError(
            f'{said} asks to {asked.task}, and the planner of {robot} has learned {" and ".join(sorted(known)) or "nothing"} only; {elsewhere}'
        )
    goals = all_goals(asked.task)
    ways = sorted({goal.direction for goal in goals} - {''})
    if ways and (asked.direction not in ways or direction_sure < SURE):
        raise PlanningError(f'{said} does not say which way to {asked.task}; say one of {", ".join(ways)}')
    if any(goal.onto for goal in goals) and (not asked.onto or onto_sure < SURE or asked.onto == asked.target):
        raise PlanningError(f'{said} does not say onto which other cube; for example "put the red cube on the blue cube"')
