# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""jidm_node: flow, pictures and measured joints in, joint velocity out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from sensor_msgs.msg import Image, JointState

from vera_core.errors import Refusal, VeraError
from vera_core.latest import Latest
from vera_core.ros.messages import (
    flow_from_msg,
    frame_from_image,
    image_from_rgb,
    robot_state_from_joint_state,
    to_ns,
    velocity_to_msg,
)
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import SENSOR, STREAM
from vera_core.types import FlowField, Frame
from vera_jidm.buffers import StampedBuffer
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.overlay import field_mosaic
from vera_jidm.params import JidmParams
from vera_jidm.pipeline import Inversion, invert_flow
from vera_jidm.registry import JACOBIAN_MODELS
from vera_jidm.worker import Worker
from vera_msgs.msg import FlowField as FlowFieldMsg
from vera_msgs.msg import JointVelocityEstimate

MEMORY_S = 1.5
LOG_PERIOD_S = 2.0


class JidmNode(VeraNode[JidmParams]):
    """Wires flow, cameras and joint states to the pipeline."""

    def __init__(self) -> None:
        super().__init__('jidm_node', JidmParams)
        cv2.setNumThreads(1)
        self._settings = self.params.pipeline_settings()
        self._model, self._model_fault = self._load_model()
        self._images: dict[str, StampedBuffer[Image]] = {view: StampedBuffer(MEMORY_S, longest=100) for view in self.robot.view_names}
        self._states: StampedBuffer[JointState] = StampedBuffer(MEMORY_S, longest=3000)
        self._flow: Latest[FlowFieldMsg] = Latest()
        self._velocity = self.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
        self._overlay = self.create_publisher(Image, '~/overlay', SENSOR)
        self._worker = Worker(self._work, self._fault, idle=self._idle)
        for view in self.robot.views:
            self.create_subscription(Image, view.image_topic, partial(self._on_image, view.name), SENSOR)
        self.create_subscription(JointState, self.robot.driver.joint_states_topic, self._on_state, SENSOR)
        self.create_subscription(FlowFieldMsg, 'flow', self._on_flow, STREAM)

    def on_params(self, params: JidmParams) -> None:
        """Use new settings from the next step on."""
        self._settings = params.pipeline_settings()

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def _load_model(self) -> tuple[JacobianModel | None, str]:
        """Return the field, or None and why there is none: the node then stays up and says so, and publishes nothing."""
        folder = Path(self.params.field_weights) if self.params.field_weights else None
        try:
            model = JACOBIAN_MODELS.make(self.params.field_model, robot=self.robot, folder=folder)
        except VeraError as error:
            fault = f'no Jacobian field, so no joint velocities: {error}; then start this node again'
            self.get_logger().error(fault)
            self.beacon.say(fault)
            return None, fault
        self.beacon.say('ready; waiting for flow')
        return model, ''

    def _on_image(self, view: str, message: Image) -> None:
        self._images[view].put(to_ns(message.header.stamp), message)

    def _on_state(self, message: JointState) -> None:
        self._states.put(to_ns(message.header.stamp), message)

    def _on_flow(self, message: FlowFieldMsg) -> None:
        self._flow.put(message)
        self._worker.wake()

    def _work(self) -> None:
        message = self._flow.take()
        if message is None:
            return
        if self._model is None:
            self._report(self._model_fault)
            return
        try:
            flow = flow_from_msg(message)
            frames = self._frames_at(flow)
            nearest = self._states.nearest(flow.stamp_ns)
            if nearest is None:
                self._report(f'no joint states on {self.robot.driver.joint_states_topic}; is the robot driver running?')
                return
            state = robot_state_from_joint_state(nearest[1], self.robot)
            answer = invert_flow(flow, frames, state, self._model, self.robot, self._settings)
        except VeraError as error:
            self._report(str(error))
            return
        if isinstance(answer, Refusal):
            self._report(answer.text)
            return
        latency_s = (self.now_ns() - flow.stamp_ns) * 1e-9
        self._velocity.publish(velocity_to_msg(answer.velocity, self.robot.joint_names, latency_s=max(latency_s, 0.0)))
        self.beacon.say(f'inverting flow of plan {flow.plan_id}')
        if self._overlay.get_subscription_count():
            self._publish_overlay(answer, frames)

    def _frames_at(self, flow: FlowField) -> dict[str, Frame]:
        """Return the picture of every view of the flow that is nearest to its stamp, as far as there is one."""
        frames = {}
        for view in flow.flow:
            nearest = self._images[view].nearest(flow.stamp_ns) if view in self._images else None
            if nearest is not None and abs(nearest[0] - flow.stamp_ns) * 1e-9 <= self.params.view_spread_s:
                frames[view] = frame_from_image(nearest[1], view, self.robot.working_size)
        return frames

    def _publish_overlay(self, answer: Inversion, frames: Mapping[str, Frame]) -> None:
        mosaics = [field_mosaic(frames[view].rgb, field) for view, field in answer.fields.items()]
        self._overlay.publish(image_from_rgb(np.vstack(mosaics), stamp_ns=answer.velocity.stamp_ns))

    def _idle(self) -> None:
        self.beacon.say(self._model_fault or 'ready; waiting for flow')

    def _report(self, text: str) -> None:
        self.beacon.say(text)
        self.get_logger().warning(text, throttle_duration_sec=LOG_PERIOD_S)

    def _fault(self, error: Exception) -> None:
        text = f'fault in jidm_node, this flow is skipped: {type(error).__name__}: {error}'
        self.beacon.say(text)
        self.get_logger().error(text, throttle_duration_sec=LOG_PERIOD_S)


def main() -> int:
    """Run the node."""
    return run(JidmNode)


if __name__ == '__main__':
    raise SystemExit(main())
