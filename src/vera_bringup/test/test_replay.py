# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera replay --from`: which nodes a stage starts, and a controller of its own process driven by a recording made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy')

from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from vera_bringup.recording.lanes import Item
from vera_bringup.recording.pictures import PictureFormat
from vera_bringup.recording.player import NODES
from vera_bringup.recording.provenance import describe
from vera_bringup.recording.reader import OpenRecording
from vera_bringup.recording.record import write_item
from vera_bringup.recording.replay import ReplayRequest, nodes_of, replay_and_show
from vera_bringup.recording.topics import Topic
from vera_bringup.recording.writer import RecordingFile
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.ros import qos
from vera_core.ros.messages import from_ns
from vera_msgs.msg import JointVelocityEstimate, SafetyStatus, Task

ROBOT = load_embodiment('panda')
MS = 1_000_000
START = 1_700_000_000_000_000_000
STILL_MS, LENGTH_MS = 2500, 5500
"""The recorded arm rests, then joint 3 moves."""
RATE = 0.1
"""rad/s"""
LAG_MS, RAMP_MS = 250, 400
"""An arm that follows its commands sets out this long after the first estimate and has its speed this much later; one that ran ahead of
them would be taken for one that does not follow."""


def arm(ms: int) -> tuple[float, float]:
    """Return speed, rad/s, and way, rad, of the recorded joint at a time."""
    since_s, ramp_s = max(0, ms - STILL_MS - LAG_MS) * 1e-3, RAMP_MS * 1e-3
    if since_s < ramp_s:
        return RATE * since_s / ramp_s, RATE * since_s**2 / (2 * ramp_s)
    return RATE, RATE * (since_s - ramp_s / 2)


def write(path: Path) -> None:
    with RecordingFile(path) as file:
        describe(file, ROBOT, 'panda', {}, now_ns=START)

        def put(name: str, kind: str, message: object, stamp_ns: int) -> None:
            write_item(file, Item(Topic(name=name, kind=kind, qos=qos.SENSOR), serialize_message(message), stamp_ns, 0), PictureFormat.RAW)

        for ms in range(0, LENGTH_MS, 10):
            stamp = START + ms * MS
            velocity, travelled = arm(ms)
            position = np.array(ROBOT.home) + np.eye(7)[2] * travelled
            state = JointState(name=list(ROBOT.joint_names), position=position.tolist(), velocity=(np.eye(7)[2] * velocity).tolist())
            state.header.stamp = from_ns(stamp)
            put(ROBOT.driver.joint_states_topic, 'sensor_msgs/msg/JointState', state, stamp)
            if ms % 200 == 0:
                task = Task(task_id=1, prompt='touch the red cube', active=ms >= STILL_MS)
                task.header.stamp = from_ns(stamp)
                put('/vera/task', 'vera_msgs/msg/Task', task, stamp)
            if ms >= STILL_MS and ms % 50 == 0:
                wanted = np.eye(7)[2] * RATE
                estimate = JointVelocityEstimate(
                    plan_id=1, task_id=1, step=2, dt=0.35, joint_names=list(ROBOT.joint_names), residual_ratio=0.2, residual=0.3,
                    condition=5.0, remaining=20.0, velocity=wanted.tolist(), delta_q=(0.35 * wanted).tolist(), std=[0.01] * 7,
                    observability=[1.0] * 7,
                )  # fmt: skip
                estimate.header.stamp = from_ns(stamp)
                put('/vera/joint_velocity', 'vera_msgs/msg/JointVelocityEstimate', estimate, stamp)


@pytest.mark.parametrize('stage', NODES)
def test_a_stage_starts_the_nodes_that_have_work_and_only_a_dry_run_where_the_arm_cannot_follow(stage: str) -> None:
    system = nodes_of(stage, 'panda', 'left')
    assert system.node_names == NODES[stage]
    assert system.companions == ()
    assert system.namespace == 'left'
    assert system.node('controller_node').parameters.get('dry_run', False) is (stage != 'estimate')


def test_a_recording_without_what_a_stage_needs_is_refused(tmp_path: Path) -> None:
    write(tmp_path / 'a.mcap')
    with pytest.raises(ConfigError, match='cannot be replayed from stage plan: .*image_raw, plan was not recorded'):
        replay_and_show(ReplayRequest(path=tmp_path / 'a.mcap', stage='plan', starts_nodes=False))


@pytest.mark.ros
@pytest.mark.timeout(120)
def test_a_controller_follows_recorded_estimates(tmp_path: Path, ros_domain: int, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / 'a.mcap')
    answers = tmp_path / 'answers.mcap'
    assert replay_and_show(ReplayRequest(path=tmp_path / 'a.mcap', stage='estimate', out=answers)) == 0
    assert f'the answers are in {answers}' in capsys.readouterr().out
    recording = OpenRecording(answers)
    states = [heard.message.state for heard in recording.messages('safety_status')]
    assert SafetyStatus.ARMED in states
    assert SafetyStatus.RUNNING in states
    assert SafetyStatus.STOPPED_LATCHED not in states[: states.index(SafetyStatus.RUNNING)]
    commands = [heard.message for heard in recording.messages(ROBOT.driver.command_topic)]
    assert commands
    third = list(commands[0].joint_names).index(ROBOT.joint_names[2])
    ends = [command.points[-1].positions[third] - ROBOT.home[2] for command in commands]
    assert max(ends) > 0.005  # the way the recorded estimates point
    assert min(ends) > -0.005
