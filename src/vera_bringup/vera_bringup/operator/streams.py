# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures, joints and commands for the page, listened to only while a page is open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from vera_bringup.operator.model import OperatorModel
from vera_bringup.operator.pictures import PictureBoard, preview
from vera_bringup.viewing.messages import points_to_come
from vera_core.bounds import MAX_PLAN_FRAMES, MAX_VIEWS
from vera_core.embodiment import Embodiment
from vera_core.errors import VeraError
from vera_core.ros.messages import flow_from_msg, rgb_from_image, robot_state_from_joint_state, to_ns, velocity_from_msg
from vera_core.ros.qos import COMMAND, PLAN, SENSOR, STREAM
from vera_core.ros.raw import read_raw
from vera_core.shapes import RgbArray
from vera_core.types import FlowField
from vera_jidm.buffers import Once
from vera_jidm.overlay import draw_flow, mosaic_tile
from vera_msgs.msg import FlowField as FlowFieldMsg
from vera_msgs.msg import JointVelocityEstimate, VideoPlan

COMMAND_PERIOD_NS = 80_000_000
"""Commands come fifty times a second; the page looks at fewer, and the others are not even decoded."""
COMPLAIN_S = 5.0


class Streams:
    """Subscriptions of one node that feed model and pictures."""

    def __init__(self, node: Node, robot: Embodiment, model: OperatorModel, board: PictureBoard) -> None:
        """Listen to nothing yet."""
        self._node = node
        self._robot = robot
        self._model = model
        self._board = board
        self._cameras: dict[str, Once[RgbArray]] = {}
        self._command_ns = 0
        self._open: list[Any] = []

    @property
    def is_open(self) -> bool:
        """Whether they are listening."""
        return bool(self._open)

    def close(self) -> None:
        """Listen to nothing; from the node's executor."""
        for stream in self._open:
            self._node.destroy_subscription(stream)
        self._open = []

    def open(self) -> None:
        """Begin to listen; from the node's executor."""
        listen, driver = self._node.create_subscription, self._robot.driver
        self._open = [listen(Image, view.image_topic, partial(self._on_image, view.name), SENSOR) for view in self._robot.views]
        self._open += [
            listen(JointState, driver.joint_states_topic, self._on_state, SENSOR),
            listen(JointVelocityEstimate, 'joint_velocity', self._on_estimate, STREAM),
            listen(FlowFieldMsg, 'flow', self._on_flow, STREAM),
            listen(Image, 'jidm_node/overlay', self._on_field, SENSOR),
            listen(VideoPlan, 'plan', self._on_plan, PLAN),
        ]
        if driver.command_topic:
            self._open.append(listen(JointTrajectory, driver.command_topic, self._on_command, COMMAND, raw=True))

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """What does not fit is refused and told by the nodes it is meant for; here it is only not shown."""
        try:
            yield
        except VeraError as error:
            self._node.get_logger().warning(f'not shown: {error}', throttle_duration_sec=COMPLAIN_S)

    def _on_image(self, view: str, message: Image) -> None:
        rgb = Once(partial(rgb_from_image, message, f'image of view {view}'))
        self._cameras[view] = rgb
        self._board.put(view, 'camera', lambda: preview(rgb.get()))
        self._model.on_age('camera', (self._now_ns() - to_ns(message.header.stamp)) * 1e-6)

    def _on_flow(self, message: FlowFieldMsg) -> None:
        self._model.on_age('flow', (self._now_ns() - to_ns(message.header.stamp)) * 1e-6)
        flow = Once(partial(flow_from_msg, message))
        for view in message.view_names:
            if view in self._cameras:
                self._board.put(view, 'flow', partial(_draw_flow, view, self._cameras[view], flow))

    def _on_field(self, message: Image) -> None:
        mosaic = Once(partial(rgb_from_image, message, 'jidm_node/overlay'))
        for place, view in enumerate(self._board.views):
            self._board.put(view, 'field', partial(self._tile, mosaic, place))

    def _tile(self, mosaic: Once[RgbArray], place: int) -> RgbArray:
        joints = len(self._robot.joints)
        return mosaic_tile(mosaic.get(), view=place, views=len(self._board.views), joint=self._model.fastest_joint, joints=joints)

    def _on_plan(self, message: VideoPlan) -> None:
        if len(message.frames) > MAX_PLAN_FRAMES or len(message.view_names) > MAX_VIEWS:
            self._node.get_logger().warning(f'not shown: a plan of {len(message.frames)} frames', throttle_duration_sec=COMPLAIN_S)
            return
        length = int(message.horizon) + 1
        frames = [bytes(frame.data) for frame in message.frames]
        views = {name: tuple(frames[place * length : (place + 1) * length]) for place, name in enumerate(message.view_names)}
        self._board.put_plan(int(message.plan_id), tuple(views.get(view, ()) for view in self._board.views))

    def _on_state(self, message: JointState) -> None:
        with self._reporting():
            self._model.on_state(robot_state_from_joint_state(message, self._robot))

    def _on_estimate(self, message: JointVelocityEstimate) -> None:
        with self._reporting():
            estimate = velocity_from_msg(message, self._robot.joint_names)
            self._model.on_estimate(estimate, latency_s=to_ns(message.latency) * 1e-9, now_ns=self._now_ns())

    def _on_command(self, data: bytes) -> None:
        now_ns = self._now_ns()
        if 0 <= now_ns - self._command_ns < COMMAND_PERIOD_NS:
            return
        self._command_ns = now_ns
        with self._reporting():
            self._model.on_command(points_to_come(read_raw(data, JointTrajectory), self._robot, now_ns), now_ns)


def _draw_flow(view: str, camera: Once[RgbArray], flow: Once[FlowField]) -> RgbArray:
    wanted = flow.get()
    height, width = wanted.flow[view].shape[:2]
    return draw_flow(preview(camera.get(), size=(height, width)), wanted.flow[view], wanted.confidence[view])
