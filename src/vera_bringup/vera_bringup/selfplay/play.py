# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera self-play`: asks the running controller for one motion after the other while everything is recorded. Never run on hardware.

It moves nothing by itself: every motion is a goal of `go_home`, so that the dead-man switch, the speed scale, the distances and every other
gate of the controller stand between it and the arm, and a stop ends it. It does not arm: that is the operator's call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from vera_bringup.asking import SessionError
from vera_bringup.outcome import HomeResult
from vera_bringup.recording.record import RecordRequest
from vera_bringup.recording.show import recorded
from vera_bringup.selfplay.motions import Motions
from vera_bringup.session import Session
from vera_control.clearance import clearance_of
from vera_control.limits import limits_of
from vera_control.params import ControllerParams
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_msgs.msg import SafetyStatus

PATIENCE_S = 120.0
"""A hold, for example for the dead-man switch, may last this long."""
UNWANTED = ('flow', 'plan', 'joint_velocity', 'control_journal')
"""What a training does not read."""
FILE_S = 60.0
"""A recording begins anew after this long, so that a training has some to learn from, to choose by and to hold out."""
MORE_FAILURES = 5
"""So many motions in a row that do not arrive end the self-play."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfPlayRequest:
    """What is asked for."""

    robot: str
    out: Path
    """Folder of the recordings."""
    namespace: str
    seconds: float
    speed: float
    """Share of the velocity limit, times the speed scale of the controller."""
    reach: float
    """Share of the way from home to the limits of the joints."""
    seed: int


@dataclass(slots=True)
class Played:
    """What came of it."""

    motions: int = 0
    failures: int = 0
    text: str = ''
    """Why it ended before its time; empty when it did not."""


def self_play(request: SelfPlayRequest) -> int:
    """Play and record; returns 0 when the time ran out, 1 when something ended it before."""
    robot, params = load_embodiment(request.robot), ControllerParams()
    if not 0.0 < request.speed <= 1.0:
        raise ConfigError(f'speed is {request.speed}; it is a share of the velocity limit, above 0 and up to 1')
    console = Console(soft_wrap=True, highlight=False, markup=False)
    limits = limits_of(robot, period_s=params.point_period_s, position_margin=params.position_margin_rad, stop_time_s=params.stop_time_s)
    clearance = clearance_of(robot, max_speed_m_s=params.max_speed_m_s, reaction_s=params.active_s + params.stop_time_s)
    motions = Motions(robot, limits, clearance, reach=request.reach, speed_scale=request.speed, seed=request.seed)
    request.out.mkdir(parents=True, exist_ok=True)
    name = time.strftime('selfplay_%Y%m%d_%H%M%S')
    with Session(robot, namespace=request.namespace) as session:
        session.wait_for(lambda: session.safety is not None, timeout_s=10.0, what='a safety_status of controller_node')
        console.print(
            f'{robot.name}: {request.seconds:.0f} s at {request.speed:.2f} of the velocity limit into {request.out}; Ctrl-C ends it at rest'
        )
        player = Player(session, motions, request, lambda text: console.print(text))
        played = player.played
        for number in range(math.ceil(request.seconds / FILE_S)):
            path = request.out / f'{name}_{number:03d}.mcap'
            with recorded(RecordRequest(path=path, robot=request.robot, namespace=request.namespace, without=UNWANTED)):
                player.run(min(FILE_S, request.seconds - number * FILE_S))
            if played.text:
                break
    console.print(f'{played.motions} motions, {played.failures} did not arrive; {played.text or "the time is over"}')
    console.print(f'train on it: vera train idm --robot {request.robot} --data {request.out} --labels estimated')
    return 1 if played.text else 0


class Player:
    """Asks for motions until the time is over, the arm is stopped, or nothing arrives any more."""

    def __init__(self, session: Session, motions: Motions, request: SelfPlayRequest, tell: Callable[[str], None]) -> None:
        self._session, self._motions, self._request, self._tell = session, motions, request, tell
        self._position: FloatArray | None = None
        self._in_a_row = 0
        self.played = Played()
        """What came of it so far."""

    def run(self, seconds: float) -> None:
        """Play for a while, less where something ends it; `played` says what."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and not self.played.text:
            obstacle = self._wait_until_it_may_move()
            if obstacle:
                self.played.text = obstacle
                return
            self._position, result = self._move(self._position)
            if self._position is not None:
                self._in_a_row = 0
                continue
            self._in_a_row += 1
            self.played.failures += 1
            self._tell(f'did not arrive: {result.text}')
            if self._in_a_row >= MORE_FAILURES:
                self.played.text = f'{self._in_a_row} motions in a row did not arrive, the last one: {result.text}'

    def _move(self, position: FloatArray | None) -> tuple[FloatArray | None, HomeResult]:
        """Go home where it is not known where the arm is, else to the next goal; return where the arm is afterwards, None when unknown."""
        scale = self._request.speed * self._speed_scale()
        self.played.motions += 1
        if position is None:
            result = self._session.go_home(speed_scale=scale, timeout_s=PATIENCE_S)
            goal = np.array(self._session.robot.home)
        else:
            goal, seconds = self._motions.next(position)
            result = self._session.go_home(position=goal, speed_scale=scale, timeout_s=PATIENCE_S + 2.0 * seconds)
        return (goal if result.outcome == 'succeeded' else None), result

    def _speed_scale(self) -> float:
        safety = self._session.safety
        return float(safety.speed_scale) if safety is not None and safety.speed_scale > 0.0 else 1.0

    def _wait_until_it_may_move(self) -> str:
        """Wait out holds and motions of others; return why the arm will not move, empty when it may."""
        session = self._session

        def is_settled() -> bool:
            return session.safety is not None and session.safety.state not in (SafetyStatus.HOLDING, SafetyStatus.RUNNING)

        try:
            session.wait_for(is_settled, timeout_s=PATIENCE_S, what='the end of a hold or of another motion')
        except SessionError as error:
            return str(error)
        assert session.safety is not None  # it was waited for
        if session.safety.state in (SafetyStatus.STOPPED_LATCHED, SafetyStatus.DISARMED):
            return f'the arm may not move: {session.safety.text}'
        return ''
