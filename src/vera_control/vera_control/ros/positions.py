# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Backend `allegro_position`: joint positions for the public drivers of the Allegro hand."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from vera_control.backends.positions import PositionFollower
from vera_control.limits import limits_of
from vera_control.ros.streamer import Streamer
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.driver import JointMap
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, Refusal
from vera_core.ros.messages import from_ns
from vera_core.ros.qos import COMMAND
from vera_core.shapes import FloatArray
from vera_core.types import RobotState


def joint_state(position: FloatArray, joints: JointMap, now_ns: int) -> JointState:
    """Positions of shape (n,), rad, with the driver's names."""
    message = JointState(name=list(joints.names), position=array.array('d', joints.positions(position).tobytes()))
    message.header.stamp = from_ns(now_ns)
    return message


def bare_array(position: FloatArray, joints: JointMap, now_ns: int) -> Float64MultiArray:
    """Positions of shape (n,), rad, in the driver's order."""
    return Float64MultiArray(data=array.array('d', joints.positions(position).tobytes()))


MESSAGES: dict[str, tuple[type, Callable[[FloatArray, JointMap, int], Any]]] = {
    'array': (Float64MultiArray, bare_array),
    'joint_state': (JointState, joint_state),
}
"""Message type and its maker, by `driver.position_message`."""


class PositionBackend:
    """Publishes positions. The driver holds the last one, so a dead sender is a hand that keeps its pose."""

    def __init__(self, node: Any, robot: Embodiment, *, stream_hz: float) -> None:
        self.topic = robot.driver.position_command_topic
        if not self.topic:
            raise ConfigError(f"the driver of {robot.name} has no position_command_topic, which backend 'allegro_position' needs")
        kind, self._to_message = MESSAGES[robot.driver.position_message]
        self._joints = robot.joint_map
        self._follower = PositionFollower(limits_of(robot))
        self._measured: FloatArray | None = None
        self._publisher = node.create_publisher(kind, self.topic, COMMAND)
        self._streamer = Streamer(node, stream_hz, self._publish)

    def obstacle(self, now_ns: int) -> Refusal | None:
        """The driver does not say."""
        return None

    def on_state(self, state: RobotState) -> None:
        """Take in where the joints are: commands stay near."""
        self._measured = state.position

    def send(self, trajectory: ShapedTrajectory, now_ns: int) -> None:
        """Put a trajectory in force."""
        self._streamer.take(trajectory, now_ns)

    def leave(self) -> None:
        """Run the ramp to rest out; the driver holds the last position."""
        self._streamer.run_out()

    def _publish(self, motion: JointMotion, now_ns: int) -> None:
        if self._measured is not None:  # it is before anything moves: nothing is shaped without measured joints
            command = self._follower.next(motion.position, self._measured, now_ns)
            self._publisher.publish(self._to_message(command, self._joints, now_ns))
