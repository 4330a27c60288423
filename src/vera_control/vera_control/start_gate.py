# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What has to be true before and while anybody's hand is near: the enabling button is held, and a task begins at home."""

from __future__ import annotations

import numpy as np

from vera_core.errors import Refusal
from vera_core.shapes import FloatArray
from vera_core.types import RobotState

STILL_RAD_S = 0.05
"""Measured joints slower than this count as still, rad/s."""


class Deadman:
    """Hold-to-run: the arm moves only while somebody says several times a second that the button is held."""

    def __init__(self, *, is_required: bool, timeout_s: float) -> None:
        self._is_required = is_required
        self._timeout_ns = round(timeout_s * 1e9)
        self._held_ns: int | None = None

    def report(self, now_ns: int, *, is_held: bool) -> None:
        """Take in whether the button is held."""
        self._held_ns = now_ns if is_held else None

    def obstacle(self, now_ns: int) -> str | None:
        """Return why the arm must not move now; None when the button is held, or none is required."""
        if not self._is_required:
            return None
        if self._held_ns is None:
            return 'the enabling button is not held (topic deadman); hold it to let the arm move'
        age_ns = now_ns - self._held_ns
        if not 0 <= age_ns <= self._timeout_ns:
            return f'the enabling button was last reported {age_ns * 1e-9:.2f} s ago (limit {self._timeout_ns * 1e-9:g} s, topic deadman); is the operator page or joystick gone?'
        return None


class StartGate:
    """A task begins from home, where that is required. Once begun it goes on wherever it leads."""

    def __init__(self, home: FloatArray, names: tuple[str, ...], *, is_required: bool, tolerance_rad: float) -> None:
        self._home = np.array(home)
        self._names = names
        self._is_required = is_required
        self._tolerance_rad = tolerance_rad
        self._admitted: int | None = None

    def away(self, state: RobotState | None) -> str | None:
        """Return why no task could begin where the arm is; None when one could."""
        if not self._is_required or state is None:
            return None
        error = np.abs(state.position - self._home)
        worst = int(np.argmax(error))
        if error[worst] <= self._tolerance_rad:
            return None
        return (
            f'{self._names[worst]} is {error[worst]:.3f} rad from home (limit {self._tolerance_rad} rad); a task begins at home: '
            'call go_home first, or give the task with home_first'
        )

    def obstacle(self, task_id: int | None, state: RobotState) -> str | None:
        """Return why this task must not begin; None when it may, or has begun already."""
        if task_id is None or task_id == self._admitted:
            return None
        text = self.away(state)
        if text is None:
            self._admitted = task_id
        return text


def gate_still(state: RobotState, names: tuple[str, ...]) -> Refusal | None:
    """Refuse to arm a robot that moves."""
    speed = np.abs(state.velocity)
    worst = int(np.argmax(speed))
    if speed[worst] < STILL_RAD_S:
        return None
    return Refusal('moving', f'{names[worst]} moves at {speed[worst]:.3f} rad/s (limit {STILL_RAD_S} rad/s); wait until the arm rests')
