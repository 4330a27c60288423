# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""mock_driver_node stands where a robot with joint_trajectory_controller stands, without cameras and without physics: the arm does what it is told.

It takes the topic of joint_trajectory_controller by its rules and publishes joint states at the rate of a real arm. It has no
follow_joint_trajectory action: nothing of VERA needs one.
"""

from __future__ import annotations

import array
import sys
import threading
import time

import numpy as np
from rclpy._rclpy_pybind11 import RCLError
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from vera_core.errors import ConfigError, Refusal, nearest_name_hint
from vera_core.ros.messages import from_ns, to_ns
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import COMMAND, SENSOR, STATUS
from vera_msgs.msg import SceneStatus
from vera_sim.joint_trajectory import Motion
from vera_sim.mock_controller import MockController
from vera_sim.params import MockDriverParams
from vera_sim.ros.commands import trajectory_from_msg

STATUS_PERIOD_S = 0.1
MOST_BEHIND_NS = 100_000_000
"""Updates that are later than this are dropped, as a real-time loop drops those it missed."""


class MockDriverNode(VeraNode[MockDriverParams]):
    """Wires a MockController to topics; one thread gives it its updates by the clock."""

    def __init__(self) -> None:
        super().__init__('mock_driver_node', MockDriverParams)
        self._lock = threading.Lock()
        self._running = False
        self._thread: threading.Thread | None = None

    def configure(self) -> None:
        """Put the arm into its start pose and join the graph."""
        params, robot = self.params, self.robot
        if params.start_pose not in robot.poses:
            raise ConfigError(f"robot {robot.name} has no pose '{params.start_pose}'; {nearest_name_hint(params.start_pose, robot.poses)}")
        if not robot.driver.command_topic:
            raise ConfigError(f'the driver of {robot.name} has no command_topic, so there is nothing to stand in for')
        self._update_ns = round(1e9 / params.update_rate_hz)
        self._every = max(1, round(params.update_rate_hz / params.joint_state_rate_hz))
        self._controller = MockController(
            robot,
            update_ns=self._update_ns,
            interpolate_from_desired_state=params.interpolate_from_desired_state,
            allow_nonzero_velocity_at_trajectory_end=params.allow_nonzero_velocity_at_trajectory_end,
        )
        self._controller.reset(np.array(robot.poses[params.start_pose]))
        self._states = self.create_publisher(JointState, robot.driver.joint_states_topic, SENSOR)
        self._status = self.create_publisher(SceneStatus, 'sim/scene_status', STATUS)
        self.create_subscription(JointTrajectory, robot.driver.command_topic, self._on_trajectory, COMMAND)
        self.create_timer(STATUS_PERIOD_S, self._publish_status)
        self.create_timer(1.0, self._say)

    def activate(self) -> None:
        """Let the arm go."""
        self._running = True
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()
        self.beacon.say(f'{self.robot.name} stands in pose {self.params.start_pose}')

    def deactivate(self) -> None:
        """Stop the updates; the arm stays where it is."""
        self.close()

    def close(self) -> None:
        """End the thread."""
        self._running = False
        if self._thread is not None:
            self._thread.join(timeout=1.0)
            self._thread = None

    def _on_trajectory(self, message: JointTrajectory) -> None:
        if not self.is_active:
            return
        trajectory = trajectory_from_msg(message, self.robot)
        with self._lock:
            if isinstance(trajectory, Refusal):
                self._controller.refuse(trajectory)
                refusal: Refusal | None = trajectory
            else:
                refusal = self._controller.receive(trajectory, to_ns(message.header.stamp), self.now_ns())
        if refusal is not None:
            self.diagnostics.refuse(refusal.code, refusal.text, time.monotonic())
            self.get_logger().error(f'trajectory refused: {refusal.text}', throttle_duration_sec=1.0)

    def _loop(self) -> None:
        due_ns, count = self.now_ns(), 0
        while self._running:
            now_ns = self.now_ns()
            if abs(now_ns - due_ns) > MOST_BEHIND_NS:
                due_ns = now_ns
            state: tuple[int, Motion] | None = None
            with self._lock:
                while due_ns <= now_ns:
                    measured = self._controller.measured
                    self._controller.update(due_ns)
                    count += 1
                    if count % self._every == 0:
                        state = due_ns, measured
                    due_ns += self._update_ns
            if state is not None and not self._publish(*state):
                return
            time.sleep(max(0.0, (due_ns - self.now_ns()) * 1e-9))

    def _publish(self, stamp_ns: int, measured: Motion) -> bool:
        """Publish joint states; False when a signal has ended the context meanwhile."""
        joints = self.robot.joint_map
        message = JointState(
            name=list(joints.names),
            position=array.array('d', joints.positions(measured.position).tobytes()),
            velocity=array.array('d', joints.rates(measured.velocity).tobytes()),
        )
        message.header.stamp = from_ns(stamp_ns)
        try:
            self._states.publish(message)
        except RCLError:
            if self.context.ok():
                raise
            return False
        return True

    def _publish_status(self) -> None:
        with self._lock:
            counts = self._controller.watch.violations
            message = SceneStatus(
                target_distance=-1.0,
                arm_speed=float((self._controller.command.velocity**2).sum() ** 0.5),
                real_time_factor=1.0,
                position_violations=counts.position,
                velocity_violations=counts.velocity,
                acceleration_violations=counts.acceleration,
                jerk_violations=counts.jerk,
                rejected_commands=self._controller.refused,
            )
        message.header.stamp = from_ns(self.now_ns())
        self._status.publish(message)

    def _say(self) -> None:
        with self._lock:
            controller, peaks = self._controller, self._controller.watch.peaks
            self.beacon.say(
                f"{controller.accepted} trajectories taken, {controller.refused} refused; largest share of the robot's limits: "
                f'velocity {peaks.velocity:.3f}, acceleration {peaks.acceleration:.3f}, jerk {peaks.jerk:.3f}'
            )


def main() -> None:
    """Run mock_driver_node until SIGINT or SIGTERM."""
    sys.exit(run(MockDriverNode))


if __name__ == '__main__':
    main()
