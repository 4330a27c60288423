# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from vera_core.diagnostics import REFUSAL_MEMORY_S, SILENT_S, WINDOW_S, Diagnostics, Level


@pytest.fixture
def diagnostics():
    return Diagnostics()


def values(diagnostics, now_s):
    return dict(diagnostics.report(now_s).values)


def test_a_stream_has_rate_age_and_percentiles(diagnostics):
    for k in range(101):
        diagnostics.mark('/images', 'in', 10.0 + 0.1 * k, 0.001 * k)
    assert values(diagnostics, 20.1)['in /images'] == '10.0 Hz, age 0.10 s, latency p50 50 ms p95 95 ms, 101 in all'


def test_the_rate_falls_to_zero_when_the_stream_ends(diagnostics):
    for k in range(50):
        diagnostics.mark('/images', 'in', 0.1 * k)
    assert values(diagnostics, 4.9 + WINDOW_S / 2)['in /images'].startswith('5.2 Hz')  # 26 messages in 5 s
    assert values(diagnostics, 100.0)['in /images'] == '0.0 Hz, age 95.10 s, 50 in all'


def test_a_stream_is_listed_before_its_first_message(diagnostics):
    diagnostics.expect('/plan', 'out')
    assert values(diagnostics, 1.0)['out /plan'] == 'nothing yet'
    assert diagnostics.report(1.0).level is Level.OK


def test_a_required_stream_that_is_silent_is_a_warning_in_its_own_words(diagnostics):
    diagnostics.require('/images', 'no picture on /images; is the camera driver running?')
    diagnostics.expect('/plan', 'in')
    assert diagnostics.silent(0.0) == ('no picture on /images; is the camera driver running?',)
    diagnostics.mark('/images', 'in', 5.0)
    assert diagnostics.silent(5.0 + SILENT_S) == ()
    report = diagnostics.report(5.1 + SILENT_S)
    assert (report.level, report.text) == (Level.WARN, 'no picture on /images; is the camera driver running?')


def test_refused_messages_are_counted_and_spoken_of_for_a_while(diagnostics):
    diagnostics.say('following', 'following plan 3', Level.OK, 0.0)
    diagnostics.refuse('picture', 'image of view front is 4x4 px', 1.0)
    diagnostics.refuse('plan', 'plan 2 has no frames', 2.0)
    diagnostics.refuse('plan', 'plan 3 has no frames', 3.0)
    report = diagnostics.report(3.0 + REFUSAL_MEMORY_S)
    assert (report.level, report.text) == (Level.WARN, 'plan 3 has no frames')
    named = dict(report.values)
    assert (named['refused messages'], named['refused picture'], named['refused plan']) == ('3', '1', '2')
    later = diagnostics.report(3.1 + REFUSAL_MEMORY_S)
    assert (later.level, later.text) == (Level.OK, 'following plan 3')


def test_every_reason_of_a_hold_is_counted_with_its_last_sentence(diagnostics):
    for begin, age in ((0.0, 0.3), (10.0, 0.4)):
        diagnostics.say('STALE_ESTIMATE', f'no estimate for {age} s', Level.WARN, begin)
        diagnostics.say('STALE_ESTIMATE', f'no estimate for {age + 1} s', Level.WARN, begin + 1.0)
        diagnostics.say('OK', 'following', Level.OK, begin + 2.0)
    diagnostics.say('OPERATOR_STOP', 'stopped by the operator', Level.ERROR, 14.0)
    report = diagnostics.report(21.0)
    assert (report.level, report.text) == (Level.ERROR, 'stopped by the operator')
    named = dict(report.values)
    assert named['reason STALE_ESTIMATE'] == '2 times, last 10 s ago: no estimate for 1.4 s'
    assert named['reason OPERATOR_STOP'] == '1 times, last 7 s ago: stopped by the operator'
    assert 'reason OK' not in named


def test_the_worst_news_is_the_sentence(diagnostics):
    diagnostics.incompatible('/images', 'RELIABILITY')
    diagnostics.say('HOLD', 'the arm holds', Level.WARN, 0.0)
    assert diagnostics.report(0.0).text == 'the arm holds'
    diagnostics.say('OK', 'fine', Level.OK, 1.0)
    report = diagnostics.report(1.0)
    assert report.level is Level.WARN
    assert report.text == '/images: somebody there wants another RELIABILITY, so nothing passes between the two'
    assert dict(report.values)['incompatible quality of service on /images'] == 'RELIABILITY'
