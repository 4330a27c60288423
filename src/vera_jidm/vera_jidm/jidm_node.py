# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""jidm_node: flow, pictures and measured joints in, joint velocity out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from sensor_msgs.msg import Image, JointState

from vera_core.diagnostics import Level
from vera_core.errors import ConfigError, Refusal, VeraError
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
from vera_core.ros.qos import BUNCHED_SENSOR, PLAN, SENSOR, STREAM, VERDICT
from vera_core.shapes import RgbArray
from vera_core.types import FlowField, Frame, RobotState
from vera_jidm.ahead import FieldAhead, Turns
from vera_jidm.buffers import Once, StampedBuffer
from vera_jidm.executability import Moment
from vera_jidm.flow.dis import FINE_ONE_WAY, DisFlow
from vera_jidm.overlay import MOSAIC_COLUMNS, field_mosaic, mosaic_shrink
from vera_jidm.params import JidmParams
from vera_jidm.pipeline import Inversion, invert_flow
from vera_jidm.planned import RecentPlans
from vera_jidm.registry import JACOBIAN_MODELS
from vera_jidm.ros.inspector import PlanInspector
from vera_jidm.witness import MotionWitness
from vera_jidm.worker import Worker
from vera_msgs.msg import FlowField as FlowFieldMsg
from vera_msgs.msg import JointVelocityEstimate, PlanVerdict
from vera_msgs.msg import VideoPlan as VideoPlanMsg

MEMORY_S = 1.5
LOG_PERIOD_S = 2.0
FOLLOWING_S = 1.0
"""While the last flow is younger than this, the field of new pictures is evaluated before their flow arrives."""


