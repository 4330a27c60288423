# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""executive_node as a process of its own, over DDS, with a fake controller, planner and estimate source around it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from rclpy.action import ActionClient  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from std_msgs.msg import String  # noqa: E402

from vera_core.embodiment import load_embodiment  # noqa: E402
from vera_core.ros.alive import AliveBeacon  # noqa: E402
from vera_core.ros.qos import ALIVE_WATCH, STATUS, STREAM, TASK  # noqa: E402
from vera_msgs.action import ExecuteTask  # noqa: E402
from vera_msgs.msg import JointVelocityEstimate, NodeAlive, PlannerStatus, SafetyStatus, Task  # noqa: E402

pytestmark = pytest.mark.ros
NAMES = list(load_embodiment('panda').joint_names)


class Bench(Node):
    """Everything the executive listens to, and what it says."""

    def __init__(self) -> None:
        super().__init__('bench', namespace='vera')
        self.state = SafetyStatus.ARMED
        self.safety_text = 'fine'
        self.speed = 0.0
        self.delta = 0.05
        self.at_end = False
        self.estimates_for = 0
        self.tasks: list[Task] = []
        self.feedback: list[ExecuteTask.Feedback] = []
        self.words = ''
        self._safety = self.create_publisher(SafetyStatus, 'safety_status', STATUS)
        self._estimates = self.create_publisher(JointVelocityEstimate, 'joint_velocity', STREAM)
        self.planner = self.create_publisher(PlannerStatus, 'planner_status', STATUS)
        self.prompts = self.create_publisher(String, 'task_prompt', TASK)
        self.create_subscription(Task, 'task', self.tasks.append, TASK)
        self.create_subscription(NodeAlive, 'alive/executive_node', self._on_alive, ALIVE_WATCH)
        self.client: Any = ActionClient(self, ExecuteTask, 'execute_task')
        self.create_timer(0.1, self._send)

    def _on_alive(self, message: NodeAlive) -> None:
        self.words = message.text

    def _send(self) -> None:
        self._safety.publish(SafetyStatus(state=self.state, text=self.safety_text, commanded_velocity=[self.speed] * 7))
        if self.estimates_for:
            message = JointVelocityEstimate(
                plan_id=4, task_id=self.estimates_for, dt=0.5, joint_names=NAMES, remaining=1.0, at_plan_end=self.at_end
            )
            message.header.stamp = self.get_clock().now().to_msg()
            message.delta_q, message.velocity = [self.delta] * 7, [self.delta / 0.5] * 7
            message.std, message.observability = [0.01] * 7, [1.0] * 7
            self._estimates.publish(message)

    def planner_says(self, state: int, text: str, task_id: int) -> None:
        message = PlannerStatus(state=state, text=text, task_id=task_id)
        message.header.stamp = self.get_clock().now().to_msg()
        self.planner.publish(message)


class World:
    def __init__(self) -> None:
        self.bench = Bench()
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.bench)

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = 10.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            self.executor.spin_once(timeout_sec=0.02)
            assert time.monotonic() < end, f'{what} did not happen in {timeout_s} s; the executive says {self.bench.words!r}'

    def send(self, prompt: str, max_duration: float = 0.0) -> Any:
        goal = ExecuteTask.Goal(prompt=prompt, max_duration=max_duration)
        sent = self.bench.client.send_goal_async(goal, feedback_callback=lambda message: self.bench.feedback.append(message.feedback))
        self.until(sent.done, 'goal answer')
        return sent.result()

    def result(self, handle: Any) -> ExecuteTask.Result:
        answer = handle.get_result_async()
        self.until(answer.done, 'result')
        return answer.result().result


@pytest.fixture
def executive(ros: int, spawn: Callable[..., Any]) -> Iterator[tuple[World, Any]]:
    world = World()
    child = spawn('-m', 'vera_control.executive_node', name='executive')
    world.until(lambda: world.bench.client.server_is_ready() and world.bench.words, 'the executive', 20.0)
    world.until(lambda: world.bench.planner.get_subscription_count() and world.bench.prompts.get_subscription_count(), 'its subscriptions')
    deadline = time.monotonic() + 0.3  # a safety_status or two
    world.until(lambda: time.monotonic() > deadline, 'time')
    yield world, child
    world.bench.client.destroy()
    world.executor.shutdown()
    world.bench.destroy_node()


def test_goal_runs_to_success_with_feedback_and_heartbeat(executive: tuple[World, Any]) -> None:
    world, _ = executive
    bench = world.bench
    handle = world.send('touch the red cube')
    world.until(lambda: bench.tasks, 'heartbeat')
    task_id = bench.tasks[-1].task_id
    assert (task_id, bench.tasks[-1].prompt, bench.tasks[-1].active) == (1, 'touch the red cube', True)
    world.until(lambda: any(f.phase == 'planning' for f in bench.feedback), 'planning')
    bench.estimates_for, bench.speed, bench.state = task_id, 0.2, SafetyStatus.RUNNING
    world.until(lambda: any(f.phase == 'following' and f.plan_id == 4 for f in bench.feedback), 'following')
    heard = len(bench.tasks)
    world.until(lambda: len(bench.tasks) >= heard + 6, 'six beats')
    beats_s = np.diff([task.header.stamp.sec + 1e-9 * task.header.stamp.nanosec for task in bench.tasks[heard:]])
    assert np.median(beats_s) > 0.15  # 5 Hz, by the stamps; late ones are the machine's
    bench.delta, bench.at_end, bench.speed = 0.001, True, 0.0
    result = world.result(handle)
    assert result.error_code == ExecuteTask.Result.SUCCEEDED, result.error_msg
    assert result.plans == 1
    assert 0.8 < result.moving < result.elapsed  # six beats and more
    world.until(lambda: not bench.tasks[-1].active, 'end of the task')


