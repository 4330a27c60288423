# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A managed node as a process, driven by the standard lifecycle services, over DDS."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State, Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from vera_core.ros.alive import AliveWatch
from vera_core.ros.diagnostics import clash
from vera_core.ros.lean_executor import LeanExecutor
from vera_core.ros.managed import ManagedNode
from vera_core.ros.qos import SENSOR, STATUS, STREAM

pytestmark = pytest.mark.ros
CHILD = str(Path(__file__).with_name('managed_child.py'))
CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
UNCONFIGURED, INACTIVE, ACTIVE = State.PRIMARY_STATE_UNCONFIGURED, State.PRIMARY_STATE_INACTIVE, State.PRIMARY_STATE_ACTIVE
NO_PICTURE = 'waiting to become active: no picture on camera; is the camera driver running?'


class Bench(Node):
    """A camera that can be switched on, and somebody who asks for transitions and listens to everything."""

    def __init__(self) -> None:
        super().__init__('bench', namespace='vera')
        self.heard: list[Header] = []
        self.goals: list[str] = []
        self.status = None
        self.is_filming = False
        self.watch = AliveWatch(self, ['copier'])
        self.create_subscription(Header, 'copies', self.heard.append, STREAM)
        self.create_subscription(TransitionEvent, 'copier/transition_event', lambda m: self.goals.append(m.goal_state.label), 10)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self._camera = self.create_publisher(Image, 'camera', SENSOR)
        self._change = self.create_client(ChangeState, 'copier/change_state')
        self._get = self.create_client(GetState, 'copier/get_state')
        self.create_timer(0.05, self._film)
        self.executor_ = LeanExecutor()
        self.executor_.add_node(self)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.status = message.status[0]

    def _film(self) -> None:
        if self.is_filming:
            message = Image()
            message.header.stamp = self.get_clock().now().to_msg()
            message.header.frame_id = 'picture'
            self._camera.publish(message)

    def until(self, done, timeout_s=15.0):
        end = time.monotonic() + timeout_s
        while not done() and time.monotonic() < end:
            self.executor_.spin_once(timeout_sec=0.02)
        return done()

    def ask(self, client, request):
        assert self.until(client.service_is_ready)
        future = client.call_async(request)
        assert self.until(future.done)
        return future.result()

    def change(self, transition: int) -> bool:
        return self.ask(self._change, ChangeState.Request(transition=Transition(id=transition))).success

    def state(self) -> int:
        return self.ask(self._get, GetState.Request()).current_state.id

    def says(self, words: str) -> bool:
        return self.until(lambda: words in self.watch.text('copier'))


@pytest.fixture
def bench(ros):
    bench = Bench()
    yield bench
    bench.executor_.shutdown()
    bench.destroy_node()


def test_a_node_walks_through_its_states_by_the_standard_services(bench, spawn):
    child = spawn(CHILD, '--ros-args', '-p', 'autostart:=false')
    assert bench.says('unconfigured; waits for the transition configure'), child.log.read_text()
    assert bench.state() == UNCONFIGURED
    assert bench.count_publishers('copies') == 0
    assert bench.change(CONFIGURE)
    assert bench.state() == INACTIVE

    assert not bench.change(ACTIVATE)  # the camera is missing
    assert bench.state() == INACTIVE
    assert bench.says(NO_PICTURE)
    assert NO_PICTURE in child.log.read_text()
    assert bench.until(lambda: bench.status is not None and bench.status.message == NO_PICTURE)
    assert (bench.status.name, bench.status.hardware_id, bench.status.level) == ('vera: copier', 'panda', b'\x01')

    bench.is_filming = True
    bench.until(lambda: False, 0.3)
    assert bench.heard == []  # inactive: pictures come, the timer is due, nothing goes out
    assert not bench.watch.is_active('copier')
    assert bench.change(ACTIVATE)
    assert bench.state() == ACTIVE
    assert bench.until(lambda: {h.frame_id for h in bench.heard} >= {'picture', 'tick'})
    assert bench.until(lambda: bench.watch.is_active('copier'))
    assert bench.until(lambda: bench.status.level == b'\x00')
    named = {entry.key: entry.value for entry in bench.status.values}
    assert named['lifecycle state'] == 'active'
    assert 'Hz, age 0.0' in named['in /vera/camera'] and 'latency p50' in named['in /vera/camera']
    assert 'Hz, age 0.0' in named['out /vera/copies']

    assert bench.change(DEACTIVATE)
    assert bench.until(lambda: bench.heard[-1].frame_id == 'last words')
    bench.until(lambda: False, 0.3)
    assert bench.heard[-1].frame_id == 'last words'
    assert bench.change(CLEANUP)
    assert bench.until(lambda: bench.count_publishers('copies') == 0)
    assert 'closed' in child.log.read_text()
    assert bench.change(CONFIGURE) and bench.change(ACTIVATE)  # and all over again
    assert bench.until(lambda: bench.heard[-1].frame_id == 'picture')
    assert bench.until(lambda: bench.goals[-1] == 'active')
    assert bench.goals.count('deactivating') == 1
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=5) == 0
    assert child.log.read_text().count('closed') == 2


