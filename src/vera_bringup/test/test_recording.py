# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files: what is written is read back by us, by mcap's own library and by rosbags; cut-off files too; bounded queues."""

from __future__ import annotations

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.serialization import serialize_message

from vera_bringup.recording.definitions import definition, message_class
from vera_bringup.recording.lanes import Item, Lanes, QueueFullError
from vera_bringup.recording.pictures import PictureFormat, compress, rgb_from_compressed
from vera_bringup.recording.provenance import describe, recorded_robot, robot_text
from vera_bringup.recording.reader import OpenRecording
from vera_bringup.recording.record import write_item
from vera_bringup.recording.topics import Topic, chosen, default_topics
from vera_bringup.recording.writer import RecordingFile
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.ros import qos
from vera_core.ros.messages import from_ns, image_from_rgb
from vera_msgs.msg import SafetyStatus

ROBOT = load_embodiment('panda')
S = 1_000_000_000
START = 1_700_000_000 * S
STATUS = Topic(name='/vera/safety_status', kind='vera_msgs/msg/SafetyStatus', qos=qos.STATUS)
IMAGE = Topic(name='/camera/front/image_raw', kind='sensor_msgs/msg/Image', qos=qos.SENSOR, is_bulky=True)


def status_bytes(text: str, stamp_ns: int) -> bytes:
    message = SafetyStatus(text=text, joint_names=['a', 'b'], commanded_velocity=[0.25, -1e-300])
    message.header.stamp = from_ns(stamp_ns)
    return serialize_message(message)


def picture() -> np.ndarray:
    y, x = np.mgrid[0:64, 0:96]
    return np.stack([2 * x, 3 * y, x + y], axis=-1).astype(np.uint8)


@pytest.fixture
def file(tmp_path):
    """Ten reports a second apart and a picture, with robot and versions."""
    path = tmp_path / 'a.mcap'
    with RecordingFile(path) as made:
        describe(made, ROBOT, 'panda', {'pictures': 'png'}, now_ns=START)
        for index in range(10):
            data = status_bytes(f'report {index}', START + index * S)
            write_item(made, Item(STATUS, data, START + index * S + 5, START + index * S + 2), PictureFormat.PNG)
        raw = serialize_message(image_from_rgb(picture(), stamp_ns=START))
        write_item(made, Item(IMAGE, raw, START + 7, 0), PictureFormat.PNG)
    return path


def test_what_was_recorded_is_read_back(file):
    recording = OpenRecording(file)
    assert recording.is_whole
    assert recording.topics == {
        '/vera/safety_status': 'vera_msgs/msg/SafetyStatus',
        '/camera/front/image_raw/compressed': 'sensor_msgs/msg/CompressedImage',
    }
    reports = list(recording.messages('safety_status'))
    assert [report.message.text for report in reports] == [f'report {index}' for index in range(10)]
    assert reports[3].arrival_ns == START + 3 * S + 5
    assert reports[3].message.commanded_velocity[1] == -1e-300
    (image,) = recording.messages('/camera/front/image_raw')
    np.testing.assert_array_equal(rgb_from_compressed(image.message, 'image'), picture())  # PNG loses nothing
    assert recording.about['robot'] == 'panda'
    assert 'numpy' in recording.about
    assert recording.robot().joint_names == ROBOT.joint_names


def test_mcaps_own_reader_decodes_it_from_the_definitions_inside(file):
    with file.open('rb') as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
        assert summary.statistics.message_count == 11
        assert {schema.encoding for schema in summary.schemas.values()} == {'ros2msg'}
        texts = [message.text for _, _, _, message in reader.iter_decoded_messages(topics=['/vera/safety_status'])]
    assert texts == [f'report {index}' for index in range(10)]


def test_rosbags_reads_it_without_ros(file):
    highlevel = pytest.importorskip('rosbags.highlevel', reason='rosbags is not installed (tools/requirements-dev.txt)')
    with highlevel.AnyReader([file]) as reader:
        (connection,) = (connection for connection in reader.connections if connection.topic == '/vera/safety_status')
        messages = [reader.deserialize(raw, connection.msgtype) for _, _, raw in reader.messages([connection])]
        assert messages[2].text == 'report 2'
        np.testing.assert_array_equal(messages[2].commanded_velocity, [0.25, -1e-300])
        assert messages[2].header.stamp.sec == 1_700_000_002


