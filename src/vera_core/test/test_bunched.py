# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages that are taken in bunches: nobody is woken for them, none is lost or told twice, and they count as heard."""

from __future__ import annotations

import time

import pytest
import rclpy
from sensor_msgs.msg import JointState

from vera_core.ros.managed import ManagedNode
from vera_core.ros.qos import BUNCHED_SENSOR, SENSOR

pytestmark = pytest.mark.ros


class Listener(ManagedNode):
    """Takes what is said on `fast`."""

    def __init__(self) -> None:
        super().__init__('listener')
        self.heard: list[str] = []
        self.begin(hardware_id='panda', autostart=False)

    def configure(self) -> None:
        """Listen."""
        self.bunched = self.create_bunched_subscription(
            JointState, 'fast', lambda message: self.heard.append(message.header.frame_id), BUNCHED_SENSOR
        )
        self.require('fast', 'nothing is said')


@pytest.fixture
def pair(ros):
    listener, talker = Listener(), rclpy.create_node('talker')
    listener.trigger_configure()
    publisher = talker.create_publisher(JointState, 'fast', SENSOR)
    end = time.monotonic() + 10.0
    while not publisher.get_subscription_count():
        assert time.monotonic() < end
        time.sleep(0.02)

    def say(count, *, first=0):
        for index in range(first, first + count):
            message = JointState()
            message.header.frame_id = str(index)
            publisher.publish(message)
            time.sleep(0.002)
        time.sleep(0.2)

    yield listener, say
    listener.end()
    listener.destroy_node()
    talker.destroy_node()


def test_what_has_come_is_handed_over_once_in_order_when_asked_for(pair):
    listener, say = pair
    say(30)
    executor = rclpy.executors.SingleThreadedExecutor()
    executor.add_node(listener)
    for _ in range(10):
        executor.spin_once(timeout_sec=0.01)
    executor.shutdown()
    assert listener.heard == []  # an executor is not woken by them
    assert listener.bunched.take() == 30
    assert listener.heard == [str(index) for index in range(30)]
    assert listener.bunched.take() == 0
    assert dict(listener.diagnostics.report(time.monotonic()).values)['in /fast'].endswith('30 in all')


def test_of_more_than_the_depth_the_newest_are_kept(pair):
    listener, say = pair
    say(BUNCHED_SENSOR.depth + 20)
    assert listener.bunched.take() == BUNCHED_SENSOR.depth
    assert listener.heard[-1] == str(BUNCHED_SENSOR.depth + 19)


def test_a_node_that_is_not_active_yet_takes_them_by_itself(pair):
    listener, say = pair
    assert listener._present_obstacles() == ['nothing is said']
    say(1)
    assert listener._present_obstacles() == []
    assert listener.heard == ['0']
