# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""remote_policy_node: takes the place of planner_node, flow_node and jidm_node; a policy server's actions go out as joint velocities."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from functools import partial

from sensor_msgs.msg import Image, JointState

from vera_control.remote_policy import Chunk, RemotePolicy, RemotePolicyParams
from vera_core.errors import VeraError
from vera_core.latest import Latest
from vera_core.ros.messages import frame_from_image, from_ns, robot_state_from_joint_state, velocity_to_msg
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import SENSOR, STATUS, STREAM, TASK
from vera_core.types import Frame, RobotState
from vera_msgs.msg import JointVelocityEstimate, PlannerStatus, Task

LOG_PERIOD_S = 2.0
REST_S = 0.5
POLL_S = 0.02
STATUS_PERIOD_S = 0.5
TASK_TIMEOUT_S = 1.0


class RemotePolicyNode(VeraNode[RemotePolicyParams]):
    """Wires cameras, joints and task to a RemotePolicy. Callbacks only store; a worker thread asks the server."""

    def __init__(self) -> None:
        super().__init__('remote_policy_node', RemotePolicyParams)

    def configure(self) -> None:
        """Join the graph; the server is called when the first task begins."""
        params = self.params
        self._policy = RemotePolicy(
            self.robot, params.url, views=tuple(name for name in params.views if name), deadline_s=params.deadline_s
        )
        self._frames: dict[str, deque[Frame]] = {view: deque(maxlen=128) for view in self.robot.view_names}
        self._state: Latest[RobotState] = Latest()
        self._task: tuple[Task, int] | None = None
        self._chunk: Chunk | None = None
        self._count = 0
        self._said = (PlannerStatus.IDLE, 'no task')
        self._running = True
        self._velocity = self.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
        self._status = self.create_publisher(PlannerStatus, 'planner_status', STATUS)
        for view in self.robot.views:
            self.create_subscription(Image, view.image_topic, partial(self._on_image, view.name), SENSOR)
        self.create_subscription(JointState, self.robot.driver.joint_states_topic, self._on_joints, SENSOR)
        self.create_subscription(Task, 'task', self._on_task, TASK)
        self.create_timer(1.0 / params.publish_rate_hz, self._publish)
        self.create_timer(STATUS_PERIOD_S, self._publish_status)
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()

    def close(self) -> None:
        """End the worker."""
        self._running = False
        self._worker.join(timeout=2.0)
        self._policy.close()

    # What comes in.

    def _on_image(self, view: str, message: Image) -> None:
        try:
            frame = frame_from_image(message, view, self.robot.working_size)
        except VeraError as error:
            self.get_logger().warning(f'picture refused: {error}', throttle_duration_sec=LOG_PERIOD_S)
            return
        frames = self._frames[view]
        if frames and frame.stamp_ns < frames[-1].stamp_ns:
            frames.clear()
        if not frames or frame.stamp_ns > frames[-1].stamp_ns:
            frames.append(frame)

    def _on_joints(self, message: JointState) -> None:
        try:
            self._state.put(robot_state_from_joint_state(message, self.robot))
        except VeraError as error:
            self.get_logger().warning(f'joints refused: {error}', throttle_duration_sec=LOG_PERIOD_S)

    def _on_task(self, message: Task) -> None:
        self._task = (message, self.now_ns()) if message.active else None

    def _active_task(self) -> Task | None:
        task = self._task
        return task[0] if task is not None and (self.now_ns() - task[1]) * 1e-9 <= TASK_TIMEOUT_S else None

    # The worker.

    def _work(self) -> None:
        while self._running:
            time.sleep(POLL_S)
            task = self._active_task()
            if task is None:
                self._chunk = None
                self._say(PlannerStatus.IDLE, 'no task')
                continue
            chunk = self._chunk
            half_way = chunk is not None and chunk.task_id == task.task_id and 2 * chunk.place(self.now_ns()) < len(chunk.delta_q)
            if self.is_active and not half_way:
                self._ask(task)

    def _ask(self, task: Task) -> None:
        state = self._state.peek()
        missing = [view for view, frames in self._frames.items() if not frames]
        if missing or state is None:
            self._say(PlannerStatus.WAITING, f'no picture of {", ".join(missing)}' if missing else 'no joint states yet')
            return
        stamp_ns = min(frames[-1].stamp_ns for frames in self._frames.values())
        age_s = (self.now_ns() - min(stamp_ns, state.stamp_ns)) * 1e-9
        if age_s > self.params.image_timeout_s:
            self._say(PlannerStatus.WAITING, f'pictures or joints are {age_s:.1f} s old (limit {self.params.image_timeout_s:g} s)')
            return
        self._count += 1
        try:
            hello = self._policy.open()
            context = {
                view: tuple(frame.rgb for frame in self._spaced(view, hello.control_dt, hello.context_frames)) for view in self._frames
            }
            chunk = self._policy.infer(
                context, state.position, task.prompt, stamp_ns=stamp_ns, plan_id=self._count, task_id=int(task.task_id)
            )
        except Exception as error:
            # The outermost frame of this thread: say it, let the arm come to rest, try again.
            self._chunk = None
            text = str(error) if isinstance(error, VeraError) else f'fault while asking the policy server: {type(error).__name__}: {error}'
            self.get_logger().warning(text, throttle_duration_sec=LOG_PERIOD_S)
            self._say(PlannerStatus.FAILED, text)
            time.sleep(REST_S)
            return
        current = self._active_task()
        if current is not None and current.task_id == task.task_id:
            self._chunk = chunk
            self._say(PlannerStatus.FOLLOWING, f'chunk {chunk.plan_id} with {len(chunk.delta_q)} actions is out')

    def _spaced(self, view: str, spacing_s: float, count: int) -> tuple[Frame, ...]:
        """Return up to `count` pictures about `spacing_s` apart, the newest among them, oldest first, none twice."""
        picked: list[Frame] = []
        for frame in reversed(tuple(self._frames[view])):
            if len(picked) < count and (not picked or (picked[-1].stamp_ns - frame.stamp_ns) * 1e-9 >= 0.9 * spacing_s):
                picked.append(frame)
        return tuple(reversed(picked))

    # What goes out.

    def _publish(self) -> None:
        chunk, task, now_ns = self._chunk, self._active_task(), self.now_ns()
        if chunk is None or task is None or chunk.task_id != task.task_id:
            return
        velocity = chunk.velocity(now_ns)
        if velocity is not None:
            self._velocity.publish(velocity_to_msg(velocity, self.robot.joint_names, latency_s=(now_ns - chunk.stamp_ns) * 1e-9))

    def _say(self, state: int, text: str) -> None:
        if (state, text) != self._said:
            self._said = (state, text)
            self._publish_status()

    def _publish_status(self) -> None:
        task, chunk = self._active_task(), self._chunk
        state, text = self._said
        hello = self._policy.hello
        message = PlannerStatus(
            state=state,
            text=text,
            task_id=task.task_id if task else 0,
            plan_id=chunk.plan_id if chunk else 0,
            backend='remote_policy',
            model=f'{hello.planner_model} + {hello.idm_model}' if hello else '',
            plan_age=(self.now_ns() - chunk.stamp_ns) * 1e-9 if chunk else 0.0,
            plans_made=self._count,
        )
        message.header.stamp = from_ns(self.now_ns())
        self._status.publish(message)
        self.beacon.say(text)


def main() -> None:
    """Run remote_policy_node until SIGINT or SIGTERM."""
    sys.exit(run(RemotePolicyNode))


if __name__ == '__main__':
    main()
