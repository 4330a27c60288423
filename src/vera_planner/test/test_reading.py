# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a sentence asks for: lessons without held-out goals and wordings, answers in words, refusals that say what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vera_core.errors import PlanningError
from vera_core.goals import Goal, held_out_goals, task_names
from vera_planner.models.reader import DIRECTIONS, TASKS, THINGS, Asked, Reader
from vera_planner.reading import ReaderWeights, check_asked, load_reader, save_reader
from vera_planner.training.reading import Lessons, reader_loss, training_lines
from vera_planner.wordings import sentences


@pytest.fixture(scope='module')
def lines() -> list[tuple[str, Goal]]:
    return training_lines(np.random.default_rng(0))


def test_no_lesson_asks_for_a_goal_held_out(lines: list[tuple[str, Goal]]) -> None:
    held_out = {goal for task in task_names() for goal in held_out_goals(task)}
    assert held_out
    assert not held_out & {goal for _, goal in lines}


def test_no_lesson_is_worded_as_the_evaluation_is(lines: list[tuple[str, Goal]]) -> None:
    taught = {line for line, _ in lines}
    for task in task_names():
        for goal in held_out_goals(task) or ():
            assert not taught & set(sentences(goal, held_out=True))


def test_things_that_are_not_there_have_no_name(lines: list[tuple[str, Goal]]) -> None:
    strange = [line for line, goal in lines if goal.task == 'push' and not goal.target]
    assert len(strange) > 50
    assert not any(colour in line.split() for line in strange for colour in ('red', 'green', 'blue', 'yellow'))


def test_a_reader_learns_a_few_lessons_and_is_kept(tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    # One lesson for each task and one without a task, each of three tokens of its own.
    count = len(TASKS) + 1
    wanted = torch.tensor([[i % len(TASKS), i % len(DIRECTIONS), i % len(THINGS), (i + 1) % len(THINGS)] for i in range(count)])
    lessons = Lessons(tokens=torch.randn(count, 3, 384), mask=torch.ones(count, 3), wanted=wanted, group=torch.arange(count))
    net = Reader()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(60):
        loss = reader_loss(net, lessons, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_reader(ReaderWeights(reader=net, metadata={'command': 'test'}), tmp_path / 'reader.safetensors')
    kept = load_reader(tmp_path / 'reader.safetensors')
    assert kept.metadata['command'] == 'test'
    for row in range(count):
        asked = kept.reader.read(lessons.tokens[row : row + 1], lessons.mask[row : row + 1])
        assert asked.task == TASKS[wanted[row, 0]]
        assert (asked.direction, asked.target, asked.onto) == (DIRECTIONS[wanted[row, 1]], THINGS[wanted[row, 2]], THINGS[wanted[row, 3]])


def asked(task: str, *, direction: str = '', target: str = 'red_cube', onto: str = '', sure: float = 1.0) -> Asked:
    return Asked(task=task, direction=direction, target=target, onto=onto, sure=(1.0, sure, 1.0, 1.0))


def test_complete_wishes_pass() -> None:
    check_asked(asked('push', direction='left'), 'push it', {'push'}, 'panda')
    check_asked(asked('stack', onto='blue_cube'), 'stack it', {'stack'}, 'panda')


@pytest.mark.parametrize(
    ('wish', 'text'),
    [
        (asked('push', direction='left', target=''), 'names nothing the planner sees'),
        (
            asked('pick'),
            'asks to pick, and the planner of panda has learned push and reach only; train it with: vera train planner --task pick --robot panda',
        ),
        (asked('push'), 'does not say which way to push; say one of away, left, right, towards'),
        (asked('push', direction='left', sure=0.3), 'does not say which way to push'),
        (asked('push', direction='clockwise'), 'does not say which way to push'),
    ],
)
def test_what_is_missing_is_told(wish: Asked, text: str) -> None:
    with pytest.raises(PlanningError, match=text):
        check_asked(wish, 'a sentence', {'push', 'reach'}, 'panda')
    with pytest.raises(PlanningError, match='does not say onto which other cube'):
        check_asked(asked('stack', onto='red_cube'), 'a sentence', {'stack'}, 'panda')


def test_who_knows_a_task_is_told() -> None:
    with pytest.raises(PlanningError, match='has learned reach only; that of panda_gripper knows it'):
        check_asked(asked('pick'), 'a sentence', {'reach'}, 'panda', ['panda_gripper'])
