# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""executive_node: a sentence comes in as an action goal or on a topic, a task goes out, and it ends with a result in words."""

from __future__ import annotations

import math
import sys
import time

import numpy as np
from std_msgs.msg import String

from vera_control.deferred_goal import DeferredGoalServer
from vera_control.executive import Executive
from vera_control.leaving import LeaveFlag
from vera_control.params import ExecutiveParams
from vera_control.ros.home_first import HomeFirst
from vera_control.task import Task, TaskCode, TaskOutcome
from vera_control.wire import safety_from_msg
from vera_core.bounds import MAX_TEXT
from vera_core.diagnostics import Level
from vera_core.errors import Refusal, ShapeError
from vera_core.ros.alive import AliveWatch
from vera_core.ros.messages import from_ns, to_ns, velocity_from_msg
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import STATUS, STREAM, TASK
from vera_msgs.action import ExecuteTask
from vera_msgs.msg import JointVelocityEstimate, PlannerStatus, SafetyStatus
from vera_msgs.msg import Task as TaskMsg

TICK_S = 0.05
HEARTBEAT_NS = 200_000_000
TICKS_TO_LEAVE = 5
"""The result of the task in progress gets this long to reach its client."""

WAITING = 'waiting: '


class ExecutiveNode(VeraNode[ExecutiveParams]):
    """Wires one Executive to its action, its topics and a timer."""

    def __init__(self, leave: LeaveFlag) -> None:
        super().__init__('executive_node', ExecutiveParams)
        self._leave = leave
        leave.is_awaited = lambda: self.is_active

    def configure(self) -> None:
        """Join the graph."""
        self._core = Executive(self.params)
        self._ticks_to_leave = TICKS_TO_LEAVE
        self._heartbeat_ns = 0
        self._given_up: int | None = None
        self._plan_id = 0
        self._plan_ns = 0
        self._task = self.create_publisher(TaskMsg, 'task', TASK)
        self.create_subscription(String, 'task_prompt', self._on_prompt, TASK)
        self.create_subscription(PlannerStatus, 'planner_status', self._on_planner, STATUS)
        self.create_subscription(JointVelocityEstimate, 'joint_velocity', self._on_estimate, STREAM)
        self.create_subscription(SafetyStatus, 'safety_status', self._on_safety, STATUS)
        self._action = DeferredGoalServer(self, ExecuteTask, 'execute_task', start=self._start, cancel=self._cancel)
        self._home_first = HomeFirst(self, self._on_home)
        self._watch = AliveWatch(self, [name for name in self.params.required_nodes if name], self._on_node)
        self.create_timer(TICK_S, self._tick)
        self.beacon.say(f'{WAITING}no safety_status yet')

    def deactivate(self) -> None:
        """End the task in progress; the controller rests when nobody repeats it."""
        self._core.cancel('executive_node was deactivated')
        self._tick()
        if self._leave.is_set:
            self.leave()

    def close(self) -> None:
        """Stop serving execute_task."""
        self._action.destroy()
        self._home_first.destroy()

    def _on_prompt(self, message: String) -> None:
        answer = self._begin(ExecuteTask.Goal(prompt=message.data))
        if isinstance(answer, Refusal):
            self._refuse('task_prompt', answer)
            if self._core.task is None:
                self.beacon.say(f'refused: {answer.text}')

    def _start(self, request: ExecuteTask.Goal) -> ExecuteTask.Result | None:
        answer = self._begin(request)
        if isinstance(answer, Refusal):
            self._refuse('execute_task', answer)
            return ExecuteTask.Result(error_code=int(TaskCode.REJECTED), error_msg=answer.text)
        return None

    def _cancel(self) -> None:
        self._core.cancel()
        self._give_up()

    def _give_up(self) -> None:
        """Tell that the task in force is followed no more, as soon as that is known: no beat is waited for, the arm moves meanwhile."""
        task = self._core.task
        if task is None or not self._core.is_ending or self._given_up == task.task_id:
            return
        self._given_up = task.task_id
        if task.is_homing:
            self._home_first.cancel()
        else:
            self._beat(task, active=False)

    def _refuse(self, what: str, refusal: Refusal) -> None:
        self.get_logger().warning(f'{what} refused: {refusal.text}')
        self.diagnostics.refuse(what, f'{what} refused: {refusal.text}', time.monotonic())

    def _say(self, reason: str, text: str, level: Level = Level.OK) -> None:
        self.beacon.say(text)
        self.diagnostics.say(reason, text, level, time.monotonic())

    def _begin(self, goal: ExecuteTask.Goal) -> Task | Refusal:
        if not self.is_active:
            return Refusal('inactive', self.inactive_text())
        answer = self._core.submit(goal.prompt, goal.max_duration, self.now_ns(), home_first=goal.home_first, is_dry=goal.dry_run)
        if isinstance(answer, Task):
            self.get_logger().info(f"task {answer.task_id}: '{answer.prompt}', at most {answer.max_duration_s:.0f} s")
            self._say('task', f"task {answer.task_id}: '{answer.prompt}'")
            if answer.is_homing:
                self._home_first.start(answer.task_id)
            else:
                self._beat(answer, active=True)
        return answer

    def _on_home(self, task_id: int, succeeded: bool, text: str) -> None:
        self._core.on_home(task_id, succeeded=succeeded, text=text, now_ns=self.now_ns())

    def _on_planner(self, message: PlannerStatus) -> None:
        if not math.isfinite(message.plan_age):
            raise ShapeError(f'planner status has plan_age {message.plan_age} s; it must be finite')
        stamp_ns = to_ns(message.header.stamp)
        self._core.on_planner(state=message.state, text=message.text[:MAX_TEXT], task_id=message.task_id, stamp_ns=stamp_ns)
        self._plan_id, self._plan_ns = int(message.plan_id), stamp_ns - int(message.plan_age * 1e9)

    def _on_estimate(self, message: JointVelocityEstimate) -> None:
        try:
            self._core.on_estimate(velocity_from_msg(message, self.robot.joint_names), self.now_ns())
        except ShapeError as error:
            self.diagnostics.refuse('joint_velocity', str(error), time.monotonic())
            self.get_logger().warning(f'estimate not used: {error}', throttle_duration_sec=1.0)

    def _on_safety(self, message: SafetyStatus) -> None:
        self._core.on_safety(safety_from_msg(message), self.now_ns())

    def _on_node(self, name: str, alive: bool) -> None:  # signature of AliveWatch
        self._core.on_node(name, is_alive=alive)
        if not alive:
            self.get_logger().error(f'{name} is gone')

    def _say_whether_ready(self) -> None:
        obstacle = self._core.obstacle(self.now_ns())
        if obstacle is not None:
            self._say(obstacle.code, f'{WAITING}{obstacle.text}', Level.WARN)
        elif self.beacon.text.startswith(WAITING):
            self._say('idle', 'idle: send a sentence to the action execute_task or the topic task_prompt')

    def _tick(self) -> None:
        if self._core.task is None:
            self._say_whether_ready()
        if self._leave.is_set:
            self._core.cancel('executive_node was told to leave')
        now_ns = self.now_ns()
        task = self._core.task
        if task is not None:
            outcome = self._core.tick(now_ns)
            self._give_up()
            if outcome is not None:
                self._conclude(task, outcome)
            elif abs(now_ns - self._heartbeat_ns) >= HEARTBEAT_NS:
                if not task.is_homing:
                    self._beat(task, active=not self._core.is_ending)
                self._feed_back(task, now_ns)
        if self._leave.is_set:
            self._ticks_to_leave -= 1
            if self._ticks_to_leave <= 0:
                self.leave()

    def _beat(self, task: Task, *, active: bool) -> None:
        self._heartbeat_ns = self.now_ns()
        message = TaskMsg(task_id=task.task_id, prompt=task.prompt, active=active, dry_run=task.is_dry, replans=task.replans)
        message.header.stamp = from_ns(self._heartbeat_ns)
        self._task.publish(message)

    def _feed_back(self, task: Task, now_ns: int) -> None:
        feedback = ExecuteTask.Feedback(
            phase=task.phase, elapsed=self._core.elapsed_s(task, now_ns), progress=task.progress, replans=task.replans
        )
        estimate = task.estimate
        if estimate is not None:
            feedback.plan_id = estimate.plan_id
            feedback.plan_age = max(0.0, (now_ns - self._plan_ns) * 1e-9) if self._plan_id else 0.0
            feedback.residual_ratio = float(np.clip(estimate.residual_ratio, 0.0, 1e3))
            feedback.residual = estimate.residual_px
            feedback.remaining = estimate.remaining_px
        self._action.feedback(feedback)

    def _conclude(self, task: Task, outcome: TaskOutcome) -> None:
        if task.is_homing:
            self._home_first.cancel()
        self._beat(task, active=False)
        words = (
            f'task {outcome.task_id} {outcome.code.name} after {outcome.elapsed_s:.1f} s ({outcome.moving_s:.1f} s moving): {outcome.text}'
        )
        self.get_logger().info(words)
        self._say(outcome.code.name, f'idle; {words}', Level.OK if outcome.code is TaskCode.SUCCEEDED else Level.WARN)
        result = ExecuteTask.Result(
            error_code=int(outcome.code),
            error_msg=outcome.text,
            task_id=outcome.task_id,
            plans=outcome.plans,
            elapsed=outcome.elapsed_s,
            moving=outcome.moving_s,
            replans=outcome.replans,
        )
        self._action.finish(result, succeeded=outcome.code is TaskCode.SUCCEEDED)


def main() -> None:
    """Run executive_node until SIGINT or SIGTERM."""
    sys.exit(run(lambda: ExecutiveNode(LeaveFlag())))


if __name__ == '__main__':
    main()
