# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the simulator is told to check about the sentence of a demo."""

from __future__ import annotations

import pytest

from vera_bringup.demo import PROMPTS, episode_of
from vera_core.errors import ConfigError
from vera_core.goals import Goal


@pytest.mark.parametrize(
    ('prompt', 'goal'),
    [
        ('touch the red cube', Goal(task='reach', target='red_cube')),
        ('Push the GREEN cube to the left.', Goal(task='push', target='green_cube', direction='left')),
        ('push the blue cube away', Goal(task='push', target='blue_cube', direction='away')),
    ],
)
def test_plain_words_say_what_is_checked(prompt: str, goal: Goal) -> None:
    episode = episode_of(prompt, 7)
    assert episode.goal == goal
    assert (episode.seed, episode.prompt, episode.held_out) == (7, prompt, False)


def test_the_object_can_be_given_beside_the_sentence() -> None:
    assert episode_of('go there', 1, 'yellow_cube').goal == Goal(task='reach', target='yellow_cube')


@pytest.mark.parametrize(
    ('prompt', 'words'),
    [
        ('touch the cube', 'which object is'),
        ('touch the red or the blue cube', 'which object is'),
        ('touch the reddish cube', 'which object is'),
        ('push the red cube', 'which way does'),
        ('push the red cube left or right', 'Say one of away, left, right, towards'),
    ],
)
def test_a_sentence_that_leaves_it_open_is_refused(prompt: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        episode_of(prompt, 7)


def test_what_is_shown_without_a_sentence_can_be_checked() -> None:
    assert all(episode_of(prompt, 7).target for prompt in PROMPTS)
