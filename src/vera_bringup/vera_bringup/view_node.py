# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""view_node: what rviz2 and Foxglove show beside the overlays of flow_node and jidm_node, made only while somebody looks.

`robot_description`, markers of the ghost and of the way of the tips, and the dream as a picture. Markers are in the frame of the description's
root link.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from vera_bringup.viewing.body import load_body
from vera_bringup.viewing.dream import dream_picture, due_step
from vera_bringup.viewing.leading import Leading
from vera_bringup.viewing.markers import make_markers
from vera_bringup.viewing.messages import markers_to_msg, points_to_come
from vera_bringup.viewing.params import ViewParams
from vera_core.errors import VeraError
from vera_core.latest import Latest
from vera_core.ros.messages import image_from_rgb, plan_from_msg, robot_state_from_joint_state, velocity_from_msg
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import COMMAND, PLAN, SENSOR, STATUS, STREAM
from vera_core.ros.raw import read_raw
from vera_core.types import VideoPlan
from vera_msgs.msg import JointVelocityEstimate
from vera_msgs.msg import VideoPlan as VideoPlanMsg

COMPLAIN_S = 5.0


class ViewNode(VeraNode[ViewParams]):
    """Wires plan, joints, estimates and commands to pictures and markers."""

    def __init__(self) -> None:
        super().__init__('view_node', ViewParams)

    def configure(self) -> None:
        """Read the description and begin to listen.

        Raises:
            EmbodimentError: If the robot's description cannot be used.
        """
        driver = self.robot.driver
        self._body = load_body(self.robot)
        self._leading = Leading(self.robot)
        self._plan_message: Latest[VideoPlanMsg] = Latest()
        self._plan: VideoPlan | None = None
        self._followed = (0, 0)
        self._command: Latest[bytes] = Latest()
        self._description = self.create_publisher(String, 'robot_description', STATUS)
        self._markers = self.create_publisher(MarkerArray, 'view/markers', STREAM)
        self._dream = self.create_publisher(Image, 'view/dream', SENSOR)
        self.create_subscription(VideoPlanMsg, 'plan', self._plan_message.put, PLAN)
        self.create_subscription(JointVelocityEstimate, 'joint_velocity', self._on_estimate, STREAM)
        self.create_subscription(JointState, driver.joint_states_topic, self._on_state, SENSOR)
        if driver.command_topic:
            self.create_subscription(JointTrajectory, driver.command_topic, self._command.put, COMMAND, raw=True)
        self.create_timer(1.0 / self.params.marker_rate_hz, self._show_markers)
        self.create_timer(1.0 / self.params.dream_rate_hz, self._show_dream)

    def activate(self) -> None:
        """Publish the description, which stays there for whoever comes later."""
        if self.robot.description is not None:
            self._description.publish(String(data=self.robot.description.read_text(encoding='utf-8')))
        self.beacon.say('ready' if self._body else f'robot {self.robot.name} has no description, so there are no markers')

    def _on_state(self, message: JointState) -> None:
        if self._markers.get_subscription_count():
            with self._reporting():
                self._leading.on_state(robot_state_from_joint_state(message, self.robot))

    def _on_estimate(self, message: JointVelocityEstimate) -> None:
        self._followed = (int(message.plan_id), int(message.step))
        if self._markers.get_subscription_count():
            with self._reporting():
                self._leading.on_estimate(velocity_from_msg(message, self.robot.joint_names), self.now_ns())

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """What does not fit is refused and told by the nodes it is meant for; here it is only not shown."""
        try:
            yield
        except VeraError as error:
            self.get_logger().warning(f'not shown: {error}', throttle_duration_sec=COMPLAIN_S)

    def _show_markers(self) -> None:
        if self._body is None or not self._markers.get_subscription_count():
            return
        now_ns = self.now_ns()
        command = self._command.take()
        if command is not None:
            with self._reporting():
                self._leading.on_command(points_to_come(read_raw(command, JointTrajectory), self.robot, now_ns), now_ns)
        prediction = self._leading.prediction(now_ns)
        markers = [] if prediction is None else make_markers(self._body, self.robot.joint_names, prediction)
        self._markers.publish(markers_to_msg(markers, frame_id=self._body.root, stamp_ns=now_ns))

    def _show_dream(self) -> None:
        if not self._dream.get_subscription_count():
            return
        message = self._plan_message.take()
        if message is not None:
            with self._reporting():
                self._plan = plan_from_msg(message)
        if self._plan is None:
            return
        now_ns = self.now_ns()
        plan_id, step = self._followed
        step = step if plan_id == self._plan.plan_id else due_step(self._plan, now_ns)
        self._dream.publish(image_from_rgb(dream_picture(self._plan, step), stamp_ns=now_ns))


def main() -> int:
    """Run the node."""
    return run(ViewNode)


if __name__ == '__main__':
    raise SystemExit(main())
