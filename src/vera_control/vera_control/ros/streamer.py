# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A timer that sends the motion of the trajectory in force, for the backends whose drivers take one command at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from vera_control.backends.stream import CommandStream
from vera_control.trajectory import JointMotion, ShapedTrajectory

LAST_WORDS = 3
"""How often the state at rest is sent before the process ends."""


class Streamer:
    """Calls `publish` with the motion due and the time, `hz` times a second while there is anything to say."""

    def __init__(self, node: Any, hz: float, publish: Callable[[JointMotion, int], None]) -> None:
        self._node = node
        self._period_s = 1.0 / hz
        self._publish = publish
        self._stream = CommandStream()
        node.create_timer(self._period_s, self._tick)

    def take(self, trajectory: ShapedTrajectory, now_ns: int) -> None:
        """Put a trajectory in force and begin with it at once."""
        self._stream.take(trajectory)
        self._send(now_ns)

    def run_out(self) -> None:
        """Send the rest of the trajectory in force up to its end, in its own time, and the state at rest once more."""
        now_ns = self._now_ns()
        end_ns = self._stream.rests_at_ns(now_ns)
        while now_ns < end_ns:
            self._send(now_ns)
            time.sleep(self._period_s)
            now_ns = self._now_ns()
        for _ in range(LAST_WORDS):
            self._send(end_ns)

    def _tick(self) -> None:
        self._send(self._now_ns())

    def _send(self, now_ns: int) -> None:
        motion = self._stream.due(now_ns)
        if motion is not None:
            self._publish(motion, now_ns)

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)
