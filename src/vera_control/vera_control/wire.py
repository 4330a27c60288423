# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""This room's own messages: the trajectory a driver takes, and the safety status people and the executive read."""

from __future__ import annotations

import array
import math

import numpy as np
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vera_control.home import Pose
from vera_control.safety import Reason, SafetyState
from vera_control.status import ControllerStatus
from vera_control.task import SafetyReport
from vera_control.trajectory import ShapedTrajectory
from vera_core.bounds import MAX_NAMES, MAX_TEXT, check_count
from vera_core.driver import JointMap
from vera_core.errors import ShapeError
from vera_core.ros.messages import from_ns
from vera_core.shapes import check_finite
from vera_msgs.action import GoHome
from vera_msgs.msg import SafetyStatus


class TrajectoryWriter:
    """Writes trajectories into one message, over and over: making 40 points anew takes longer than writing and sending them."""

    def __init__(self, joints: JointMap) -> None:
        self._joints = joints
        self._names = list(joints.names)
        self._points: list[JointTrajectoryPoint] = []

    def write(self, trajectory: ShapedTrajectory, now_ns: int) -> JointTrajectory:
        """Return the message for a driver, good until the next call.

        Its stamp is the grid time at or before now, so that times from start fall on the grid exactly.
        """
        origin = min(trajectory.first, now_ns // trajectory.period_ns)
        message = JointTrajectory(joint_names=self._names)
        message.header.stamp = from_ns(origin * trajectory.period_ns)
        rows, size = trajectory.position.shape
        positions, velocities, accelerations = (
            array.array('d', values.tobytes())
            for values in (
                self._joints.positions(trajectory.position),
                self._joints.rates(trajectory.velocity),
                self._joints.rates(trajectory.acceleration),
            )
        )
        while len(self._points) < rows:
            self._points.append(JointTrajectoryPoint())
        for row, point in enumerate(self._points[:rows]):
            part = slice(row * size, (row + 1) * size)
            point.positions, point.velocities, point.accelerations = positions[part], velocities[part], accelerations[part]
            time = point.time_from_start
            time.sec, time.nanosec = divmod((trajectory.first + row - origin) * trajectory.period_ns, 1_000_000_000)
        message.points = self._points[:rows]
        return message


def trajectory_to_msg(trajectory: ShapedTrajectory, joints: JointMap, now_ns: int) -> JointTrajectory:
    """Return a message of its own; see `TrajectoryWriter.write`."""
    return TrajectoryWriter(joints).write(trajectory, now_ns)


def status_to_msg(status: ControllerStatus, joint_names: tuple[str, ...], now_ns: int) -> SafetyStatus:
    """Return the SafetyStatus message."""
    message = SafetyStatus(
        state=int(status.state),
        reason=int(status.reason),
        text=status.text,
        stream_names=list(status.stream_names),
        stream_ages=array.array('d', status.stream_ages),
        lost_nodes=list(status.lost_nodes),
        speed_scale=status.speed_scale,
        joint_names=list(joint_names),
        commanded_velocity=array.array('d', status.commanded_velocity),
        refused_messages=status.refused_messages,
        position_violations=status.violations.position,
        velocity_violations=status.violations.velocity,
        acceleration_violations=status.violations.acceleration,
        jerk_violations=status.violations.jerk,
        dry_run=status.is_dry,
        start_obstacle=status.start_obstacle,
    )
    message.header.stamp = from_ns(now_ns)
    return message


def pose_from_goal(request: GoHome.Goal, names: tuple[str, ...]) -> Pose:
    """Return where a goal wants the arm, joint positions in the order of `names`.

    Raises:
        ShapeError: If it gives a name and positions, or positions that are not those of the joints.
    """
    if not request.position and not request.joint_names:
        return str(request.pose[:MAX_TEXT])
    check_count('joints of a goal', max(len(request.joint_names), len(request.position)), MAX_NAMES)
    if request.pose or sorted(request.joint_names) != sorted(names) or len(request.position) != len(names):
        raise ShapeError(f'a goal needs the name of a pose, or a position for each of {", ".join(names)} and no name')
    return np.array([request.position[request.joint_names.index(name)] for name in names], dtype=np.float64)


def safety_from_msg(message: SafetyStatus) -> SafetyReport:
    """Return what the executive needs of a SafetyStatus message.

    Raises:
        ShapeError: If it names a state or reason that does not exist, holds too much, or a speed is not finite.
    """
    try:
        state, reason = SafetyState(message.state), Reason(message.reason)
    except ValueError as error:
        raise ShapeError(f'safety status: {error}; is the controller of another version?') from error
    check_count('joints of a safety status', len(message.commanded_velocity), MAX_NAMES)
    check_count('lost nodes of a safety status', len(message.lost_nodes), MAX_NAMES)
    speeds = np.asarray(message.commanded_velocity, dtype=np.float64)
    check_finite(commanded_velocity=speeds)
    return SafetyReport(
        state=state,
        reason=reason,
        text=message.text[:MAX_TEXT],
        lost_nodes=tuple(name[:MAX_TEXT] for name in message.lost_nodes),
        start_obstacle=message.start_obstacle[:MAX_TEXT],
        speed_rms=math.hypot(*speeds) / math.sqrt(speeds.size) if speeds.size else 0.0,
    )
