# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""jidm_node: flow, pictures and measured joints in, joint velocity out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
    plan_from_msg,
    robot_state_from_joint_state,
    to_ns,
    velocity_to_msg,
)
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import PLAN, SENSOR, STREAM
from vera_core.shapes import RgbArray
from vera_core.types import FlowField, Frame, RobotState
from vera_jidm.ahead import FieldAhead
from vera_jidm.buffers import Once, StampedBuffer
from vera_jidm.overlay import field_mosaic
from vera_jidm.params import JidmParams
from vera_jidm.pipeline import Inversion, invert_flow
from vera_jidm.planned import RecentPlans
from vera_jidm.registry import JACOBIAN_MODELS
from vera_jidm.worker import Worker
from vera_msgs.msg import FlowField as FlowFieldMsg
from vera_msgs.msg import JointVelocityEstimate
from vera_msgs.msg import VideoPlan as VideoPlanMsg

MEMORY_S = 1.5
LOG_PERIOD_S = 2.0
FOLLOWING_S = 1.0
"""While the last flow is younger than this, the field of new pictures is evaluated before their flow arrives."""
PATIENCE_NS = 200_000_000
"""Pictures whose flow has not come after this long were not taken by flow_node."""


class JidmNode(VeraNode[JidmParams]):
    """Wires flow, cameras and joint states to the pipeline."""

    def __init__(self) -> None:
        super().__init__('jidm_node', JidmParams)
        cv2.setNumThreads(1)
        self._settings = self.params.pipeline_settings()
        self._model, self._model_fault = self._load_model()
        self._frames: dict[str, StampedBuffer[Once[Frame]]] = {view: StampedBuffer(MEMORY_S, longest=100) for view in self.robot.view_names}
        self._states: StampedBuffer[JointState] = StampedBuffer(MEMORY_S, longest=3000)
        self._flow: Latest[FlowFieldMsg] = Latest()
        self._plan: Latest[VideoPlanMsg] = Latest()
        self._plans = RecentPlans()
        self._flow_came_s = -FOLLOWING_S
        self._begun_ns, self._awaits_flow = 0, False
        self._velocity = self.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
        self._overlay = self.create_publisher(Image, '~/overlay', SENSOR)
        self._worker = Worker(self._work, self._fault, idle=self._idle)
        for view in self.robot.views:
            self.create_subscription(Image, view.image_topic, partial(self._on_image, view.name), SENSOR)
        self.create_subscription(JointState, self.robot.driver.joint_states_topic, self._on_state, SENSOR)
        self.create_subscription(FlowFieldMsg, 'flow', self._on_flow, STREAM)
        if self.params.photometric_refinement:
            self.create_subscription(VideoPlanMsg, 'plan', self._plan.put, PLAN)

    def on_params(self, params: JidmParams) -> None:
        """Use new settings from the next step on."""
        self._settings = params.pipeline_settings()

    def close(self) -> None:
        """End the worker and the field's thread."""
        self._worker.close()
        if self._model is not None:
            self._model.close()

    def _load_model(self) -> tuple[FieldAhead | None, str]:
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
        return FieldAhead(model), ''

    def _on_image(self, view: str, message: Image) -> None:
        self._frames[view].put(to_ns(message.header.stamp), Once(partial(frame_from_image, message, view, self.robot.working_size)))
        if self._model is not None and time.monotonic() - self._flow_came_s < FOLLOWING_S:
            self._look_ahead(self._model)

    def _look_ahead(self, model: FieldAhead) -> None:
        """Start on the field of the pictures flow_node is taking now: the newest ones, once it is done with those before.

        What is wrong with the pictures is reported when their flow comes.
        """
        newest = [buffer.newest() for buffer in self._frames.values()]
        stamp_ns = min(entry[0] if entry else 0 for entry in newest)  # flow_node stamps its flow like this, too
        if stamp_ns in (0, self._begun_ns) or (self._awaits_flow and 0 < stamp_ns - self._begun_ns < PATIENCE_NS):
            return
        self._begun_ns, self._awaits_flow = stamp_ns, True
        try:
            frames = self._frames_at(stamp_ns, self.robot.view_names)
            state = self._state_at(stamp_ns)
        except VeraError:
            return
        if state is not None and len(frames) == len(newest):
            model.begin({view: frame.rgb for view, frame in frames.items()}, state.position)

    def _on_state(self, message: JointState) -> None:
        self._states.put(to_ns(message.header.stamp), message)

    def _on_flow(self, message: FlowFieldMsg) -> None:
        self._flow.put(message)
        self._worker.wake()
        self._flow_came_s, self._awaits_flow = time.monotonic(), False
        if self._model is not None:
            self._look_ahead(self._model)

    def _work(self) -> None:
        message = self._flow.take()
        if message is None:
            return
        if self._model is None:
            self._report(self._model_fault)
            return
        try:
            flow = flow_from_msg(message)
            frames = self._frames_at(flow.stamp_ns, list(flow.flow))
            state = self._state_at(flow.stamp_ns)
            if state is None:
                self._report(f'no joint states on {self.robot.driver.joint_states_topic}; is the robot driver running?')
                return
            answer = invert_flow(flow, frames, state, self._model, self.robot, self._settings, planned=self._planned(flow))
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

    def _planned(self, flow: FlowField) -> Mapping[str, RgbArray] | None:
        """Return the pictures the flow leads to, None when its plan has not come (or nobody asked for plans)."""
        message = self._plan.take()
        if message is not None:
            try:
                self._plans.put(plan_from_msg(message))
            except VeraError as error:
                self._report(f'plan refused: {error}')
        return self._plans.pictures(flow)

    def _frames_at(self, stamp_ns: int, views: Sequence[str]) -> dict[str, Frame]:
        """Return the picture of every view that is nearest to the stamp, as far as there is one."""
        frames = {}
        for view in views:
            nearest = self._frames[view].nearest(stamp_ns) if view in self._frames else None
            if nearest is not None and abs(nearest[0] - stamp_ns) * 1e-9 <= self.params.view_spread_s:
                frames[view] = nearest[1].get()
        return frames

    def _state_at(self, stamp_ns: int) -> RobotState | None:
        """Return the measured joints that are nearest to the stamp, None when there are none."""
        nearest = self._states.nearest(stamp_ns)
        return None if nearest is None else robot_state_from_joint_state(nearest[1], self.robot)

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
