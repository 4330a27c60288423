# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""flow_node: pictures and plan in, the flow towards the planned picture that is due out."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from sensor_msgs.msg import Image

from vera_core.errors import Refusal, VeraError
from vera_core.latest import Latest
from vera_core.ros.messages import flow_to_msg, frame_from_image, image_from_rgb, plan_from_msg
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import PLAN, SENSOR, STREAM, TASK
from vera_core.types import FlowField, Frame
from vera_jidm.buffers import NewestSet
from vera_jidm.flow.dis import QUICK, DisFlow
from vera_jidm.following import PlanFollower
from vera_jidm.overlay import draw_flow
from vera_jidm.params import FlowParams
from vera_jidm.worker import Worker
from vera_msgs.msg import FlowField as FlowFieldMsg
from vera_msgs.msg import Task
from vera_msgs.msg import VideoPlan as VideoPlanMsg

LOG_PERIOD_S = 2.0


class FlowNode(VeraNode[FlowParams]):
    """Wires the cameras and the plan to a PlanFollower."""

    def __init__(self) -> None:
        super().__init__('flow_node', FlowParams)
        cv2.setNumThreads(1)
        self._follower = PlanFollower(self.params.make_estimator(), DisFlow(QUICK), self.params.follow_settings())
        self._images: NewestSet[Image] = NewestSet(self.robot.view_names)
        self._plan: Latest[VideoPlanMsg] = Latest()
        self._ended_task: Latest[int] = Latest()
        self._flow = self.create_publisher(FlowFieldMsg, 'flow', STREAM)
        self._overlay = self.create_publisher(Image, '~/overlay', SENSOR)
        self._worker = Worker(self._work, self._fault, idle=self._idle)
        for view in self.robot.views:
            self.create_subscription(Image, view.image_topic, partial(self._on_image, view.name), SENSOR)
        self.create_subscription(VideoPlanMsg, 'plan', self._plan.put, PLAN)
        self.create_subscription(Task, 'task', self._on_task, TASK)

    def on_params(self, params: FlowParams) -> None:
        """Use new settings from the next step on."""
        self._follower.settings = params.follow_settings()

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def _on_image(self, view: str, message: Image) -> None:
        self._images.put(view, message)
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
            self._report(str(error))
            return
        answer = self._follower.step(frames)
        if isinstance(answer, Refusal):
            if answer.code == 'no_plan':
                self.beacon.say('ready; waiting for a plan')
            else:
                self._report(answer.text)
            return
        self._flow.publish(flow_to_msg(answer, stamp_target_ns=answer.stamp_ns + round(answer.dt_s * 1e9)))
        self.beacon.say(f'following plan {answer.plan_id}' + (', at its last frame' if answer.at_plan_end else ''))
        if self._overlay.get_subscription_count():
            self._publish_overlay(answer, frames)

    def _take_plan(self) -> None:
        message = self._plan.take()
        if message is not None:
            try:
                self._follower.set_plan(plan_from_msg(message))
            except VeraError as error:
                self._report(f'plan refused: {error}')
            # Decoding takes a while on a busy machine: pictures from before it would give a flow that is late on arrival.
            self._images.clear()
        ended = self._ended_task.take()
        if ended is not None:
            self._follower.end_task(ended)

    def _publish_overlay(self, flow: FlowField, frames: dict[str, Frame]) -> None:
        pictures = [draw_flow(frames[view].rgb, flow.flow[view], flow.confidence[view]) for view in flow.flow]
        self._overlay.publish(image_from_rgb(np.hstack(pictures), stamp_ns=flow.stamp_ns))

    def _idle(self) -> None:
        self._take_plan()
        missing = self._images.missing
        topics = [view.image_topic for view in self.robot.views if view.name in missing]
        self._report(f'no picture for a second on {", ".join(topics)}; is the camera driver running?')

    def _report(self, text: str) -> None:
        self.beacon.say(text)
        self.get_logger().warning(text, throttle_duration_sec=LOG_PERIOD_S)

    def _fault(self, error: Exception) -> None:
        text = f'fault in flow_node, this set of pictures is skipped: {type(error).__name__}: {error}'
        self.beacon.say(text)
        self.get_logger().error(text, throttle_duration_sec=LOG_PERIOD_S)


def main() -> int:
    """Run the node."""
    return run(FlowNode)


if __name__ == '__main__':
    raise SystemExit(main())
