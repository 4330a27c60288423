# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Backend `servo`: stamped joint velocities for MoveIt Servo."""

from __future__ import annotations

import array
from typing import Any

from vera_control.backends.servo import JOINT_JOG, ServoLink
from vera_control.ros.packages import interface
from vera_control.ros.streamer import Streamer
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, Refusal
from vera_core.ros.messages import from_ns
from vera_core.ros.qos import COMMAND, STREAM
from vera_core.types import RobotState

LEAST_HZ = 30.0
"""Servo halts when a command is older than its incoming_command_timeout, 0.1 s by default: at 30 Hz two may be lost."""


class ServoBackend:
    """Publishes control_msgs/JointJog, each stamped with the time it is issued. Servo halts by itself when they stop coming."""

    def __init__(self, node: Any, robot: Embodiment, *, stream_hz: float) -> None:
        servo = robot.driver.servo_node.rstrip('/')
        if not servo:
            raise ConfigError(
                f"the driver of {robot.name} has no servo_node, which backend 'servo' needs; give it one, for example /servo_node"
            )
        if stream_hz < LEAST_HZ:
            raise ConfigError(
                f"stream_hz is {stream_hz:.0f}; backend 'servo' needs at least {LEAST_HZ:.0f}, or Servo halts between two commands"
            )
        self._jog: Any = interface('control_msgs', 'msg', 'JointJog', needed_by="backend 'servo'")
        status = interface('moveit_msgs', 'msg', 'ServoStatus', needed_by="backend 'servo'")
        self._switch: Any = interface('moveit_msgs', 'srv', 'ServoCommandType', needed_by="backend 'servo'")
        self.topic = f'{servo}/delta_joint_cmds'
        self._node = node
        self._joints = robot.joint_map
        self._frame = robot.base_frame
        self._link = ServoLink(servo)
        self._publisher = node.create_publisher(self._jog, self.topic, COMMAND)
        self._client = node.create_client(self._switch, f'{servo}/switch_command_type')
        node.create_subscription(status, f'{servo}/status', self._on_status, STREAM)
        self._streamer = Streamer(node, stream_hz, self._publish)

    def obstacle(self, now_ns: int) -> Refusal | None:
        """Ask servo for joint velocities where that has not been done, and say whether it would move the arm."""
        if self._client.service_is_ready() and self._link.should_switch(now_ns):
            self._client.call_async(self._switch.Request(command_type=JOINT_JOG)).add_done_callback(self._on_switched)
        slow = self._link.slow_down(now_ns)
        if slow:
            self._node.get_logger().warning(f'servo {slow}', throttle_duration_sec=1.0)
        return self._link.obstacle(now_ns)

    def on_state(self, state: RobotState) -> None:
        """Servo reads the measured joints itself."""

    def send(self, trajectory: ShapedTrajectory, now_ns: int) -> None:
        """Put a trajectory in force."""
        self._streamer.take(trajectory, now_ns)

    def leave(self) -> None:
        """Run the ramp to rest out."""
        self._streamer.run_out()

    def _publish(self, motion: JointMotion, now_ns: int) -> None:
        message = self._jog(joint_names=list(self._joints.names))
        message.header.stamp = from_ns(now_ns)
        message.header.frame_id = self._frame
        message.velocities = array.array('d', self._joints.rates(motion.velocity).tobytes())
        self._publisher.publish(message)

    def _on_status(self, message: Any) -> None:
        self._link.on_status(int(message.code), str(message.message), int(self._node.get_clock().now().nanoseconds))

    def _on_switched(self, future: Any) -> None:
        self._link.on_switched(success=future.exception() is None and bool(future.result().success))
