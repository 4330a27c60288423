# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Self-play with a running graph: which motions, and what it does when the arm holds, fails or is stopped. The way through real nodes is in test_graph."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from vera_bringup.asking import SessionError
from vera_bringup.outcome import HomeResult
from vera_bringup.selfplay.motions import SHORTEST_RAD, Motions, bounds_of
from vera_bringup.selfplay.play import MORE_FAILURES, Player, SelfPlayRequest
from vera_control.clearance import clearance_of
from vera_control.homing.path import timed_path
from vera_control.limits import limits_of
from vera_control.trajectory import ShapedTrajectory
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_msgs.msg import SafetyStatus

FR3 = load_embodiment('fr3')
LIMITS = limits_of(FR3)
HOME = np.array(FR3.home)


@pytest.fixture(scope='module')
def clearance() -> Any:
    return clearance_of(FR3, max_speed_m_s=0.25, reaction_s=0.2)


def test_motions_stay_in_their_box_and_off_the_table_and_show_every_joint(clearance: Any) -> None:
    motions = Motions(FR3, LIMITS, clearance, reach=0.5, speed_scale=0.5, seed=3)
    position, moved, few = HOME, np.zeros(7), 0
    for _ in range(12):
        goal, seconds = motions.next(position)
        assert np.all(goal >= motions.bounds.lower - 1e-9)
        assert np.all(goal <= motions.bounds.upper + 1e-9)
        way = timed_path(np.stack([position, goal]), LIMITS, clearance, speed_scale=0.5)
        assert isinstance(way, ShapedTrajectory)  # the straight way keeps every limit and distance
        assert seconds == pytest.approx((way.end_ns - way.start_ns) * 1e-9)
        step = np.abs(goal - position)
        assert step.max() >= 0.2 * SHORTEST_RAD
        few += int(np.count_nonzero(step > 1e-9) <= 3)
        moved, position = moved + step, goal
    assert np.all(moved > 0.1)
    assert 2 <= few <= 10
    again = Motions(FR3, LIMITS, clearance, reach=0.5, speed_scale=0.5, seed=3)
    first = Motions(FR3, LIMITS, clearance, reach=0.5, speed_scale=0.5, seed=3)
    np.testing.assert_array_equal(again.next(HOME)[0], first.next(HOME)[0])


def test_the_box_is_part_of_the_way_from_home_to_the_limits() -> None:
    whole, half = bounds_of(FR3, LIMITS, 1.0), bounds_of(FR3, LIMITS, 0.5)
    np.testing.assert_allclose(half.upper - HOME, 0.5 * (whole.upper - HOME))
    assert np.all(whole.upper < LIMITS.upper)
    assert np.all(whole.lower > LIMITS.lower)
    with pytest.raises(ConfigError, match=r'reach is 1\.5; it is the share'):
        bounds_of(FR3, LIMITS, 1.5)


class FakeSession:
    """A running system that answers as the test says."""

    def __init__(self, outcomes: list[str], states: list[int] | None = None) -> None:
        self.robot = FR3
        self._outcomes, self._states = deque(outcomes), deque(states or [])
        self.asked: list[tuple[np.ndarray | None, float]] = []
        self.state = SafetyStatus.ARMED

    @property
    def safety(self) -> Any:
        return SimpleNamespace(state=self.state, text='as the test says', speed_scale=0.5)

    def wait_for(self, condition: Any, *, timeout_s: float, what: str) -> None:
        if self._states:
            self.state = self._states.popleft()
        if not condition():
            raise SessionError(f'{what} did not happen within {timeout_s:.0f} s')

    def go_home(self, *, position: Any = None, speed_scale: float, timeout_s: float) -> HomeResult:
        self.asked.append((position, speed_scale))
        outcome = self._outcomes.popleft() if self._outcomes else 'succeeded'
        if not self._outcomes:
            self.state = SafetyStatus.STOPPED_LATCHED  # an operator ends the test
        return HomeResult(outcome=outcome, text=outcome)


def play(session: FakeSession) -> Any:
    motions = Motions(FR3, LIMITS, None, reach=0.3, speed_scale=0.4, seed=1)
    request = SelfPlayRequest(robot='fr3', out=Path(), namespace='vera', seconds=3600.0, speed=0.4, reach=0.3, seed=1)
    player = Player(session, motions, request, lambda text: None)  # type: ignore[arg-type]
    player.run(3600.0)
    return player.played


def test_it_begins_at_home_goes_on_from_where_it_arrived_and_ends_at_a_stop() -> None:
    session = FakeSession(['succeeded'] * 4)
    played = play(session)
    assert (played.motions, played.failures) == (4, 0)
    assert session.asked[0][0] is None
    assert all(position is not None for position, _ in session.asked[1:])
    assert {scale for _, scale in session.asked} == {0.4 * 0.5}  # its own share times the speed scale of the controller
    assert played.text == 'the arm may not move: as the test says'


def test_after_a_motion_that_did_not_arrive_it_goes_home_first() -> None:
    session = FakeSession(['succeeded', 'stopped', 'succeeded', 'succeeded'])
    played = play(session)
    assert played.failures == 1
    assert [position is None for position, _ in session.asked] == [True, False, True, False]


def test_it_ends_when_nothing_arrives_or_a_hold_does_not_end() -> None:
    played = play(FakeSession(['stopped'] * 20))
    assert played.failures == MORE_FAILURES
    assert 'in a row did not arrive' in played.text
    held = play(FakeSession([], [SafetyStatus.HOLDING]))
    assert held.motions == 0
    assert 'the end of a hold or of another motion did not happen' in held.text