class JidmNode(VeraNode[JidmParams]):
    """Wires flow, cameras and joint states to the pipeline."""

    def __init__(self) -> None:
        super().__init__('jidm_node', JidmParams)
        cv2.setNumThreads(1)

    def configure(self) -> None:
        """Load the Jacobian field and join the graph.

        Raises:
            ConfigError: If there is no field for this robot.
        """
        self._settings = self.params.pipeline_settings()
        self._model = self._load_model()
        self._frames: dict[str, StampedBuffer[Once[Frame]]] = {view: StampedBuffer(MEMORY_S, longest=100) for view in self.robot.view_names}
        self._states: StampedBuffer[JointState] = StampedBuffer(MEMORY_S, longest=3000)
        self._flow: Latest[FlowFieldMsg] = Latest()
        self._plan: Latest[VideoPlanMsg] = Latest()
        self._plans = RecentPlans()
        self._witness = MotionWitness(len(self.robot.joints), DisFlow(FINE_ONE_WAY))
        self._flow_came_s = -FOLLOWING_S
        self._turns = Turns()
        self._velocity = self.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
        self._overlay = self.create_publisher(Image, '~/overlay', SENSOR)
        self._inspector = self._make_inspector()
        self._worker = Worker(self._work, self._fault, idle=self._idle)
        for view in self.robot.views:
            self.create_subscription(Image, view.image_topic, partial(self._on_image, view.name), SENSOR)
            self.require(view.image_topic, f'no picture on {view.image_topic}; is the camera driver running?')
        joints = self.robot.driver.joint_states_topic
        self._joints = self.create_bunched_subscription(JointState, joints, self._on_state, BUNCHED_SENSOR)
        self.require(joints, f'no joint states on {joints}; is the robot driver running?')
        self.create_subscription(FlowFieldMsg, 'flow', self._on_flow, STREAM)
        if self.params.photometric_refinement or self._inspector is not None:
            self.create_subscription(VideoPlanMsg, 'plan', self._on_plan, PLAN)

    def on_params(self, params: JidmParams) -> None:
        """Use new settings from the next step on."""
        self._settings = params.pipeline_settings()
        if self._inspector is not None:
            self._inspector.set_watch(params.watch_settings())

    def close(self) -> None:
        """End the worker and the field's thread."""
        if self._inspector is not None:
            self._inspector.close()
        self._worker.close()
        self._model.close()

    def obstacles(self) -> list[str]:
        """Pictures or joint states that do not come, or joints that are not those of the robot."""
        newest = self._states.newest()
        try:
            if newest is not None:
                robot_state_from_joint_state(newest[1], self.robot)
        except VeraError as error:
            return [*super().obstacles(), str(error)]
        return super().obstacles()

    def _load_model(self) -> FieldAhead:
        folder = Path(self.params.field_weights) if self.params.field_weights else None
        try:
            model = JACOBIAN_MODELS.make(self.params.field_model, robot=self.robot, folder=folder)
        except VeraError as error:
            raise ConfigError(f'no Jacobian field, so no joint velocities: {error}') from error
        self._say('no_flow', 'ready; waiting for flow')
        return FieldAhead(model)

    def _make_inspector(self) -> PlanInspector | None:
        if not self.params.check_plans:
            return None
        verdicts = self.create_publisher(PlanVerdict, 'plan_verdict', VERDICT)
        watch = self.params.watch_settings()
        return PlanInspector(self.robot, self._model, watch, moment=self._moment, publish=verdicts.publish, on_fault=self._fault)

    def _moment(self) -> Moment | None:
        """The newest pictures and joints; None while one is missing or cannot be used, which is told when their flow comes, or nobody may act."""
        newest = {view: entry for view, buffer in self._frames.items() if (entry := buffer.newest()) is not None}
        if not self.is_active or len(newest) < len(self._frames):
            return None
        stamp_ns = min(stamp_ns for stamp_ns, _ in newest.values())
        try:
            state = self._state_at(stamp_ns)
            pictures = {view: frame.get().rgb for view, (_, frame) in newest.items()}
        except VeraError:
            return None
        return None if state is None else Moment(stamp_ns=stamp_ns, pictures=pictures, position=state.position)

    def _on_plan(self, message: VideoPlanMsg) -> None:
        if self.params.photometric_refinement:
            self._plan.put(message)
        if self._inspector is not None:
            self._inspector.put(message)

    def _on_image(self, view: str, message: Image) -> None:
        self._joints.take()
        self._frames[view].put(to_ns(message.header.stamp), Once(partial(frame_from_image, message, view, self.robot.working_size)))
        if self.is_active and time.monotonic() - self._flow_came_s < FOLLOWING_S:
            self._look_ahead()

    def _look_ahead(self) -> None:
        """Start on the field of the pictures flow_node is taking now: the newest ones, once it is done with those before.

        What is wrong with the pictures is reported when their flow comes.
        """
        newest = [buffer.newest() for buffer in self._frames.values()]
        stamp_ns = min(entry[0] if entry else 0 for entry in newest)  # flow_node stamps its flow like this, too
        if not self._turns.begin(stamp_ns):
            return
        try:
            frames = self._frames_at(stamp_ns, self.robot.view_names)
            state = self._state_at(stamp_ns)
        except VeraError:
            return
        if state is not None and len(frames) == len(newest):
            self._model.begin({view: frame.rgb for view, frame in frames.items()}, state.position)

    def _on_state(self, message: JointState) -> None:
        self._states.put(to_ns(message.header.stamp), message)

    def _on_flow(self, message: FlowFieldMsg) -> None:
        if not self.is_active:
            return
        self._joints.take()
        self._flow.put(message)
        self._worker.wake()
        self._flow_came_s = time.monotonic()
        self._turns.flow_came(to_ns(message.header.stamp))
        self._look_ahead()

    def _work(self) -> None:
        message = self._flow.take()
        if message is None:
            return
        try:
            flow = flow_from_msg(message)
            frames = self._frames_at(flow.stamp_ns, list(flow.flow))
            state = self._state_at(flow.stamp_ns)
            if state is None:
                self._report(f'no joint states on {self.robot.driver.joint_states_topic}; is the robot driver running?', 'no_joint_states')
                return
            answer = invert_flow(flow, frames, state, self._model, self.robot, self._settings, planned=self._planned(flow))
        except VeraError as error:
            self.diagnostics.refuse('input', str(error), time.monotonic())
            self._report(str(error), 'bad_input')
            return
        if isinstance(answer, Refusal):
            self._report(answer.text, answer.code)
            return
        velocity = replace(answer.velocity, evidence=self._witness.look(frames, answer.fields, state, task_id=flow.task_id))
        latency_s = (self.now_ns() - flow.stamp_ns) * 1e-9
        self._velocity.publish(velocity_to_msg(velocity, self.robot.joint_names, latency_s=max(latency_s, 0.0)))
        dropped = self._inspector.on_estimate(velocity) if self._inspector is not None else None
        if dropped is not None:
            self._report(f'plan {flow.plan_id} is dropped: {dropped}', 'plan_dropped')
        else:
            self._say('inverting', f'inverting flow of plan {flow.plan_id}')
        if self._overlay.get_subscription_count():
            self._publish_overlay(answer, frames)

    def _planned(self, flow: FlowField) -> Mapping[str, RgbArray] | None:
        """Return the pictures the flow leads to, None when its plan has not come (or nobody asked for plans)."""
        message = self._plan.take()
        if message is not None:
            try:
                self._plans.put(plan_from_msg(message))
            except VeraError as error:
                self.diagnostics.refuse('plan', str(error), time.monotonic())
                self._report(f'plan refused: {error}', 'bad_plan')
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
        tiles = len(answer.fields) * -(-len(self.robot.joints) // MOSAIC_COLUMNS) * MOSAIC_COLUMNS
        shrink = mosaic_shrink(tiles, self.robot.working_size)
        mosaics = [field_mosaic(frames[view].rgb, field, shrink=shrink) for view, field in answer.fields.items()]
        self._overlay.publish(image_from_rgb(np.vstack(mosaics), stamp_ns=answer.velocity.stamp_ns))

    def _idle(self) -> None:
        self._say('no_flow', 'ready; waiting for flow')

    def _say(self, reason: str, text: str, level: Level = Level.OK) -> None:
        self.beacon.say(text)
        self.diagnostics.say(reason, text, level, time.monotonic())

    def _report(self, text: str, reason: str) -> None:
        self._say(reason, text, Level.WARN)
        self.get_logger().warning(text, throttle_duration_sec=LOG_PERIOD_S)

    def _fault(self, error: Exception) -> None:
        text = f'fault in jidm_node, this flow is skipped: {type(error).__name__}: {error}'
        self._say('fault', text, Level.ERROR)
        self.get_logger().error(text, throttle_duration_sec=LOG_PERIOD_S)


def main() -> int:
    """Run the node."""
    return run(JidmNode)


if __name__ == '__main__':
    raise SystemExit(main())
