# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros
CHILD = str(Path(__file__).with_name('node_child.py'))


def wait_for(done, timeout_s=20.0):
    begin = time.monotonic()
    while not done() and time.monotonic() - begin < timeout_s:
        time.sleep(0.05)
    return done()


@pytest.mark.parametrize('sign', [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_node_cleanly(spawn, sign):
    child = spawn(CHILD)
    assert wait_for(lambda: 'ticking' in child.log.read_text()), child.log.read_text()
    child.send_signal(sign)
    assert child.wait(timeout=5) == 0
    text = child.log.read_text()
    assert 'closed' in text
    assert 'Traceback' not in text
    assert 'in namespace /vera for panda' in text


def test_rclpys_signal_thread_ends_before_what_it_wakes(spawn):
    """Seen when it did not: a node crashed on Ctrl-C; with 300 more guard conditions registered, 1 of 24 did."""
    child = spawn(str(Path(__file__).with_name('leaving_child.py')))
    assert wait_for(lambda: 'ticking' in child.log.read_text()), child.log.read_text()
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=5) == 0
    ends = [line for line in child.log.read_text().splitlines() if line.startswith('ended: ')]
    assert ends[:2] == ['ended: signal thread', 'ended: executor']


@pytest.mark.parametrize(
    ('setting', 'text'),
    [
        (
            'robot:=pandaa',
            "EmbodimentError: unknown robot 'pandaa'; known: allegro, finger_1, finger_16, fr3, panda, panda_gripper. Did you mean 'panda'?",
        ),
        ('robot:=/no/such/robot.yaml', "robot file '/no/such/robot.yaml' does not exist"),
        ('perid_s:=0.1', "ConfigError: unknown parameter 'perid_s'; known: autostart, period_s, robot. Did you mean 'period_s'?"),
        ('period_s:=-1.0', 'ConfigError: parameter period_s is -1.0; a double in [0.01, 1] s is needed (time between ticks)'),
    ],
)
def test_bad_start_ends_with_one_sentence(spawn, setting, text):
    child = spawn(CHILD, '--ros-args', '-p', setting)
    assert child.wait(timeout=30) == 2
    log = child.log.read_text()
    assert text in log
    assert 'Traceback' not in log
