# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""flow_node: pictures and plan in, the flow towards the planned picture that is due out."""

from __future__ import annotations

import time
from functools import partial

import cv2
import numpy as np
from sensor_msgs.msg import Image

from vera_core.diagnostics import Level
from vera_core.errors import Refusal, VeraError
from vera_core.latest import Latest
from vera_core.ros.messages import flow_to_msg, frame_from_image, image_from_rgb
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import PLAN, SENSOR, STREAM, TASK, VERDICT
from vera_core.types import FlowField, Frame
from vera_jidm.buffers import NewestSet
from vera_jidm.flow.dis import QUICK, DisFlow
from vera_jidm.following import PlanFollower
from vera_jidm.overlay import draw_flow
from vera_jidm.params import FlowParams
from vera_jidm.ros.plan_desk import PlanDesk
from vera_jidm.worker import Worker
from vera_msgs.msg import FlowField as FlowFieldMsg
from vera_msgs.msg import PlanVerdict, Task
from vera_msgs.msg import VideoPlan as VideoPlanMsg

LOG_PERIOD_S = 2.0


class FlowNode(VeraNode[FlowParams]):
    """Wires the cameras and the plan to a PlanFollower."""

    def __init__(self) -> None:
        super().__init__('flow_node', FlowParams)
        cv2.setNumThreads(1)

    def configure(self) -> None:
        """Make the flow estimator and join the graph."""
        self._follower = PlanFollower(self.params.make_estimator(), DisFlow(QUICK), self.params.follow_settings())
        self._images: NewestSet[Image] = NewestSet(self.robot.view_names)
        self._desk = PlanDesk(DisFlow(QUICK), awaits_verdict=self.params.await_verdict, on_ready=self._wake, on_fault=self._on_bad_plan)
        self._ended_task: Latest[int] = Latest()
        self._flow = self.create_publisher(FlowFieldMsg, 'flow', STREAM)
        self._overlay = self.create_publisher(Image, '~/overlay', SENSOR)
        self._worker = Worker(self._work, self._fault, idle=self._idle)
        for view in self.robot.views:
            self.create_subscription(Image, view.image_topic, partial(self._on_image, view.name), SENSOR)
            self.require(view.image_topic, f'no picture on {view.image_topic}; is the camera driver running?')
        self.create_subscription(VideoPlanMsg, 'plan', self._desk.put, PLAN)
        if self.params.await_verdict:
            self.create_subscription(PlanVerdict, 'plan_verdict', self._desk.judge, VERDICT)
        self.create_subscription(Task, 'task', self._on_task, TASK)

    def on_params(self, params: FlowParams) -> None:
        """Use new settings from the next step on."""
        self._follower.settings = params.follow_settings()

    def close(self) -> None:
        """End the threads."""
        self._desk.close()
        self._worker.close()

    def _wake(self) -> None:
        self._worker.wake()

    def _on_image(self, view: str, message: Image) -> None:
        self._images.put(view, message)
        if self.is_active:
            self._worker.wake()

    def _on_task(self, message: Task) -> None:
        if not message.active:
            self._ended_task.put(int(message.task_id))

    def _work(self) -> None:
        self._take_plan()
        images = self._images.take()
        if images is None:
            return
        try:
            frames = {view: frame_from_image(image, view, self.robot.working_size) for view, image in images.items()}
        except VeraError as error:
            self.diagnostics.refuse('picture', str(error), time.monotonic())
            self._report(str(error), 'bad_picture')
            return
        answer = self._follower.step(frames)
        if isinstance(answer, Refusal):
            held = self._desk.waiting_for()
            if answer.code == 'no_plan' and held is not None:
                self._say('no_verdict', f'plan {held.plan_id} waits until jidm_node has found that the robot can do it')
            elif answer.code == 'no_plan':
                self._say(answer.code, 'ready; waiting for a plan')
            else:
                self._report(answer.text, answer.code)
            return
        self._flow.publish(flow_to_msg(answer, stamp_target_ns=answer.stamp_ns + round(answer.dt_s * 1e9)))
        self._say('following', f'following plan {answer.plan_id}' + (', at its last frame' if answer.at_plan_end else ''))
        if self._overlay.get_subscription_count():
            self._publish_overlay(answer, frames)

    def _take_plan(self) -> None:
        opened = self._desk.take()
        if opened is not None:
            self._follower.set_plan(opened.plan, opened.to_end_px)
        for task_id, plan_id in self._desk.take_dropped():
            if self._follower.drop(plan_id=plan_id, task_id=task_id):
                self._report(f'plan {plan_id} is followed no further: jidm_node found that the robot cannot do it', 'plan_dropped')
        ended = self._ended_task.take()
        if ended is not None:
            self._desk.end_task(ended)
            self._follower.end_task(ended)

    def _on_bad_plan(self, error: Exception) -> None:
        if not isinstance(error, VeraError):
            self._fault(error)
            return
        self.diagnostics.refuse('plan', str(error), time.monotonic())
        self._report(f'plan refused: {error}', 'bad_plan')

    def _publish_overlay(self, flow: FlowField, frames: dict[str, Frame]) -> None:
        pictures = [draw_flow(frames[view].rgb, flow.flow[view], flow.confidence[view]) for view in flow.flow]
        self._overlay.publish(image_from_rgb(np.hstack(pictures), stamp_ns=flow.stamp_ns))

    def _idle(self) -> None:
        if not self.is_active:
            return
        self._take_plan()
        missing = self._images.missing
        topics = [view.image_topic for view in self.robot.views if view.name in missing]
        self._report(f'no picture for a second on {", ".join(topics)}; is the camera driver running?', 'no_picture')

    def _say(self, reason: str, text: str, level: Level = Level.OK) -> None:
        self.beacon.say(text)
        self.diagnostics.say(reason, text, level, time.monotonic())

    def _report(self, text: str, reason: str) -> None:
        self._say(reason, text, Level.WARN)
        self.get_logger().warning(text, throttle_duration_sec=LOG_PERIOD_S)

    def _fault(self, error: Exception) -> None:
        text = f'fault in flow_node, this set of pictures is skipped: {type(error).__name__}: {error}'
        self._say('fault', text, Level.ERROR)
        self.get_logger().error(text, throttle_duration_sec=LOG_PERIOD_S)


def main() -> int:
    """Run the node."""
    return run(FlowNode)


if __name__ == '__main__':
    raise SystemExit(main())
