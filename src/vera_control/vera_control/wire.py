# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""This room's own messages: the trajectory a driver takes, and the safety status people and the executive read."""

from __future__ import annotations

import array

import numpy as np
from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vera_control.executive import SafetyReport
from vera_control.safety import Reason, SafetyState
from vera_control.status import ControllerStatus
from vera_control.trajectory import ShapedTrajectory
from vera_core.ros.messages import from_ns
from vera_msgs.msg import SafetyStatus


def trajectory_to_msg(trajectory: ShapedTrajectory, joint_names: tuple[str, ...], now_ns: int) -> JointTrajectory:
    """Return the message for a driver. Its stamp is the grid time at or before now, so that times from start fall on the grid exactly."""
    origin = min(trajectory.first, now_ns // trajectory.period_ns)
    message = JointTrajectory(joint_names=list(joint_names))
    message.header.stamp = from_ns(origin * trajectory.period_ns)
    points = []
    for row in range(len(trajectory.position)):
        seconds, nanoseconds = divmod((trajectory.first + row - origin) * trajectory.period_ns, 1_000_000_000)
        points.append(
            JointTrajectoryPoint(
                positions=array.array('d', trajectory.position[row].tobytes()),
                velocities=array.array('d', trajectory.velocity[row].tobytes()),
                accelerations=array.array('d', trajectory.acceleration[row].tobytes()),
                time_from_start=Duration(sec=seconds, nanosec=nanoseconds),
            )
        )
    message.points = points
    return message


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
    )
    message.header.stamp = from_ns(now_ns)
    return message


def safety_from_msg(message: SafetyStatus) -> SafetyReport:
    """Return what the executive needs of a SafetyStatus message."""
    speeds = np.asarray(message.commanded_velocity, dtype=np.float64)
    return SafetyReport(
        state=SafetyState(message.state),
        reason=Reason(message.reason),
        text=message.text,
        lost_nodes=tuple(message.lost_nodes),
        speed_rms=float(np.sqrt(np.mean(speeds**2))) if speeds.size else 0.0,
    )
