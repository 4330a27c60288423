# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera replay --check`: the controller's core on the recorded calls, its commands and reports against the recorded ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vera_bringup.recording.reader import OpenRecording
from vera_control.controller import Controller
from vera_control.journal import Page, calls_of, recall, remembered
from vera_control.journal_topic import page_from_msg
from vera_control.safety import Reason, SafetyState
from vera_control.status import ControllerStatus
from vera_control.trajectory import ShapedTrajectory
from vera_control.wire import trajectory_to_msg
from vera_core.driver import joint_map
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.ros.messages import to_ns
from vera_core.shapes import FloatArray

TOLERANCE = 1e-9
"""Largest difference of a command, rad, rad/s or rad/s². On the machine that recorded it is zero; another processor may round differently."""
COMMAND_TYPE = 'trajectory_msgs/msg/JointTrajectory'


@dataclass(slots=True)
class CheckReport:
    """What the repetition came to."""

    pages: int = 0
    gaps: int = 0
    """Times pages were missing; the repetition began anew from the next state."""
    ticks: int = 0
    commands: int = 0
    """Recorded commands that were compared."""
    largest: float = 0.0
    """Largest difference of a command, rad, rad/s or rad/s²."""
    statuses: int = 0
    """Recorded reports of the controller that were compared."""
    unrecorded: int = 0
    """Commands the repetition made that the recording lacks."""
    first: str = ''
    """The first difference in words; empty when there is none."""
    stops: list[str] = field(default_factory=list)
    """Stops and holds that were repeated, in words."""
    span_s: float = 0.0

    @property
    def is_same(self) -> bool:
        """True when something was compared and nothing differs."""
        return not self.first and self.commands + self.statuses > 0


def check(recording: OpenRecording, robot: Embodiment) -> CheckReport:
    """Repeat the controller's decisions and compare.

    Raises:
        ConfigError: If the recording lacks the journal, or comes from another version of the controller.
    """
    return _Repetition(recording, robot).run()


