# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""camera_node stands where the camera drivers stand, beside a robot driver that has no pictures: it draws the robot where its joint states say it is.

The world around the robot is drawn as it stands at the start and is never touched: what the robot does can be seen, but nothing is pushed.
"""

from __future__ import annotations

import sys

from sensor_msgs.msg import CameraInfo, Image, JointState

from vera_core.errors import ShapeError
from vera_core.latest import Latest
from vera_core.ros.messages import image_from_rgb, robot_state_from_joint_state
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import SENSOR
from vera_core.types import RobotState
from vera_sim.params import CameraParams
from vera_sim.scene import sample_scene
from vera_sim.sim_node import camera_info
from vera_sim.world import World


class CameraNode(VeraNode[CameraParams]):
    """Draws the views of the robot file at the measured joints."""

    def __init__(self) -> None:
        super().__init__('camera_node', CameraParams)

    def configure(self) -> None:
        """Build the scene and join the graph."""
        self._world = World(self.robot, sample_scene(self.robot, self.params.seed))
        self._state: Latest[RobotState] = Latest()
        self._images = {view.name: self.create_publisher(Image, view.image_topic, SENSOR) for view in self.robot.views}
        self._infos = {view.name: self.create_publisher(CameraInfo, view.camera_info_topic, SENSOR) for view in self.robot.views}
        self.create_subscription(JointState, self.robot.driver.joint_states_topic, self._on_state, SENSOR)
        self.create_timer(1.0 / self.params.image_rate_hz, self._draw)
        self.beacon.say('waiting for joint states')

    def close(self) -> None:
        """Let go of the renderer."""
        if hasattr(self, '_world'):
            self._world.close()

    def _on_state(self, message: JointState) -> None:
        try:
            self._state.put(robot_state_from_joint_state(message, self.robot))
        except ShapeError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=1.0)

    def _draw(self) -> None:
        """Draw the newest state; the pictures carry its stamp. Without a new one there is no new picture, as with a camera that is unplugged."""
        state = self._state.take()
        if state is None:
            return
        self._world.set_joints(state.position)
        for view in self.robot.view_names:
            frame_id = f'{view}_optical_frame'
            picture = self._world.render(view)
            self._images[view].publish(image_from_rgb(picture, stamp_ns=state.stamp_ns, frame_id=frame_id))
            self._infos[view].publish(camera_info(self._world.simulation.cameras[view], state.stamp_ns, frame_id))
        self.beacon.say('draws the robot at its joint states')


def main() -> None:
    """Run the node."""
    sys.exit(run(CameraNode))


if __name__ == '__main__':
    main()
