# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Command messages to arrays, joints named, ordered and counted as the robot file does."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMsg

from vera_core.bounds import MAX_POINTS, few
from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.ros.messages import to_ns
from vera_core.shapes import FloatArray
from vera_sim.joint_trajectory import JointTrajectory

OPTIONAL = ('velocities', 'accelerations')


def trajectory_from_msg(message: JointTrajectoryMsg, robot: Embodiment) -> JointTrajectory | Refusal:
    """Return what a message says, or why it says nothing usable."""
    joints, points, names = robot.joint_map, message.points, list(message.joint_names)
    if len(points) > MAX_POINTS:
        return Refusal('too_long', f'trajectory has {len(points)} points, at most {MAX_POINTS} are taken')
    if any(len(point.effort) for point in points):
        return Refusal('effort', 'the points have efforts, which this controller does not take; leave them empty')
    if sorted(names) != sorted(joints.names):
        return Refusal(
            'wrong_joint_names', f'trajectory names [{few(names)}] but the robot has {list(joints.names)}; send every joint once'
        )
    order = [names.index(name) for name in joints.names]
    arrays: dict[str, FloatArray | None] = {}
    for field in ('positions', *OPTIONAL):
        sizes = {len(getattr(point, field)) for point in points}
        if field in OPTIONAL and sizes == {0}:
            arrays[field] = None
        elif sizes != {len(names)}:
            return Refusal('wrong_length', f'{field} have {sorted(sizes)[:8]} values in {len(points)} points for {len(names)} joints')
        else:
            arrays[field] = np.array([getattr(point, field) for point in points], dtype=np.float64)[:, order]
    positions, velocities, accelerations = arrays.values()
    assert positions is not None  # only velocities and accelerations may be left out
    return JointTrajectory(
        names=robot.joint_names,
        times=np.array([to_ns(point.time_from_start) * 1e-9 for point in points]),
        positions=joints.our_positions(positions),
        velocities=None if velocities is None else joints.our_rates(velocities),
        accelerations=None if accelerations is None else joints.our_rates(accelerations),
    )


def positions_from_msg(message: JointState | Float64MultiArray, robot: Embodiment) -> FloatArray | Refusal:
    """Return joint positions, shape (n,), rad, of a message by name or in the driver's order; or why it has none that can be used."""
    joints = robot.joint_map
    if isinstance(message, Float64MultiArray):
        positions = np.array(message.data, dtype=np.float64)
        order = list(range(len(joints.names)))
    else:
        names = list(message.name)
        if sorted(names) != sorted(joints.names):
            return Refusal(
                'wrong_joint_names', f'positions name [{few(names)}] but the robot has {list(joints.names)}; send every joint once'
            )
        positions = np.array(message.position, dtype=np.float64)
        order = [names.index(name) for name in joints.names]
    if positions.shape != (len(order),):
        return Refusal('wrong_length', f'{positions.size} positions for {len(order)} joints')
    return joints.our_positions(positions[order])


def velocities_from_msg(message: Float64MultiArray, robot: Embodiment) -> FloatArray | Refusal:
    """Return joint velocities, shape (n,), rad/s, of a message in the driver's order; or why it has none that can be used."""
    velocities = np.array(message.data, dtype=np.float64)
    if velocities.shape != (len(robot.joints),):
        return Refusal('wrong_length', f'{velocities.size} velocities for {len(robot.joints)} joints')
    return robot.joint_map.our_rates(velocities)