def test_goals_are_refused_in_words_when_bad_busy_or_disarmed(executive: tuple[World, Any]) -> None:
    world, child = executive
    for prompt, words in (('', 'the prompt is empty'), ('x' * 10_000, '10000 characters, at most 500')):
        result = world.result(world.send(prompt))
        assert result.error_code == ExecuteTask.Result.REJECTED
        assert words in result.error_msg
    first = world.send('touch the red cube')
    assert "task 1 ('touch the red cube') is being carried out" in world.result(world.send('touch the blue cube')).error_msg
    canceled = first.cancel_goal_async()
    world.until(canceled.done, 'cancel answer')
    assert world.result(first).error_code == ExecuteTask.Result.CANCELED
    world.bench.state, world.bench.safety_text = SafetyStatus.DISARMED, 'call the service arm'
    deadline = time.monotonic() + 0.4
    world.until(lambda: time.monotonic() > deadline, 'time')
    assert 'the controller is DISARMED: call the service arm' in world.result(world.send('ok')).error_msg
    assert child.poll() is None


def test_cancel_is_told_at_once_and_not_with_the_next_beat(executive: tuple[World, Any]) -> None:
    world, _ = executive
    bench = world.bench
    for _try in range(8):  # a machine that stalls between beat and cancel gets another try
        bench.tasks.clear()
        bench.speed = 0.2  # the executive waits for rest before it concludes
        handle = world.send('touch the red cube')
        world.until(lambda: len(bench.tasks) >= 2, 'beats')
        handle.cancel_goal_async()
        world.until(lambda: not bench.tasks[-1].active, 'end of the task')
        last, end = ([task.header.stamp.sec + 1e-9 * task.header.stamp.nanosec for task in bench.tasks])[-2:]
        bench.speed = 0.0
        assert world.result(handle).error_code == ExecuteTask.Result.CANCELED
        if end - last < 0.1:  # beats are 0.2 s apart
            return
    pytest.fail(f'the end came {end - last:.2f} s after the beat before it')


def test_sentence_on_the_topic_starts_a_task_and_a_bad_one_is_answered(executive: tuple[World, Any]) -> None:
    world, _ = executive
    world.bench.prompts.publish(String(data='y' * 10_000))
    world.until(lambda: 'refused: the prompt has 10000 characters' in world.bench.words, 'refusal')
    assert not world.bench.tasks
    world.bench.prompts.publish(String(data='touch the green cube'))
    world.until(lambda: world.bench.tasks and world.bench.tasks[-1].prompt == 'touch the green cube', 'task')


def test_planner_failure_and_safety_stop_end_the_task_in_words(executive: tuple[World, Any]) -> None:
    world, _ = executive
    handle = world.send('touch the red cube')
    world.until(lambda: world.bench.tasks, 'task')
    world.bench.planner_says(PlannerStatus.FAILED, 'weights are missing', 1)
    result = world.result(handle)
    assert (result.error_code, result.error_msg) == (ExecuteTask.Result.PLANNER_FAILED, 'the planner failed: weights are missing')
    handle = world.send('touch the red cube')
    world.bench.state, world.bench.safety_text = SafetyStatus.STOPPED_LATCHED, 'stopped by the operator'
    result = world.result(handle)
    assert result.error_code == ExecuteTask.Result.STOPPED
    assert 'stopped by the operator' in result.error_msg


def test_lost_node_ends_the_task_with_its_name(executive: tuple[World, Any]) -> None:
    world, _ = executive
    node = Node('flow_node', namespace='vera')
    beacon = AliveBeacon(node)
    handle = world.send('touch the red cube')
    world.until(lambda: world.bench.tasks, 'task')
    deadline = time.monotonic() + 0.5
    world.until(lambda: time.monotonic() > deadline, 'time')
    del beacon
    node.destroy_node()
    result = world.result(handle)
    assert result.error_code == ExecuteTask.Result.STOPPED
    assert 'flow_node is gone' in result.error_msg


def test_executive_ends_its_task_before_it_leaves(executive: tuple[World, Any]) -> None:
    world, child = executive
    handle = world.send('touch the red cube')
    world.until(lambda: world.bench.tasks, 'task')
    child.send_signal(signal.SIGTERM)
    result = world.result(handle)
    assert (result.error_code, result.error_msg) == (ExecuteTask.Result.CANCELED, 'executive_node was told to leave')
    world.until(lambda: not world.bench.tasks[-1].active, 'end of the task')
    world.until(lambda: child.poll() is not None, 'leaving')
    assert child.returncode == 0, child.log.read_text()
