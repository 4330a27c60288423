# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Backend `trajectory`: a rolling JointTrajectory for joint_trajectory_controller."""

from __future__ import annotations

from typing import Any

from rclpy.duration import Duration
from trajectory_msgs.msg import JointTrajectory

from vera_control.trajectory import ShapedTrajectory
from vera_control.wire import TrajectoryWriter
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, Refusal
from vera_core.ros.qos import COMMAND
from vera_core.types import RobotState

LAST_WORDS = Duration(nanoseconds=200_000_000)


class TrajectoryBackend:
    """Publishes every trajectory whole. The driver runs it out by itself, so a dead sender is a smooth stop."""

    def __init__(self, node: Any, robot: Embodiment, *, stream_hz: float) -> None:
        del stream_hz  # the driver interpolates
        self.topic = robot.driver.command_topic
        if not self.topic:
            raise ConfigError(
                f"the driver of {robot.name} has no command_topic, which backend 'trajectory' needs; give it one in the robot file"
            )
        self._writer = TrajectoryWriter(robot.joint_map)
        self._publisher = node.create_publisher(JointTrajectory, self.topic, COMMAND)

    def obstacle(self, now_ns: int) -> Refusal | None:
        """The controller behind the topic does not say."""
        return None

    def on_state(self, state: RobotState) -> None:
        """Measured joints are the driver's business."""

    def send(self, trajectory: ShapedTrajectory, now_ns: int) -> None:
        """Publish a trajectory."""
        self._publisher.publish(self._writer.write(trajectory, now_ns))

    def leave(self) -> None:
        """Wait until the last trajectory has arrived."""
        self._publisher.wait_for_all_acked(LAST_WORDS)
