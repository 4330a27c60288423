# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Homing: ways to bring the arm to a named pose.

By default the controller leads the arm there itself, with its own shaper. A mover does it instead where the driver or MoveIt is to: it gets
the move that was accepted, and the controller sends nothing until the mover has ended. Every gate that stops a motion cancels the mover.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from vera_control.home import HomeMove
from vera_control.limits import JointLimits
from vera_control.params import ControllerParams
from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.registry import Registry
from vera_core.shapes import FloatArray

CONTROLLER = 'controller'
"""Value of the parameter `homing` with which no mover is made."""


@dataclass(frozen=True, slots=True)
class MoveEnd:
    """How a mover ended."""

    reached: bool
    """Whether it says that the arm is at the pose; the measured joints have the last word."""
    text: str


class Mover(Protocol):
    """Brings the arm to a pose. Made with `node`, `robot` (an Embodiment), `limits` (JointLimits) and `params` (ControllerParams)."""

    def start(self, move: HomeMove, measured: FloatArray) -> Refusal | None:
        """Begin, or say why not.

        Args:
            move: Goal and share of the velocity limit.
            measured: Where the arm is, shape (n,), rad.
        """
        ...

    def cancel(self) -> None:
        """Bring the arm to rest; what comes of it is no end to tell of."""
        ...

    def poll(self) -> MoveEnd | None:
        """Return how the move ended, once; None while it goes on."""
        ...


MOVERS: Registry[Mover] = Registry(
    'way of homing',
    {
        'follow_joint_trajectory': 'vera_control.ros.homing_trajectory:TrajectoryMover',
        'moveit': 'vera_control.ros.homing_moveit:MoveItMover',
        'ptp_motion': 'vera_control.ros.homing_ptp:PtpMover',
    },
    group='vera_control.homing',
)
"""Movers by the value of the parameter `homing`; other packages add theirs as entry points."""


def make_mover(node: Any, robot: Embodiment, limits: JointLimits, params: ControllerParams) -> Mover | None:
    """Return the mover that the parameter `homing` names; None when the controller leads the arm itself.

    Raises:
        ConfigError: If there is no such mover, or something it needs is not installed.
    """
    return None if params.homing == CONTROLLER else MOVERS.make(params.homing, node=node, robot=robot, limits=limits, params=params)
