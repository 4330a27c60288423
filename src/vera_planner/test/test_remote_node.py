# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""planner_node as a process: its server is absent, breaks off, sends nonsense and comes back; its planner hangs, breaks and returns what is no plan."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from vera_core.codec import encode  # noqa: E402
from vera_core.embodiment import load_embodiment  # noqa: E402
from vera_core.ros.messages import image_from_rgb  # noqa: E402
from vera_core.ros.qos import PLAN, SENSOR, STATUS, TASK, VERDICT  # noqa: E402
from vera_msgs.msg import PlannerStatus, PlanVerdict, Task, VideoPlan  # noqa: E402
from vera_planner.service.words import Hello, hello_to_wire, order_from_wire, plan_to_wire  # noqa: E402

pytestmark = pytest.mark.ros
ROBOT = load_embodiment('panda')
HELLO = Hello(robot='panda', views=ROBOT.view_names, working_size=ROBOT.working_size, model='m', plans_once=False)


class Bench(Node):
    """Cameras and a task in, plans and status out."""

    def __init__(self) -> None:
        super().__init__('bench', namespace='vera')
        self.task = Task(task_id=0, prompt='touch the red cube', active=True)
        self.plans: list[VideoPlan] = []
        self.statuses: list[PlannerStatus] = []
        self._cameras = {view.name: self.create_publisher(Image, view.image_topic, SENSOR) for view in ROBOT.views}
        self._tasks = self.create_publisher(Task, 'task', TASK)
        self.create_subscription(VideoPlan, 'plan', self.plans.append, PLAN)
        self.create_subscription(PlannerStatus, 'planner_status', self.statuses.append, STATUS)
        self.create_timer(0.1, self._show)

    def _show(self) -> None:
        stamp = self.get_clock().now().nanoseconds
        picture = np.full((*ROBOT.working_size, 3), stamp // 10**8 % 200, np.uint8)
        picture[:64, :, 0] = 255  # one of a single colour is refused
        for name, camera in self._cameras.items():
            camera.publish(image_from_rgb(picture, stamp_ns=stamp, frame_id=name))
        if self.task.task_id:
            self._tasks.publish(self.task)


def test_planner_node_says_why_stays_up_and_recovers_when_the_server_does(ros, spawn, scripted, fake_planner, unused_port):
    behaviour = {'now': 'good'}

    async def reply(connection, message):
        if message['type'] != 'plan':
            return
        if behaviour['now'] == 'close':
            await connection.close()
            return
        answer = plan_to_wire(fake_planner().plan(order_from_wire(message, HELLO).request), message['id'])
        if behaviour['now'] == 'nan':
            answer['frames'] = {view: np.full((5, 128, 128, 3), np.nan, np.float32) for view in ROBOT.view_names}
        await connection.send(encode(answer))

    process = spawn(
        '-m', 'vera_planner.planner_node', '--ros-args', '-p', 'backend:=remote', '-p', f'url:=ws://127.0.0.1:{unused_port}', name='planner'
    )
    bench = Bench()
    executor = SingleThreadedExecutor()
    executor.add_node(bench)

    def until(condition, seconds=25.0):
        end = time.monotonic() + seconds
        while not condition():
            assert process.poll() is None, process.log.read_text()
            assert time.monotonic() < end, (bench.statuses[-1:], process.log.read_text()[-2000:])
            executor.spin_once(timeout_sec=0.05)

    def said(state, words):
        return any(status.state == state and words in status.text for status in bench.statuses)

    until(lambda: 'is the server running?' in process.log.read_text())
    scripted(hello_to_wire(HELLO), reply, unused_port)
    bench.task.task_id = 1
    until(lambda: any(plan.task_id == 1 for plan in bench.plans))
    assert (bench.plans[-1].horizon, bench.plans[-1].planner_model) == (4, 'fake')

    for number, (now, state, words) in enumerate(
        (
            ('close', PlannerStatus.FAILED, 'the server closed the connection'),
            ('nan', PlannerStatus.REFUSED, 'dtype float32; uint8 was expected'),
        ),
        start=2,
    ):
        behaviour['now'] = now
        bench.task.task_id = 10 * number
        until(lambda state=state, words=words: said(state, words))
        behaviour['now'] = 'good'
        bench.task.task_id = 10 * number + 1
        until(lambda: any(plan.task_id == bench.task.task_id for plan in bench.plans))
    executor.shutdown()
    bench.destroy_node()


def test_planner_node_lives_on_when_its_planner_hangs_breaks_or_returns_no_plan(ros, spawn):
    child = Path(__file__).with_name('spoiled_planner_child.py')
    process = spawn(str(child), '--ros-args', '-p', 'backend:=obedient', name='planner')
    bench = Bench()
    executor = SingleThreadedExecutor()
    executor.add_node(bench)

    def until(condition, seconds=30.0):
        end = time.monotonic() + seconds
        while not condition():
            assert process.poll() is None, process.log.read_text()
            assert time.monotonic() < end, (bench.statuses[-1:], process.log.read_text()[-2000:])
            executor.spin_once(timeout_sec=0.05)

    def said(task_id, state, words):
        return any((status.task_id, status.state) == (task_id, state) and words in status.text for status in bench.statuses)

    def give(task_id, prompt):
        bench.task.task_id, bench.task.prompt = task_id, prompt

    for task_id, (prompt, words) in enumerate(
        (
            ('crash', 'RuntimeError: out of memory'),
            ('nan', 'has dtype float64 but uint8 was expected'),
            ('short', 'frames; all need the same number'),
        ),
        start=1,
    ):
        give(10 * task_id, prompt)
        until(lambda task_id=task_id, words=words: said(10 * task_id, PlannerStatus.FAILED, words))
        give(10 * task_id + 1, 'well')
        until(lambda task_id=task_id: any(plan.task_id == 10 * task_id + 1 for plan in bench.plans))
    # It hangs, the next task says what it waits for, and is dreamt for as soon as the planner comes back.
    give(50, 'hang')
    until(lambda: said(50, PlannerStatus.PLANNING, 'dreaming'))
    give(51, 'well')
    until(lambda: said(51, PlannerStatus.WAITING, 'still dreams for task 50, which is over'))
    until(lambda: any(plan.task_id == 51 for plan in bench.plans))
    assert not any(plan.task_id == 50 for plan in bench.plans)
    # The sentence changes while a plan is out: the next plan is for the new one.
    give(52, 'well, but otherwise')
    until(lambda: any((plan.task_id, plan.prompt) == (52, 'well, but otherwise') for plan in bench.plans))
    # Six plans in a row that the robot cannot follow.
    verdicts = bench.create_publisher(PlanVerdict, 'plan_verdict', VERDICT)
    refused = set()
    give(60, 'well')

    def refuse():
        for plan in bench.plans:
            if plan.task_id == 60 and plan.plan_id not in refused:
                refused.add(plan.plan_id)
                verdicts.publish(PlanVerdict(plan_id=plan.plan_id, task_id=60, reason='the picture would have to jump'))
        return said(60, PlannerStatus.REFUSED, '6 plans in a row cannot be carried out')

    until(refuse)
    assert len(refused) == 6
    executor.shutdown()
    bench.destroy_node()