class _Repetition:
    def __init__(self, recording: OpenRecording, robot: Embodiment) -> None:
        self._robot = robot
        self._joints = joint_map(robot.driver, robot.joint_names)
        self._report = CheckReport()
        self._pages = [page_from_msg(recorded.message) for recorded in recording.messages('control_journal')]
        if not self._pages:
            raise ConfigError(f"the recording '{recording.path}' lacks control_journal; without it a decision cannot be repeated")
        self._commands = _recorded_commands(recording, robot)
        self._statuses = {to_ns(recorded.message.header.stamp): recorded.message for recorded in recording.messages('safety_status')}
        self._controller: Controller | None = None
        self._made: tuple[int, ShapedTrajectory] | None = None
        self._said: tuple[object, ...] = ()
        self._first_ns = self._last_ns = 0

    def run(self) -> CheckReport:
        number = None
        for page in self._pages:
            if number is not None and page.number != number + 1:
                self._report.gaps += 1
                self._controller = None
            number = page.number
            if page.memory and self._controller is None:
                self._controller = Controller(self._robot, remembered(page, 'params'))
                recall(page, self._controller)
            if self._controller is not None:
                self._report.pages += 1
                self._turn(page, self._controller)
        if self._controller is None and not self._report.pages:
            raise ConfigError(
                'no page of control_journal holds the state of the controller (one does every five seconds); record for longer'
            )
        self._settle(is_sent=True)
        self._report.span_s = (self._last_ns - self._first_ns) * 1e-9
        return self._report

    def _turn(self, page: Page, controller: Controller) -> None:
        for call in calls_of(page, Controller):
            answer = getattr(controller, call.method)(*call.arguments, **call.keywords)
            if call.method == 'tick':
                self._settle(is_sent=True)
                self._report.ticks += 1
                self._last_ns = call.arguments[0]
                self._first_ns = self._first_ns or self._last_ns
                self._made = (call.arguments[0], answer) if answer is not None else None
            elif call.method == 'may_send':
                self._settle(is_sent=bool(answer))
            elif call.method == 'status':
                self._compare_status(answer, call.arguments[0])

    def _settle(self, *, is_sent: bool) -> None:
        """Compare what the last tick made, once it is known whether it was sent."""
        made, self._made = self._made, None
        if made is None or not is_sent:
            return
        now_ns, trajectory = made
        message = trajectory_to_msg(trajectory, self._joints, now_ns)
        wanted = _table(message)
        # Two ticks may share a stamp: stamps are grid times, and a late tick is followed by the next one at once.
        candidates = self._commands.get(to_ns(message.header.stamp), [])
        if not candidates:
            self._report.unrecorded += 1
            return
        recorded = min(candidates, key=lambda candidate: _distance(wanted, _table(candidate)))
        candidates.remove(recorded)
        self._report.commands += 1
        got = _table(recorded)
        if list(message.joint_names) != list(recorded.joint_names):
            self._differ(now_ns, f'the command is for joints {list(recorded.joint_names)}, repeated for {list(message.joint_names)}')
            return
        if wanted.shape != got.shape:
            self._differ(now_ns, f'the command has {got.shape[0]} points, repeated {wanted.shape[0]}')
            return
        difference = np.abs(wanted - got)
        self._report.largest = max(self._report.largest, float(difference.max(initial=0.0)))
        if not difference.max(initial=0.0) <= TOLERANCE:
            row, column = divmod(int(np.argmax(difference)), difference.shape[1])
            what = ('position', 'velocity', 'acceleration', 'time from start')[min(3, column // len(self._joints.names))]
            joint = self._joints.names[column % len(self._joints.names)]
            self._differ(
                now_ns,
                f'{what} of {joint} at point {row} of the command is {got[row, column]!r}, repeated {wanted[row, column]!r} '
                f'(they may differ by {TOLERANCE})',
            )

    def _compare_status(self, status: ControllerStatus, now_ns: int) -> None:
        said = (status.state, status.reason)
        if said != self._said:
            self._said = said
            if status.state in (SafetyState.HOLDING, SafetyState.STOPPED_LATCHED):
                self._report.stops.append(f'{status.state.name} {status.reason.name}: {status.text}')
        recorded = self._statuses.get(now_ns)
        if recorded is None:
            return
        self._report.statuses += 1
        pairs: tuple[tuple[str, Any, Any], ...] = (
            ('state', SafetyState(recorded.state), status.state),
            ('reason', Reason(recorded.reason), status.reason),
            ('text', recorded.text, status.text),
            ('lost_nodes', tuple(recorded.lost_nodes), status.lost_nodes),
            ('refused_messages', int(recorded.refused_messages), status.refused_messages),
        )
        for name, was, now in pairs:
            if was != now:
                self._differ(now_ns, f'{name} of the safety status is {_show(was)}, repeated {_show(now)}')
                return
        speeds: FloatArray = np.asarray(recorded.commanded_velocity)
        if speeds.shape != status.commanded_velocity.shape or np.abs(speeds - status.commanded_velocity).max(initial=0.0) > TOLERANCE:
            self._differ(now_ns, f'commanded_velocity of the safety status is {speeds}, repeated {status.commanded_velocity}')

    def _differ(self, now_ns: int, text: str) -> None:
        if not self._report.first:
            since_s = (now_ns - (self._first_ns or now_ns)) * 1e-9
            self._report.first = f'{since_s:.3f} s after the first repeated tick: {text}'


def _show(value: object) -> str:
    return value.name if isinstance(value, SafetyState | Reason) else repr(value)


def _recorded_commands(recording: OpenRecording, robot: Embodiment) -> dict[int, list[Any]]:
    """Return the recorded trajectories by stamp; those of a dry run count as well."""
    found: dict[int, list[Any]] = {}
    for name in (robot.driver.command_topic, 'dry_run/command'):
        topic = recording.find(name)
        if topic and recording.topics[topic] == COMMAND_TYPE:
            for recorded in recording.messages(name):
                found.setdefault(to_ns(recorded.message.header.stamp), []).append(recorded.message)
    return found


def _table(message: Any) -> FloatArray:
    """Return a trajectory message as rows of positions, velocities, accelerations and the time from start, shape (P, 3 n + 1)."""
    rows = [
        np.concatenate([point.positions, point.velocities, point.accelerations, [to_ns(point.time_from_start) * 1e-9]])
        for point in message.points
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1)


def _distance(one: FloatArray, other: FloatArray) -> float:
    return float(np.abs(one - other).max(initial=0.0)) if one.shape == other.shape else float('inf')
