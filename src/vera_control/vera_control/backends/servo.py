# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What MoveIt Servo has to be asked and what it says: it takes joint velocities only after a switch, and may halt on its own."""

from __future__ import annotations

from vera_core.errors import Refusal

JOINT_JOG = 0
"""moveit_msgs/srv/ServoCommandType: commands are joint velocities."""
ASK_AGAIN_S = 1.0
"""A switch that was not answered or failed is asked for again after this long."""
STATUS_TIMEOUT_S = 1.0
"""Servo that says nothing for this long is gone."""

HALTS = {
    -1: 'cannot use the commands (wrong joint names or length?)',
    2: 'has halted for a singularity',
    5: 'has halted for a collision',
    6: 'has halted at a joint bound',
}
"""moveit_msgs/msg/ServoStatus codes at which the arm does not do what it is told."""
SLOWS = {1: 'slows down for a singularity', 3: 'leaves a singularity slowly', 4: 'slows down for a collision'}
"""Codes at which the arm moves slower than it is told."""


class ServoLink:
    """Where one stands with a servo node. Time comes in as an argument."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._is_switched = False
        self._asked_ns: int | None = None
        self._status: tuple[int, str, int] | None = None
        self._since_ns: int | None = None

    def should_switch(self, now_ns: int) -> bool:
        """Return whether to ask for joint velocities now; counts as asked."""
        if self._is_switched or (self._asked_ns is not None and 0 <= now_ns - self._asked_ns < ASK_AGAIN_S * 1e9):
            return False
        self._asked_ns = now_ns
        return True

    def on_switched(self, *, success: bool) -> None:
        """Take in the answer."""
        self._is_switched = success

    def on_status(self, code: int, text: str, now_ns: int) -> None:
        """Take in what servo says."""
        self._status = (code, text, now_ns)

    def slow_down(self, now_ns: int) -> str:
        """Return why servo moves the arm slower than it is told, '' when it does not."""
        if self._status is None or self._is_silent(now_ns):
            return ''
        return SLOWS.get(self._status[0], '')

    def obstacle(self, now_ns: int) -> Refusal | None:
        """Return why servo would not move the arm; None when it would. A servo that fell silent has to be switched again when it is back."""
        if self._since_ns is None:
            self._since_ns = now_ns
        if self._is_silent(now_ns):
            self._is_switched = False
            return Refusal('servo_silent', f'{self._node} has sent no status for {STATUS_TIMEOUT_S:.1f} s; is MoveIt Servo running?')
        if not self._is_switched:
            return Refusal(
                'servo_not_switched', f'{self._node} does not take joint velocities yet; its service switch_command_type has not agreed'
            )
        code, text, _ = self._status or (0, '', 0)
        if code in HALTS:
            return Refusal('servo_halted', f'{self._node} {HALTS[code]}{f": {text}" if text else ""}; move the arm away by hand or MoveIt')
        return None

    def _is_silent(self, now_ns: int) -> bool:
        heard_ns = self._status[2] if self._status is not None else self._since_ns
        return heard_ns is not None and abs(now_ns - heard_ns) > STATUS_TIMEOUT_S * 1e9
