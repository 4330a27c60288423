# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Homing through control_msgs/FollowJointTrajectory, the action of joint_trajectory_controller. Never run on hardware."""

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
from vera_control.wire import TrajectoryWriter
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, Refusal
from vera_core.shapes import FloatArray

ERRORS = {
    -1: 'the goal is not valid',
    -2: 'the joints are not those of the controller',
    -3: 'the goal came too late',
    -4: 'the arm left the path by more than the tolerance of the controller',
    -5: 'the arm did not come as near to the pose as the controller wants',
}
"""Codes of the result of control_msgs/FollowJointTrajectory."""


class WayDriver:
    """Sends timed ways to the driver: what the ways of homing that execute through joint_trajectory_controller share."""

    def __init__(self, *, node: Any, robot: Embodiment, limits: JointLimits, params: ControllerParams) -> None:
        """Make the client.

        Raises:
            ConfigError: If control_msgs is not installed, or nothing names the action.
        """
        name = params.homing_action or robot.driver.command_topic.rpartition('/')[0]
        if not name:
            raise ConfigError(f"the driver of {robot.name} has no command_topic; homing '{params.homing}' needs one, or homing_action")
        if not params.homing_action:
            name = f'{name}/follow_joint_trajectory'
        self._kind = interface('control_msgs', 'action', 'FollowJointTrajectory', needed_by=f"homing '{params.homing}'")
        self._limits = limits
        reaction_s = params.active_s + params.stop_time_s
        self._clearance = clearance_of(robot, max_speed_m_s=params.max_speed_m_s, reaction_s=reaction_s)
        self._joints = robot.joint_map
        self._link = GoalLink(node, self._kind, name, _read)

    def go(self, waypoints: FloatArray, speed_scale: float) -> Refusal | None:
        """Send the way along waypoints, shape (W, n), rad, or say why it cannot be gone."""
        trajectory = timed_path(waypoints, self._limits, self._clearance, speed_scale=speed_scale)
        if isinstance(trajectory, Refusal):
            return trajectory
        message = TrajectoryWriter(self._joints).write(trajectory, 0)  # stamp 0: it begins when it arrives
        return self._link.send(self._kind.Goal(trajectory=message))

    def cancel(self) -> None:
        """Cancel the goal; the controller brings the arm to rest."""
        self._link.cancel()

    def poll(self) -> MoveEnd | None:
        """Return how the goal ended, once."""
        return self._link.poll()


class TrajectoryMover:
    """Straight in joint space, timed within every limit of the controller, executed by the driver."""

    def __init__(self, *, node: Any, robot: Embodiment, limits: JointLimits, params: ControllerParams) -> None:
        self._driver = WayDriver(node=node, robot=robot, limits=limits, params=params)

    def start(self, move: HomeMove, measured: FloatArray) -> Refusal | None:
        """Send the way."""
        return self._driver.go(np.stack([measured, move.goal]), move.speed_scale)

    def cancel(self) -> None:
        """Cancel it."""
        self._driver.cancel()

    def poll(self) -> MoveEnd | None:
        """Return how it ended, once."""
        return self._driver.poll()


def _read(result: Any) -> MoveEnd:
    if result.error_code == 0:
        return MoveEnd(True, 'the controller of the driver says that the pose is reached')
    why = ERRORS.get(result.error_code, f'error {result.error_code}')
    return MoveEnd(
        False, f'the controller of the driver gave the way up: {why}{f" ({result.error_string})" if result.error_string else ""}'
    )
