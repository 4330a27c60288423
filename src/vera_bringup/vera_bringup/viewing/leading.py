# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps what is needed to say where the robot is being led: recent joints, the newest estimate, the newest command."""

from __future__ import annotations

from vera_bringup.viewing.prediction import Prediction, predict, within_limits
from vera_core.embodiment import Embodiment
from vera_core.shapes import FloatArray
from vera_core.types import JointVelocity, RobotState
from vera_jidm.buffers import StampedBuffer

FRESH_S = 0.6
"""An estimate or command older than this leads nowhere any more."""
MEMORY_S = 1.5


class Leading:
    """Reports in, prediction out. Not safe between threads; its owner locks."""

    def __init__(self, robot: Embodiment) -> None:
        self._robot = robot
        self._states: StampedBuffer[FloatArray] = StampedBuffer(MEMORY_S, longest=3000)
        self._position: FloatArray | None = None
        self._estimate: tuple[int, JointVelocity] | None = None
        self._command: tuple[int, FloatArray] | None = None

    def on_state(self, state: RobotState) -> None:
        """Take measured joints."""
        self._position = state.position
        self._states.put(state.stamp_ns, state.position)

    def on_estimate(self, estimate: JointVelocity, now_ns: int) -> None:
        """Take a joint velocity estimate."""
        self._estimate = (now_ns, estimate)

    def on_command(self, points: FloatArray, now_ns: int) -> None:
        """Take the points of the newest command that are still to come, shape (K, n), rad."""
        self._command = (now_ns, points)

    def prediction(self, now_ns: int) -> Prediction | None:
        """Return where the robot is led, None before the first measured joints."""
        if self._position is None:
            return None
        commanded = aim = None
        if self._command is not None and is_fresh(self._command[0], now_ns):
            commanded = self._command[1]
        if self._estimate is not None and is_fresh(self._estimate[0], now_ns):
            at_picture = self._states.nearest(self._estimate[1].stamp_ns)
            if at_picture is not None:
                aim = within_limits(at_picture[1] + self._estimate[1].delta_q, self._robot)
        return predict(self._position, commanded, aim)


def is_fresh(when_ns: int, now_ns: int) -> bool:
    """Whether something that came at `when_ns` still counts."""
    return (now_ns - when_ns) * 1e-9 < FRESH_S
