# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Moves to a named pose: how they begin, arrive, and end otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vera_control.home import HomeCode

MakeLoop = Callable[..., Any]


def test_home_arrives_within_limits_and_reports(make_loop: MakeLoop, robot: Any):
    loop = make_loop(robot.home + np.array([0.4, -0.3, 0.2, 0.3, -0.2, 0.3, 0.4]))
    assert loop.controller.start_home('', 0.0, loop.now_ns) is None
    busy = loop.controller.start_home('home', 0.0, loop.now_ns)
    assert busy is not None
    assert busy.text == 'already moving to pose home; cancel that first'
    loop.run(4000)
    outcome = loop.controller.take_home_outcome()
    assert outcome is not None
    assert outcome.code is HomeCode.SUCCEEDED
    assert outcome.max_error < 0.02
    np.testing.assert_allclose(loop.trace[-1][0], robot.home, atol=1e-6)
    assert loop.speed() == 0.0
    loop.assert_limits_kept()


def test_home_ends_with_a_code_when_stopped_canceled_or_impossible(make_loop: MakeLoop, robot: Any):
    away = robot.home + 0.3
    loop = make_loop(away)
    assert loop.controller.start_home('', 0.0, loop.now_ns) is None
    loop.run(300)
    loop.controller.stop('the operator')
    outcome = loop.controller.take_home_outcome()
    assert outcome is not None
    assert outcome.code is HomeCode.STOPPED

    loop = make_loop(away)
    assert loop.controller.start_home('', 1.0, loop.now_ns) is None
    loop.run(300)
    loop.controller.cancel_home()
    loop.run(500)
    outcome = loop.controller.take_home_outcome()
    assert outcome is not None
    assert outcome.code is HomeCode.CANCELED
    assert loop.speed() == 0.0
    loop.assert_limits_kept()

    for pose, scale, words in (
        ('hme', 0.0, "unknown pose 'hme'"),
        ('home', 1.5, 'speed_scale is 1.5'),
        ('home', float('nan'), 'speed_scale is nan'),
    ):
        refusal = loop.controller.start_home(pose, scale, loop.now_ns)
        assert refusal is not None
        assert words in refusal.text


def test_home_is_refused_while_a_task_runs_or_disarmed(make_loop: MakeLoop, steady: Any):
    loop = make_loop()
    loop.run(500, estimate=steady)
    refusal = loop.controller.start_home('', 0.0, loop.now_ns)
    assert refusal is not None
    assert 'a task is being followed' in refusal.text
    loop = make_loop(armed=False)
    refusal = loop.controller.start_home('', 0.0, loop.now_ns)
    assert refusal is not None
    assert 'DISARMED' in refusal.text
