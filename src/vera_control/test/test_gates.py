# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_control.gates import gate_estimate, gate_inside, gate_stamp, gate_values
from vera_control.limits import JointLimits
from vera_control.prompt import gate_prompt
from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal

NAMES = ('a', 'b', 'c')
S = 1_000_000_000


def text_of(refusal: Refusal | None, code: str) -> str:
    assert refusal is not None
    assert refusal.code == code
    return refusal.text


def test_good_values_pass_in_any_order():
    assert gate_values('x', ['c', 'a', 'b'], [1.0, 2.0, 3.0], NAMES) is None


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_one_bad_number_refuses_the_whole_message(bad: float):
    text = text_of(gate_values('estimate', NAMES, [0.0, bad, 0.0], NAMES), 'not_finite')
    assert text == f'estimate refused whole: b is {bad}; every value must be finite'


def test_wrong_names_are_named():
    text = text_of(gate_values('estimate', ['a', 'b', 'x'], [0.0] * 3, NAMES), 'wrong_names')
    assert "missing ['c'], unknown ['x']" in text
    assert "['a', 'b', 'x']" in text_of(gate_values('e', ['a', 'b', 'x'], [0.0] * 3, NAMES), 'wrong_names')
    assert gate_values('e', ['a', 'a', 'b', 'c'], [0.0] * 4, NAMES) is not None


def test_wrong_length_is_counted():
    assert '2 values for 3 joints' in text_of(gate_values('estimate', NAMES, [0.0, 1.0], NAMES), 'wrong_length')


def test_ages_are_checked_both_ways():
    assert gate_stamp('x', 10 * S, 10 * S + S // 10, newest_ns=None, max_age_s=0.25) is None
    assert '0.300 s old, at most 0.250 s' in text_of(
        gate_stamp('x', 10 * S, 10 * S + 3 * S // 10, newest_ns=None, max_age_s=0.25), 'too_old'
    )
    assert '1.000 s ahead of the clock' in text_of(gate_stamp('x', 11 * S, 10 * S, newest_ns=None, max_age_s=0.25), 'from_the_future')
    assert gate_stamp('x', 10 * S + 20_000_000, 10 * S, newest_ns=None, max_age_s=0.25) is None


def test_repeated_or_older_stamp_is_refused():
    assert gate_stamp('x', 10 * S, 10 * S, newest_ns=10 * S - 1, max_age_s=0.25) is None
    assert '0.000 s before the newest' in text_of(gate_stamp('x', 10 * S, 10 * S, newest_ns=10 * S, max_age_s=0.25), 'out_of_order')


def test_speed_between_shaped_and_robot_limit_passes_and_above_is_refused_whole(estimate_of, limits: JointLimits):
    def gate(speed: float) -> Refusal | None:
        velocity = np.array([0.0, speed, 0.0, 0.0, 0.0, 0.0, 0.0])
        return gate_estimate(estimate_of(velocity, S), S, limits=limits, newest_ns=None, max_age_s=0.5)

    assert gate(2.0) is None  # above the 0.39 rad/s that are ever commanded: scaled later
    assert text_of(gate(2.5), 'over_limit').startswith(
        'velocity estimate refused whole: panda_joint2 at 2.500 rad/s, the robot can do 2.175 rad/s'
    )


def test_unusable_scalars_are_named(estimate_of, limits: JointLimits):
    for change, words in (
        ({'residual_ratio': np.nan}, 'residual_ratio is nan'),
        ({'dt_s': 0.0}, 'dt is 0.0'),
        ({'residual_px': -1.0}, 'residual is -1.0'),
    ):
        refusal = gate_estimate(estimate_of(np.zeros(7), S, **change), S, limits=limits, newest_ns=None, max_age_s=0.5)
        assert words in text_of(refusal, 'not_finite')


def test_arm_outside_its_limits_is_named(robot: Embodiment, limits: JointLimits):
    assert gate_inside(robot.home, limits) is None
    outside = robot.home.copy()
    outside[3] = 0.1
    assert 'panda_joint4 stands at 0.1000 rad, outside [-3.0718, -0.0698]' in text_of(gate_inside(outside, limits), 'over_limit')


@pytest.mark.parametrize(
    ('prompt', 'words'),
    [
        ('', 'the prompt is empty (0 characters); say what to do in 1 to 500'),
        ('  \n', 'the prompt is empty (3 characters)'),
        ('a' * 501, '501 characters, at most 500'),
        ('x' * 10_000, '10000 characters, at most 500'),
        ('touch\x00 it', "unprintable character '\\x00' at place 5"),
    ],
)
def test_bad_prompts_are_refused_with_length_and_limit(prompt: str, words: str):
    refusal = gate_prompt(prompt)
    assert refusal is not None
    assert words in refusal.text
    assert '500' in refusal.text


@pytest.mark.parametrize('prompt', ['touch the red cube', 'a' * 500, 'berühre den roten Würfel', '触摸红色方块'])
def test_good_prompts_pass(prompt: str):
    assert gate_prompt(prompt) is None
