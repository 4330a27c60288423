# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Command backends: one shaper for all, and for every kind of driver a part that hands the shaped trajectory over in that driver's words.

What a backend works out is in the modules here, without ROS; its publishers are next door in `vera_control.ros`.
"""

from __future__ import annotations

from typing import Protocol

from vera_control.trajectory import ShapedTrajectory
from vera_core.errors import Refusal
from vera_core.registry import Registry
from vera_core.types import RobotState


class CommandBackend(Protocol):
    """Hands shaped trajectories to a driver. Made with `node`, `robot` (an Embodiment) and `stream_hz`."""

    topic: str
    """Where the commands go; nobody else may publish there."""

    def obstacle(self, now_ns: int) -> Refusal | None:
        """Return why the driver would not move now; None when it would."""
        ...

    def on_state(self, state: RobotState) -> None:
        """Take in measured joints that passed the gates."""
        ...

    def send(self, trajectory: ShapedTrajectory, now_ns: int) -> None:
        """Put a trajectory in force. It replaces the last one and ends at rest."""
        ...

    def leave(self) -> None:
        """See to it that the driver comes to rest without this process. Returns when that is so, within half a second."""
        ...


BACKENDS: Registry[CommandBackend] = Registry(
    'command backend',
    {
        'allegro_position': 'vera_control.ros.positions:PositionBackend',
        'servo': 'vera_control.ros.servo:ServoBackend',
        'trajectory': 'vera_control.ros.trajectory:TrajectoryBackend',
        'velocity': 'vera_control.ros.velocity:VelocityBackend',
    },
    group='vera_control.backends',
)
"""Backends by the value of the parameter `command_backend`; other packages add theirs as entry points."""
