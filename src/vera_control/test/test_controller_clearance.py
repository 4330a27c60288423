# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the controller makes of its shaper's distances: a hold with a reason, released by whatever leads away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vera_control.controller import Controller
from vera_control.home import HomeCode
from vera_control.params import ControllerParams
from vera_control.safety import Reason, SafetyState
from vera_core.embodiment import Embodiment

MS = 1_000_000
LOW = np.array([0.0, 0.45, 0.0, -2.1, 0.0, 2.55, 0.785])
"""The hand points down, its fingers 0.1 m over the table."""
DOWN = np.array([0.0, 0.3, 0.0, -0.1, 0.0, 0.1, 0.0])


def test_fingers_at_the_table_hold_and_leave(make_loop: Callable[..., Any], estimate_of: Callable[..., Any]):
    loop = make_loop(LOW, compensate_latency=False)
    loop.run(4000, estimate=lambda now_ns: estimate_of(DOWN, now_ns - 100 * MS))
    safety = loop.controller.safety
    assert (safety.state, safety.reason) == (SafetyState.HOLDING, Reason.TOO_CLOSE)
    assert 'panda_fingers and the table are 0.01' in safety.text and 'margin 0.01 m' in safety.text
    assert loop.speed() < 1e-6
    low = loop.trace[-1][0]
    loop.run(1000, estimate=lambda now_ns: estimate_of(-DOWN, now_ns - 100 * MS))
    assert safety.state is SafetyState.RUNNING
    assert loop.trace[-1][0][1] < low[1] - 0.1


def test_going_home_through_the_table_ends_with_the_reason(make_loop: Callable[..., Any], robot: Embodiment):
    loop = make_loop(LOW)
    pose = LOW + 3 * DOWN
    loop.controller.robot = replace(robot, poses={**robot.poses, 'deep': tuple(pose)})
    assert loop.controller.start_home('deep', 0.5, loop.now_ns) is None
    loop.run(6000)
    outcome = loop.controller.take_home_outcome()
    assert outcome is not None and outcome.code is HomeCode.STOPPED
    assert 'stopped on the way to pose deep: panda_fingers and the table would be 0.0' in outcome.text
    assert loop.speed() < 1e-6
    # And home again, which leads away.
    assert loop.controller.start_home('home', 0.5, loop.now_ns) is None
    loop.run(9000)
    outcome = loop.controller.take_home_outcome()
    assert outcome is not None and outcome.code is HomeCode.SUCCEEDED


@pytest.mark.parametrize(
    'reason',
    ['hand and the table would be 0.008 m apart, margin 0.01 m', 'the fastest point of the arm would move at 0.261 m/s, limit 0.25 m/s'],
)
@pytest.mark.parametrize('late_ms', [0, 7, 13])
def test_where_no_motion_is_permitted_the_one_in_force_goes_on_to_rest(
    reason: str,
    late_ms: int,
    make_loop: Callable[..., Any],
    estimate_of: Callable[..., Any],
    robot: Embodiment,
    monkeypatch: pytest.MonkeyPatch,
):
    loop = make_loop(robot.home, compensate_latency=False)
    safety, clearance = loop.controller.safety, loop.controller._shaper._clearance
    wanted = np.array([0.0, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0])
    loop.run(1500 + late_ms, estimate=lambda now_ns: estimate_of(wanted, now_ns - 100 * MS))
    assert safety.state is SafetyState.RUNNING and loop.trace[-1][1][1] > 0.1

    def permitted(_start: object, _position: np.ndarray, velocity: np.ndarray) -> float:
        if not np.any(velocity[:, 1] > 0.0):
            return 1.0
        clearance.text = reason
        return 0.5

    monkeypatch.setattr(clearance, 'permitted', permitted)
    in_force = loop.in_flight[-1][1] if loop.in_flight else loop.driver.messages[-1]
    loop.run(1000, estimate=lambda now_ns: estimate_of(wanted, now_ns - 100 * MS))
    assert loop.driver.messages[-1] is in_force, 'a way nobody looked at was sent'
    assert loop.trace[-1][0] == pytest.approx(in_force.position[-1], abs=1e-12)
    assert loop.speed() == 0.0
    assert (safety.state, safety.reason, safety.text) == (SafetyState.HOLDING, Reason.TOO_CLOSE, reason)
    loop.run(1000, estimate=lambda now_ns: estimate_of(-wanted, now_ns - 100 * MS))
    assert safety.state is SafetyState.RUNNING
    assert loop.trace[-1][0][1] < in_force.position[-1][1] - 0.05
    assert max(loop.peaks()[limit] for limit in ('velocity', 'acceleration', 'jerk')) <= 1.0 + 1e-6


def test_a_stop_ramps_to_rest_although_no_motion_is_permitted(
    make_loop: Callable[..., Any], estimate_of: Callable[..., Any], robot: Embodiment, monkeypatch: pytest.MonkeyPatch
):
    loop = make_loop(robot.home, compensate_latency=False)
    loop.run(1500, estimate=lambda now_ns: estimate_of(-DOWN, now_ns - 100 * MS))
    assert loop.speed() > 0.1
    monkeypatch.setattr(loop.controller._shaper._clearance, 'permitted', lambda *_: 0.5)
    loop.run(20, estimate=lambda now_ns: estimate_of(-DOWN, now_ns - 100 * MS))
    sent = len(loop.driver.messages)
    loop.controller.stop('stopped by the operator')
    loop.run(500)
    assert len(loop.driver.messages) > sent
    assert (loop.controller.safety.reason, loop.speed()) == (Reason.OPERATOR_STOP, 0.0)


def test_what_is_watched_is_said(robot: Embodiment):
    assert Controller(robot, ControllerParams()).body_note == (
        'links keep 0.02 m from each other, from the table at z = 0 m 0.01 m; no point of them moves faster than 0.25 m/s'
    )
    assert 'robot panda has no description: distances' in Controller(replace(robot, description=None), ControllerParams()).body_note


@pytest.mark.parametrize('ticks_ms', [(20, 20, 20, 40), (20, 20, 20, 40, 90)])
def test_home_is_reached_at_full_speed_whatever_the_ticks_do(ticks_ms: tuple[int, ...], make_loop: Callable[..., Any], robot: Embodiment):
    """The links are as fast as they may be, and late ticks begin anywhere on the way."""
    rng = np.random.default_rng(3)
    for _ in range(4):
        loop = make_loop(robot.home + rng.uniform(-0.35, 0.35, 7))
        assert loop.controller.start_home('', 1.0, loop.now_ns) is None
        loop.run(6000, tick_every=lambda: int(rng.choice(ticks_ms)))
        outcome = loop.controller.take_home_outcome()
        assert outcome is not None and outcome.code is HomeCode.SUCCEEDED, outcome
        speeds = np.linalg.norm(np.array(loop.trace)[:, 1], axis=1)
        on_the_way = np.flatnonzero(speeds > 0.02)
        if max(ticks_ms) < 50:  # later ones come when the last piece ends already
            assert speeds[on_the_way[0] : on_the_way[-1]].min() > 0.02, 'it stopped on the way'
