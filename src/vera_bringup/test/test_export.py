# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Data sets and replays of a small recording made by hand: two seconds, two views, one task."""

from __future__ import annotations

import json
import sys

import av
import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vera_bringup.recording.episodes import episodes_of
from vera_bringup.recording.lanes import Item
from vera_bringup.recording.pictures import PictureFormat
from vera_bringup.recording.player import Shift, shift_stamps
from vera_bringup.recording.provenance import describe
from vera_bringup.recording.reader import OpenRecording
from vera_bringup.recording.record import write_item
from vera_bringup.recording.topics import Topic
from vera_bringup.recording.writer import RecordingFile
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.ros import qos
from vera_core.ros.messages import duration_from_s, from_ns, image_from_rgb, to_ns
from vera_msgs.msg import FlowField, Task

ROBOT = load_embodiment('panda')
S, MS = 1_000_000_000, 1_000_000
START = 1_700_000_000 * S
RATE = 0.1
"""Joint 3 moves this fast, rad/s."""


def joints_at(stamp_ns: int) -> np.ndarray:
    position = np.array(ROBOT.home)
    position[2] += RATE * (stamp_ns - START) / S
    return position


@pytest.fixture(scope='module')
def recording(tmp_path_factory) -> OpenRecording:
    path = tmp_path_factory.mktemp('export') / 'a.mcap'
    with RecordingFile(path) as file:
        describe(file, ROBOT, 'panda', {}, now_ns=START)

        def put(name: str, kind: str, message, stamp_ns: int) -> None:
            topic = Topic(name=name, kind=kind, qos=qos.SENSOR)
            write_item(file, Item(topic, serialize_message(message), stamp_ns, 0), PictureFormat.PNG)

        for index in range(201):
            stamp = START + index * 10 * MS
            state = JointState(name=list(ROBOT.joint_names), position=joints_at(stamp).tolist(), velocity=[0.0] * 7)
            state.header.stamp = from_ns(stamp)
            put(ROBOT.driver.joint_states_topic, 'sensor_msgs/msg/JointState', state, stamp)
            if index % 10 == 0:
                for view in ROBOT.views:
                    rgb = np.full((64, 64, 3), 10 * (index // 10), np.uint8)
                    put(view.image_topic, 'sensor_msgs/msg/Image', image_from_rgb(rgb, stamp_ns=stamp), stamp)
                put('/vera/task', 'vera_msgs/msg/Task', Task(task_id=1, prompt='touch the red cube', active=True), stamp)
            if index % 5 == 0:  # commands lead the measured joints by 0.2 s
                points = [
                    JointTrajectoryPoint(
                        positions=joints_at(stamp + (200 + ahead) * MS).tolist(), time_from_start=duration_from_s(ahead / 1000)
                    )
                    for ahead in (0, 100, 200)
                ]
                command = JointTrajectory(joint_names=list(ROBOT.joint_names), points=points)
                command.header.stamp = from_ns(stamp)
                put(ROBOT.driver.command_topic, 'trajectory_msgs/msg/JointTrajectory', command, stamp)
    return OpenRecording(path)


def test_a_task_becomes_an_episode_with_state_and_the_command_of_the_next_frame(recording):
    (episode,) = episodes_of(recording, ROBOT, fps=10)
    assert episode.prompt == 'touch the red cube'
    assert episode.state.shape == episode.action.shape == (20, 7)
    # Frame i at i / 10 s: measured 0.1 rad/s * t, commanded for 0.1 s later and 0.2 s ahead of that.
    np.testing.assert_allclose(episode.state[:, 2] - ROBOT.home[2], np.arange(20) * 0.01, atol=1e-6)
    np.testing.assert_allclose(episode.action - episode.state, np.eye(7)[2] * 0.03 * np.ones((20, 1)), atol=1e-6)
    assert [int(moment['front'][0, 0, 0]) for moment in episode.pictures()][:3] == [0, 10, 20]


def test_a_data_set_has_the_layout_of_lerobot_v3(recording, tmp_path):
    parquet = pytest.importorskip('pyarrow.parquet', reason='pyarrow is not installed (vera export lerobot needs it)')
    from vera_bringup.recording.lerobot import export

    out = tmp_path / 'set'
    assert export([recording.path, recording.path], out, fps=10) == 0
    info = json.loads((out / 'meta' / 'info.json').read_text())
    assert (info['codebase_version'], info['total_episodes'], info['total_frames'], info['total_tasks']) == ('v3.0', 2, 40, 1)
    assert info['features']['observation.state']['names'] == list(ROBOT.joint_names)
    table = parquet.read_table(out / info['data_path'].format(chunk_index=0, file_index=0)).to_pydict()
    assert table['index'] == list(range(40))
    assert table['frame_index'][18:22] == [18, 19, 0, 1]
    episodes = parquet.read_table(out / 'meta/episodes/chunk-000/file-000.parquet').to_pydict()
    assert (episodes['dataset_from_index'], episodes['dataset_to_index']) == ([0, 20], [20, 40])
    statistics = json.loads((out / 'meta' / 'stats.json').read_text())
    assert statistics['observation.state']['mean'][2] == pytest.approx(ROBOT.home[2] + 0.095, abs=1e-6)
    assert np.array(statistics['observation.images.front']['mean']).shape == (3, 1, 1)
    path = out / info['video_path'].format(video_key='observation.images.side', chunk_index=0, file_index=1)
    with av.open(str(path)) as container:
        assert [float(frame.time) for frame in container.decode(video=0)] == pytest.approx([index / 10 for index in range(20)])
    with pytest.raises(ConfigError, match='exists already'):
        export([recording.path], out)


def test_lerobot_itself_loads_the_data_set(recording, tmp_path):
    datasets = pytest.importorskip(
        'lerobot.datasets.lerobot_dataset', reason='the package lerobot is not installed; it is optional and large'
    )
    from vera_bringup.recording.lerobot import export

    export([recording.path], tmp_path / 'set', fps=10)
    loaded = datasets.LeRobotDataset('vera/test', root=tmp_path / 'set')
    assert len(loaded) == 20
    assert loaded[5]['task'] == 'touch the red cube'
    assert float(loaded[5]['action'][2] - loaded[5]['observation.state'][2]) == pytest.approx(0.03, abs=1e-5)


def test_export_without_pyarrow_says_what_to_install(recording, tmp_path, monkeypatch):
    from vera_bringup.recording.lerobot import export

    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(ConfigError, match='pip install pyarrow'):
        export([recording.path], tmp_path / 'set')


def test_replayed_stamps_move_together_and_none_stays_none():
    message = FlowField(dt=0.35)
    message.header.stamp = from_ns(START + 2 * S)
    message.stamp_target = from_ns(START + 4 * S)
    message.flow = [
        image_from_rgb(np.zeros((2, 2, 3), np.uint8), stamp_ns=START + 2 * S),
        image_from_rgb(np.zeros((2, 2, 3), np.uint8), stamp_ns=0),
    ]
    shift_stamps(message, Shift(START, START + 100 * S, rate=2.0))
    assert to_ns(message.header.stamp) == START + 101 * S
    assert to_ns(message.stamp_target) == START + 102 * S
    assert [to_ns(image.header.stamp) for image in message.flow] == [START + 101 * S, 0]
    assert message.dt == 0.35
