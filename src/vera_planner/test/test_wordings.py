# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from vera_core.errors import ConfigError
from vera_core.goals import Goal, all_goals, checked_goal, held_out_goals, task_names, training_goals
from vera_planner.prompts import training_sentences
from vera_planner.wordings import sentences, wordings


@pytest.mark.parametrize('task', task_names())
def test_no_held_out_sentence_is_ever_trained_and_every_goal_has_its_own(task: str) -> None:
    trained = {goal: set(sentences(goal, held_out=False)) for goal in all_goals(task)}
    aside = {goal: set(sentences(goal, held_out=True)) for goal in all_goals(task)}
    assert not set(wordings(task, held_out=False)) & set(wordings(task, held_out=True))
    assert not set().union(*trained.values()) & set().union(*aside.values())
    for goal, mine in trained.items():
        assert len(mine) >= 18 and len(aside[goal]) >= 4
        for other, theirs in trained.items():
            assert other == goal or not mine & theirs, (goal, other)


def test_a_sentence_names_colours_and_direction() -> None:
    push = sentences(Goal(task='push', target='red_cube', direction='left'), held_out=True)
    assert push[0] == 'give the red cube a push left'
    stack = sentences(Goal(task='stack', target='green_cube', onto='blue_cube'), held_out=False)
    assert stack[0] == 'put the green cube on the blue cube'
    assert set(sentences(Goal(task='reach', target='red_cube'), held_out=False)) == set(training_sentences()['red'])


@pytest.mark.parametrize('task', task_names())
def test_held_out_goals_leave_every_colour_and_direction_in_training_but_pick(task: str) -> None:
    trained = training_goals(task)
    assert set(trained) | set(held_out_goals(task)) == set(all_goals(task))
    for part in ('target', 'direction', 'onto'):
        kept = {getattr(goal, part) for goal in trained}
        lost = {getattr(goal, part) for goal in all_goals(task)} - kept
        assert lost == ({'blue_cube'} if (task, part) == ('pick', 'target') else set())


@pytest.mark.parametrize(
    ('goal', 'text'),
    [
        (Goal(task='pusch', target='red_cube'), "unknown task 'pusch'.*push"),
        (Goal(task='push', target='red_cube'), 'task push needs a direction'),
        (Goal(task='push', target='red_cube', direction='up'), "task push has no direction 'up'"),
        (Goal(task='pick', target='cup'), "task pick has no target 'cup'"),
        (Goal(task='pick', target='red_cube', onto='blue_cube'), "task pick has no onto 'blue_cube'"),
        (Goal(task='stack', target='red_cube', onto='red_cube'), 'onto itself'),
    ],
)
def test_a_goal_nobody_can_ask_for_is_refused_in_words(goal: Goal, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        checked_goal(goal)
