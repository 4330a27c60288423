# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time

import pytest
import rclpy
from rclpy.action import ActionClient, ActionServer, GoalResponse
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import SetBool

from vera_core.ros.bunched import NobodyWaits
from vera_core.ros.lean_executor import LeanExecutor
from vera_msgs.action import GoHome

pytestmark = pytest.mark.ros


@pytest.fixture
def executor(ros):
    executor = LeanExecutor()
    yield executor
    executor.shutdown(timeout_sec=1.0)


@pytest.fixture
def node(executor):
    node = Node('lean')
    executor.add_node(node)
    yield node
    executor.remove_node(node)
    node.destroy_node()


def spin_until(executor, done, timeout_s=5.0):
    end = time.monotonic() + timeout_s
    while not done() and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)
    assert done()


class TestCarriesOut:
    def test_messages_in_their_order(self, executor, node):
        heard = []
        node.create_subscription(String, 'words', lambda message: heard.append(message.data), 10)
        publisher = node.create_publisher(String, 'words', 10)
        for word in 'abc':
            publisher.publish(String(data=word))
        spin_until(executor, lambda: len(heard) == 3)
        assert heard == ['a', 'b', 'c']

    def test_timers_at_their_rate(self, executor, node):
        ticks = []
        timer = node.create_timer(0.02, lambda: ticks.append(time.monotonic()))
        spin_until(executor, lambda: len(ticks) == 10)
        timer.cancel()
        executor.spin_once(timeout_sec=0.1)
        assert len(ticks) == 10
        assert ticks[-1] - ticks[0] > 0.15

    def test_a_service_asked_from_the_same_node(self, executor, node):
        node.create_service(SetBool, 'set', lambda request, response: SetBool.Response(success=request.data, message='done'))
        client = node.create_client(SetBool, 'set')
        spin_until(executor, client.service_is_ready)
        future = client.call_async(SetBool.Request(data=True))
        executor.spin_until_future_complete(future, timeout_sec=5.0)
        assert (future.result().success, future.result().message) == (True, 'done')

    def test_a_guard_condition_triggered_by_another_thread(self, executor, node):
        told = []
        guard = node.create_guard_condition(lambda: told.append(threading.current_thread()))
        threading.Timer(0.05, guard.trigger).start()
        begin = time.monotonic()
        executor.spin_once(timeout_sec=5.0)
        spin_until(executor, lambda: told)
        assert time.monotonic() - begin < 2.0
        assert told == [threading.main_thread()]

    def test_an_action_whose_callback_awaits(self, executor, node):
        go_on = Future(executor=executor)

        async def carry_out(goal):
            word = await go_on
            goal.succeed()
            return GoHome.Result(error_msg=word)

        server = ActionServer(node, GoHome, 'go', carry_out, goal_callback=lambda _: GoalResponse.ACCEPT)
        client = ActionClient(node, GoHome, 'go')
        spin_until(executor, client.server_is_ready)
        sent = client.send_goal_async(GoHome.Goal())
        spin_until(executor, sent.done)
        result = sent.result().get_result_async()
        heard = []
        node.create_subscription(String, 'meanwhile', lambda message: heard.append(message.data), 10)
        node.create_publisher(String, 'meanwhile', 10).publish(String(data='still there'))
        spin_until(executor, lambda: heard)
        assert not result.done()
        go_on.set_result('home')
        spin_until(executor, result.done)
        assert result.result().result.error_msg == 'home'
        server.destroy()
        client.destroy()

    def test_a_task_made_by_another_thread(self, executor, node):
        tasks = []
        threading.Timer(0.05, lambda: tasks.append(executor.create_task(lambda: 42))).start()
        spin_until(executor, lambda: tasks and tasks[0].done())
        assert tasks[0].result() == 42


