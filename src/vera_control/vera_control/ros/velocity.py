# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Backend `velocity`: bare joint velocities for a forwarding controller, in simulation only."""

from __future__ import annotations

import array
from typing import Any

from std_msgs.msg import Float64MultiArray

from vera_control.ros.streamer import Streamer
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, Refusal
from vera_core.ros.qos import COMMAND
from vera_core.types import RobotState


class VelocityBackend:
    """Publishes velocities without names or stamps. The controller behind the topic holds the last one for ever: the last one has to be zero."""

    def __init__(self, node: Any, robot: Embodiment, *, stream_hz: float) -> None:
        if not robot.driver.simulated:
            raise ConfigError(
                f"backend 'velocity' is for simulation only, and the driver of {robot.name} is not marked `simulated: true`: a velocity controller "
                "never times out, so an arm whose sender dies goes on for ever; use backend 'trajectory' or 'servo'"
            )
        self.topic = robot.driver.velocity_command_topic
        if not self.topic:
            raise ConfigError(f"the driver of {robot.name} has no velocity_command_topic, which backend 'velocity' needs")
        self._joints = robot.joint_map
        self._publisher = node.create_publisher(Float64MultiArray, self.topic, COMMAND)
        self._streamer = Streamer(node, stream_hz, self._publish)

    def obstacle(self, now_ns: int) -> Refusal | None:
        """A forwarding controller does not say."""
        return None

    def on_state(self, state: RobotState) -> None:
        """Measured joints are not needed."""

    def send(self, trajectory: ShapedTrajectory, now_ns: int) -> None:
        """Put a trajectory in force."""
        self._streamer.take(trajectory, now_ns)

    def leave(self) -> None:
        """Run the ramp to rest out; the last command is zero."""
        self._streamer.run_out()

    def _publish(self, motion: JointMotion, now_ns: int) -> None:
        self._publisher.publish(Float64MultiArray(data=array.array('d', self._joints.rates(motion.velocity).tobytes())))