def test_a_file_whose_writer_was_killed_is_read_up_to_its_last_chunk(tmp_path):
    path = tmp_path / 'cut.mcap'
    file = RecordingFile(path)
    noise = np.random.default_rng(0).integers(0, 255, 400_000, dtype=np.uint8)
    file.add_topic('/noise', 'sensor_msgs/msg/CompressedImage')
    for index in range(6):  # 0.4 MB of noise each: a chunk is closed with every second one
        message = message_class('sensor_msgs/msg/CompressedImage')(data=noise.tobytes())
        file.write('/noise', serialize_message(message), log_ns=START + index, publish_ns=START)
    file.flush()
    data = path.read_bytes()
    for cut in (len(data), len(data) - 1000):
        (tmp_path / 'b.mcap').write_bytes(data[:cut])
        recording = OpenRecording(tmp_path / 'b.mcap')
        assert not recording.is_whole
        assert 4 <= recording.count('/noise') <= 6


def test_what_is_no_recording_is_refused_in_words(tmp_path):
    with pytest.raises(ConfigError, match='does not exist'):
        OpenRecording(tmp_path / 'none.mcap')
    (tmp_path / 'text.mcap').write_text('hello, this is no recording at all')
    with pytest.raises(ConfigError, match='cannot be read as an MCAP file'):
        OpenRecording(tmp_path / 'text.mcap')


def test_definitions_carry_every_type_they_use():
    text = definition('vera_msgs/msg/VideoPlan')
    for used in ('std_msgs/Header', 'builtin_interfaces/Time', 'builtin_interfaces/Duration', 'sensor_msgs/CompressedImage'):
        assert text.count(f'MSG: {used}\n') == 1
    with pytest.raises(ConfigError, match='is no message type; write it as package/msg/Name'):
        definition('vera_msgs/VideoPlan')
    with pytest.raises(ConfigError, match='is not installed here'):
        message_class('nowhere_msgs/msg/Thing')


def test_pictures_are_compressed_as_image_transport_does():
    raw = serialize_message(image_from_rgb(picture(), stamp_ns=START, frame_id='front'))
    small = compress(raw, PictureFormat.JPEG)
    assert small is not None
    from rclpy.serialization import deserialize_message

    message = deserialize_message(small, message_class('sensor_msgs/msg/CompressedImage'))
    assert message.format == 'rgb8; jpeg compressed bgr8'
    assert (message.header.frame_id, message.header.stamp.sec) == ('front', 1_700_000_000)
    assert np.abs(rgb_from_compressed(message, 'x').astype(int) - picture()).mean() < 3.0


def test_the_default_topics_hold_every_hand_over_and_nothing_twice():
    topics = default_topics(ROBOT, ['jidm_node'])
    names = [topic.name for topic in topics]
    assert len(set(names)) == len(names)
    for name in ('plan', 'flow', 'joint_velocity', 'control_journal', 'safety_status', 'task', '/joint_states', 'alive/jidm_node'):
        assert name in names
    assert {topic.name for topic in topics if topic.is_bulky} == {'/camera/front/image_raw', '/camera/side/image_raw', 'flow'}
    fewer = chosen(topics, more=['/tf', 'plan'], without=['flow'])
    assert {topic.name for topic in fewer} == {*names, '/tf'} - {'flow'}


def test_the_queue_gives_up_its_oldest_pictures_and_never_a_command():
    lanes = Lanes(bulky_bytes=250, small_bytes=1000)
    for index in range(4):
        lanes.put(Item(IMAGE, b'x' * 100, index, 0))
        lanes.put(Item(STATUS, b'y' * 100, index, 0))
    taken = [lanes.take(0.0) for _ in range(6)]
    assert lanes.take(0.0) is None
    assert [(item.topic.name, item.log_ns) for item in taken if item.topic is IMAGE] == [(IMAGE.name, 2), (IMAGE.name, 3)]
    assert [item.log_ns for item in taken if item.topic is STATUS] == [0, 1, 2, 3]
    assert lanes.dropped == {IMAGE.name: 2}
    for index in range(10):
        lanes.put(Item(STATUS, b'y' * 100, index, 0))
    with pytest.raises(QueueFullError, match='record to a faster disk'):
        lanes.put(Item(STATUS, b'y' * 100, 10, 0))


def test_a_robot_that_is_not_installed_comes_from_the_recording():
    changed = robot_text('panda').replace('name: panda', 'name: pandora', 1)
    robot = recorded_robot(changed, '/somewhere/else/pandora.yaml')
    assert robot.name == 'pandora'
    assert robot.joint_names == ROBOT.joint_names
    assert recorded_robot(robot_text('panda'), 'panda').simulation is not None
