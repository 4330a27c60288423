# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages for viewers: markers out, the command that is under way in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import Marker as MarkerMsg
from visualization_msgs.msg import MarkerArray

from vera_bringup.viewing.markers import Marker
from vera_core.bounds import MAX_NAMES, MAX_POINTS, check_count
from vera_core.embodiment import Embodiment
from vera_core.errors import ShapeError
from vera_core.ros.stamps import from_ns, to_ns
from vera_core.shapes import FloatArray, check_finite

TYPES = {'box': MarkerMsg.CUBE, 'cylinder': MarkerMsg.CYLINDER, 'sphere': MarkerMsg.SPHERE, 'line': MarkerMsg.LINE_STRIP}


def markers_to_msg(markers: Sequence[Marker], *, frame_id: str, stamp_ns: int) -> MarkerArray:
    """Return the message that shows these markers and removes all others."""
    header = Header(stamp=from_ns(stamp_ns), frame_id=frame_id)
    clear = MarkerMsg(header=header, action=MarkerMsg.DELETEALL)
    return MarkerArray(markers=[clear, *(_marker(marker, number, header) for number, marker in enumerate(markers))])


def _marker(marker: Marker, number: int, header: Header) -> MarkerMsg:
    x, y, z = marker.position
    qx, qy, qz, qw = marker.quat_xyzw
    red, green, blue, opacity = marker.colour
    width, depth, height = marker.scale
    return MarkerMsg(
        header=header,
        ns=marker.group,
        id=number,
        type=TYPES[marker.kind],
        action=MarkerMsg.ADD,
        pose=Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw)),
        scale=Vector3(x=width, y=depth, z=height),
        color=ColorRGBA(r=red, g=green, b=blue, a=opacity),
        points=[Point(x=x, y=y, z=z) for x, y, z in marker.points.tolist()],
    )


def points_to_come(message: JointTrajectory, robot: Embodiment, now_ns: int) -> FloatArray:
    """Return the points of a command that are still to come, shape (K, n), rad, in the robot's order; K = 0 when it is not about this robot.

    Raises:
        ShapeError: If it holds too much, or positions are missing or not finite.
    """
    check_count('joints of a command', len(message.joint_names), MAX_NAMES)
    check_count('points of a command', len(message.points), MAX_POINTS)
    place = {name: index for index, name in enumerate(message.joint_names)}
    if not set(robot.joint_map.names) <= set(place):
        return np.zeros((0, len(robot.joints)))
    columns = [place[name] for name in robot.joint_map.names]
    start_ns = to_ns(message.header.stamp)
    rows = [point.positions for point in message.points if start_ns + to_ns(point.time_from_start) > now_ns]
    sizes = {len(row) for row in rows} - {len(message.joint_names)}
    if sizes:
        raise ShapeError(f'a command has points with {sorted(sizes)[0]} positions for {len(message.joint_names)} joints')
    driver = np.array(rows, dtype=np.float64).reshape(len(rows), len(message.joint_names))[:, columns]
    check_finite(positions=driver)
    return robot.joint_map.our_positions(driver)
