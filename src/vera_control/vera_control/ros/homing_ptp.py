# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Homing through franka_msgs/PTPMotion, the point-to-point action of franka_ros2. Never run on hardware.

It moves the arm by itself, so no ros2_control controller may hold the arm's joints meanwhile.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vera_control.clearance import clearance_of
from vera_control.home import HomeMove
from vera_control.homing import MoveEnd
from vera_control.homing.path import timed_path
from vera_control.limits import JointLimits
from vera_control.params import ControllerParams
from vera_control.ros.goal_link import GoalLink
from vera_control.ros.packages import interface
from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.shapes import FloatArray

ACTION = '/action_server/ptp_motion'


class PtpMover:
    """Hands goal, speeds and tolerance to the driver."""

    def __init__(self, *, node: Any, robot: Embodiment, limits: JointLimits, params: ControllerParams) -> None:
        """Make the client.

        Raises:
            ConfigError: If franka_msgs is not installed.
        """
        self._kind = interface('franka_msgs', 'action', 'PTPMotion', needed_by="homing 'ptp_motion'")
        self._joints, self._limits, self._tolerance = robot.joint_map, limits, params.home_tolerance_rad
        reaction_s = params.active_s + params.stop_time_s
        self._clearance = clearance_of(robot, max_speed_m_s=params.max_speed_m_s, reaction_s=reaction_s)
        self._link = GoalLink(node, self._kind, params.homing_action or ACTION, _read)

    def start(self, move: HomeMove, measured: FloatArray) -> Refusal | None:
        """Send the goal once the straight way there is known to be clear, no faster than that way allows."""
        way = timed_path(np.stack([measured, move.goal]), self._limits, self._clearance, speed_scale=move.speed_scale)
        if isinstance(way, Refusal):
            return way
        fastest = np.maximum(np.max(np.abs(way.velocity), axis=0), 0.02 * self._limits.shaped_velocity)
        goal = self._kind.Goal(
            goal_joint_configuration=self._joints.positions(move.goal).tolist(),
            maximum_joint_velocities=np.abs(self._joints.rates(fastest)).tolist(),
            goal_tolerance=self._tolerance,
        )
        return self._link.send(goal)

    def cancel(self) -> None:
        """Cancel it; the driver brings the arm to rest."""
        self._link.cancel()

    def poll(self) -> MoveEnd | None:
        """Return how it ended, once."""
        return self._link.poll()


def _read(result: Any) -> MoveEnd:
    if result.error_message:
        return MoveEnd(False, f'the driver gave the move up: {result.error_message}')
    return MoveEnd(True, 'the driver says that the pose is reached')