class TestWhatChanges:
    def test_an_entity_made_in_a_callback_is_waited_for(self, executor, node):
        heard = []

        def begin():
            timer.cancel()
            node.create_subscription(String, 'late', lambda message: heard.append(message.data), 10)
            node.create_publisher(String, 'late', 10).publish(String(data='heard'))

        timer = node.create_timer(0.01, begin)
        spin_until(executor, lambda: heard)

    def test_an_entity_made_by_another_thread_while_waiting_is_waited_for(self, executor, node):
        heard = []

        def begin():
            node.create_subscription(String, 'later', lambda message: heard.append(message.data), 10)
            node.create_publisher(String, 'later', 10).publish(String(data='heard'))

        threading.Timer(0.1, begin).start()
        begun = time.monotonic()
        while not heard and time.monotonic() - begun < 5.0:
            executor.spin_once(timeout_sec=4.0)
        assert time.monotonic() - begun < 2.0

    def test_a_ready_entity_that_a_callback_destroys_is_passed_over(self, executor, node):
        heard = []

        def end_the_other(message):
            heard.append(message.data)
            for other in [other for other in (first, second) if other is not None and len(heard) == 1]:
                if other.topic_name != f'/{message.data}':
                    node.destroy_subscription(other)

        first = node.create_subscription(String, 'one', end_the_other, 10)
        second = node.create_subscription(String, 'two', end_the_other, 10)
        for name in ('one', 'two'):
            node.create_publisher(String, name, 10).publish(String(data=name))
        time.sleep(0.2)
        for _ in range(5):
            executor.spin_once(timeout_sec=0.05)
        assert heard in (['one'], ['two'])

    def test_a_node_that_is_removed_is_not_listened_to(self, executor, node):
        heard = []
        node.create_subscription(String, 'words', lambda message: heard.append(message.data), 10)
        executor.remove_node(node)
        node.create_publisher(String, 'words', 10).publish(String(data='a'))
        for _ in range(3):
            executor.spin_once(timeout_sec=0.05)
        assert heard == []


class TestWhatItDoesNot:
    def test_it_does_not_wake_up_for_a_group_nobody_waits_for(self, executor, node):
        node.create_subscription(String, 'fast', lambda _: None, 100, callback_group=NobodyWaits())
        publisher = node.create_publisher(String, 'fast', 100)
        for _ in range(5):
            executor.spin_once(timeout_sec=0.02)
        publisher.publish(String(data='a'))
        begin = time.monotonic()
        executor.spin_once(timeout_sec=0.3)
        assert time.monotonic() - begin > 0.25

    def test_turns_once_per_message_and_not_twice(self, executor, node):
        heard = []
        node.create_subscription(String, 'words', lambda message: heard.append(message.data), 10)
        publisher = node.create_publisher(String, 'words', 10)
        for _ in range(5):
            executor.spin_once(timeout_sec=0.02)
        turns = 0
        for number in range(20):
            publisher.publish(String(data='a'))
            while len(heard) == number:
                executor.spin_once(timeout_sec=1.0)
                turns += 1
        assert turns == 20

    def test_an_exception_comes_out(self, executor, node):
        def fail():
            raise ValueError('of the callback')

        node.create_timer(0.01, fail)
        with pytest.raises(ValueError, match='of the callback'):
            spin_until(executor, lambda: False, 2.0)

    def test_the_end_of_the_context_ends_a_wait(self, executor, node):
        for _ in range(3):  # the node was new
            executor.spin_once(timeout_sec=0.02)
        threading.Timer(0.1, rclpy.shutdown).start()
        begin = time.monotonic()
        with pytest.raises(ExternalShutdownException):
            executor.spin_once(timeout_sec=5.0)
        assert time.monotonic() - begin < 2.0

    def test_a_shut_down_executor_does_nothing(self, executor, node):
        executor.shutdown()
        executor.spin_once(timeout_sec=1.0)


def test_costs_less_than_the_executor_of_rclpy(ros):
    """A node as large as ours, the same messages, processor time of this thread."""
    spent = {}
    for executor in (SingleThreadedExecutor(), LeanExecutor()):
        node = Node('costs')
        heard = []
        for number in range(8):
            node.create_subscription(String, f'topic_{number}', heard.append, 10)
            node.create_publisher(String, f'other_{number}', 10)
        publisher = node.create_publisher(String, 'topic_0', 10)
        executor.add_node(node)
        begin = time.thread_time()
        for number in range(300):
            publisher.publish(String(data='a'))
            while len(heard) == number:
                executor.spin_once(timeout_sec=1.0)
        spent[type(executor)] = time.thread_time() - begin
        executor.shutdown()
        node.destroy_node()
    print(spent)
    assert spent[LeanExecutor] < 0.6 * spent[SingleThreadedExecutor]
