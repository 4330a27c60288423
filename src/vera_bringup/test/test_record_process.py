# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera record` as a process of its own: what is on the wire is in the file, after Ctrl-C whole, after SIGKILL up to its last chunk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import rclpy
from rclpy.context import Context

from vera_bringup.recording.reader import OpenRecording
from vera_core.ros import qos
from vera_core.ros.messages import from_ns
from vera_msgs.msg import SafetyStatus

pytestmark = [pytest.mark.ros, pytest.mark.timeout(60)]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_a_recording_survives_its_end(tmp_path, ros_domain, number):
    path = tmp_path / 'a.mcap'
    process = subprocess.Popen([sys.executable, '-m', 'vera_bringup.cli', 'record', str(path)], env=dict(os.environ), text=True, stdout=-1)
    context = Context()
    context.init(args=[])
    try:
        node = rclpy.create_node('talker', namespace='vera', context=context)
        publisher = node.create_publisher(SafetyStatus, 'safety_status', qos.STATUS)
        deadline = time.monotonic() + 20.0
        while not publisher.get_subscription_count():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        time.sleep(1.0)  # the recorder may see the talker a little later than the talker sees it
        for index in range(150):  # 12 kB of text each: three chunks
            message = SafetyStatus(text=f'{index} ' + os.urandom(6000).hex(), refused_messages=index)
            message.header.stamp = from_ns(index + 1)
            publisher.publish(message)
            time.sleep(0.01)
        time.sleep(1.2)
    finally:
        process.send_signal(number)
        printed, _ = process.communicate(timeout=10)
        context.try_shutdown()
    recording = OpenRecording(path)
    counted = [recorded.message.refused_messages for recorded in recording.messages('safety_status')]
    assert counted == list(range(len(counted)))  # a command or a report is never missing in between
    assert recording.about['robot'] == 'panda'
    assert recording.is_whole == (number is signal.SIGINT)
    if number is signal.SIGINT:
        assert process.returncode == 0
        assert '150 messages' in printed
        assert len(counted) == 150
    else:
        assert len(counted) >= 40