def test_a_transition_that_starts_elsewhere_is_refused_and_the_node_lives(bench, spawn):
    child = spawn(CHILD, '--ros-args', '-p', 'autostart:=false')
    assert not bench.change(ACTIVATE)
    assert bench.state() == UNCONFIGURED
    assert 'no transition 3 starts in state unconfigured; nothing is changed' in child.log.read_text()
    assert bench.change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert bench.state() == State.PRIMARY_STATE_FINALIZED
    assert not bench.change(CONFIGURE)
    assert child.poll() is None


def test_a_node_starts_by_itself_as_soon_as_its_camera_is_there(bench, spawn):
    child = spawn(CHILD)
    assert bench.says(NO_PICTURE), child.log.read_text()
    bench.until(lambda: False, 0.5)
    assert child.log.read_text().count(NO_PICTURE) == 1
    began = time.monotonic()
    assert bench.state() == INACTIVE
    asking_s = time.monotonic() - began
    bench.is_filming, began = True, time.monotonic()
    assert bench.until(lambda: bench.watch.is_active('copier'))
    assert time.monotonic() - began < 1.0 + 20 * asking_s  # a machine under load answers late whatever it is asked
    assert bench.until(lambda: 'active' in bench.goals)
    assert bench.goals.count('activating') == 1  # the checks are asked, not the transition
    assert bench.change(DEACTIVATE)
    bench.until(lambda: False, 0.5)
    assert bench.state() == INACTIVE  # what a person asked for stays


def test_what_is_missing_for_configuring_is_said_and_tried_again(bench, spawn, tmp_path):
    model = tmp_path / 'model'
    child = spawn(CHILD, '--ros-args', '-p', f'model:={model}')
    bench.is_filming = True
    text = f'cannot be configured: there is no model {model}; train one'
    assert bench.says(text), child.log.read_text()
    assert bench.until(lambda: bench.status is not None and bench.status.message == text)
    assert bench.status.level == b'\x02'
    assert child.poll() is None
    model.touch()
    assert bench.until(lambda: bench.watch.is_active('copier'))
    assert text in child.log.read_text()


def test_an_incompatible_quality_of_service_is_a_warning(bench, spawn):
    spawn(CHILD)
    bench.is_filming = True
    assert bench.until(lambda: bench.watch.is_active('copier'))
    bench.create_subscription(Header, 'copies', lambda message: None, STATUS)  # wants kept messages, which a stream does not offer
    assert bench.until(lambda: bench.status is not None and 'wants another' in bench.status.message)
    assert bench.status.level == b'\x01'
    assert {entry.key: entry.value for entry in bench.status.values}['incompatible quality of service on /vera/copies'] == 'DURABILITY'


@pytest.mark.parametrize('autostart', ['true', 'false'])
def test_a_signal_ends_a_node_in_any_state(bench, spawn, autostart):
    child = spawn(CHILD, '--ros-args', '-p', f'autostart:={autostart}')
    assert bench.says(NO_PICTURE if autostart == 'true' else 'unconfigured'), child.log.read_text()
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=5) == 0
    assert 'Traceback' not in child.log.read_text()


def test_every_policy_with_which_nothing_passes_is_named():
    second, more = Duration(seconds=1), Duration(seconds=2)
    assert clash(QoSProfile(depth=1), QoSProfile(depth=1)) == ''
    assert clash(SENSOR, STATUS) == 'RELIABILITY'
    assert clash(STREAM, STATUS) == 'DURABILITY'
    assert clash(QoSProfile(depth=1), QoSProfile(depth=1, deadline=second)) == 'DEADLINE'
    assert clash(QoSProfile(depth=1, deadline=second), QoSProfile(depth=1)) == ''
    assert clash(QoSProfile(depth=1, liveliness_lease_duration=more), QoSProfile(depth=1, liveliness_lease_duration=second)) == 'LIVELINESS'


def test_a_publisher_made_by_an_active_node_speaks_at_once_and_one_made_before_does_not(ros):
    node = ManagedNode('late')
    node.begin(hardware_id='panda', autostart=False)
    node.trigger_configure()
    before = node.create_publisher(String, 'before', 10)
    assert not before.is_activated
    node.trigger_activate()
    after = node.create_publisher(String, 'after', 10)
    assert before.is_activated and after.is_activated
    node.trigger_deactivate()
    assert not before.is_activated and not after.is_activated
    node.end()
    node.destroy_node()
