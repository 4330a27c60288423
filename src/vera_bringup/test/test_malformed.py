# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Decoders against malformed messages: refused with a ShapeError or taken, and nothing else. The same over DDS: benchmarks/fuzz.py."""

from __future__ import annotations

import contextlib
import json
import math
import struct
import zlib
from functools import partial

import numpy as np
import pytest
from builtin_interfaces.msg import Duration
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vera_bringup.malformed import malform, malform_bytes
from vera_bringup.operator.access import Access
from vera_bringup.operator.commands import parse_command
from vera_bringup.operator.messages import planner_now, safety_now
from vera_bringup.operator.pictures import PictureBoard, preview
from vera_bringup.recording.pictures import PictureFormat, compress
from vera_bringup.viewing.messages import points_to_come
from vera_control.wire import safety_from_msg
from vera_core.bounds import MAX_EDGE, MAX_NAMES, MAX_PLAN_FRAMES, MAX_POINTS, MAX_VIEWS
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, Refusal, ShapeError, WireError
from vera_core.ros.messages import (
    flow_from_msg,
    flow_to_msg,
    frame_from_image,
    image_from_rgb,
    plan_from_msg,
    plan_to_msg,
    robot_state_from_joint_state,
    velocity_from_msg,
    velocity_to_msg,
)
from vera_core.ros.raw import read_raw
from vera_core.types import FlowField, JointVelocity, VideoPlan
from vera_msgs.msg import PlannerStatus, SafetyStatus
from vera_sim.ros.commands import trajectory_from_msg

ROBOT = load_embodiment('panda')
JOINTS = len(ROBOT.joints)
NAMES = list(ROBOT.joint_names)


def good_image() -> Image:
    return image_from_rgb(np.random.default_rng(0).integers(0, 255, (*ROBOT.working_size, 3), dtype=np.uint8), stamp_ns=1)


def good_plan():
    frames = {view: np.random.default_rng(1).integers(0, 255, (3, 16, 16, 3), dtype=np.uint8) for view in ROBOT.view_names}
    return plan_to_msg(VideoPlan(plan_id=1, task_id=1, prompt='touch', stamp_ns=1, step_dt_s=0.2, frames=frames))


def good_flow():
    flow = {view: np.zeros((8, 8, 2), np.float32) for view in ROBOT.view_names}
    trust = {view: np.ones((8, 8), np.float32) for view in ROBOT.view_names}
    field = FlowField(stamp_ns=1, plan_id=1, task_id=1, step=1, dt_s=0.2, flow=flow, confidence=trust, remaining_px=1.0, at_plan_end=False)
    return flow_to_msg(field, stamp_target_ns=2)


def good_estimate():
    step, ones = np.full(JOINTS, 0.02), np.ones(JOINTS)
    estimate = JointVelocity(
        stamp_ns=1, plan_id=1, task_id=1, step=1, dt_s=0.2, delta_q=step, std=step, observability=ones, residual_ratio=0.1,
        residual_px=0.1, condition=1.0, remaining_px=1.0, at_plan_end=False,
    )  # fmt: skip
    return velocity_to_msg(estimate, NAMES, latency_s=0.05)


def good_state() -> JointState:
    state = JointState(name=NAMES, position=list(ROBOT.home), velocity=[0.0] * JOINTS)
    state.header.stamp.sec = 1
    return state


def good_command() -> JointTrajectory:
    points = [JointTrajectoryPoint(positions=list(ROBOT.home), time_from_start=Duration(sec=1 + i)) for i in range(3)]
    return JointTrajectory(joint_names=NAMES, points=points)


def good_safety() -> SafetyStatus:
    return SafetyStatus(
        state=1, joint_names=NAMES, commanded_velocity=[0.0] * JOINTS, stream_names=['a'], stream_ages=[0.1], speed_scale=1.0
    )


DECODERS = {
    'image': (good_image, lambda message: frame_from_image(message, 'front', ROBOT.working_size)),
    'plan': (good_plan, plan_from_msg),
    'flow': (good_flow, flow_from_msg),
    'estimate': (good_estimate, lambda message: velocity_from_msg(message, NAMES)),
    'joint states': (good_state, lambda message: robot_state_from_joint_state(message, ROBOT)),
    'command, simulated driver': (good_command, lambda message: trajectory_from_msg(message, ROBOT)),
    'command, viewers': (good_command, lambda message: points_to_come(message, ROBOT, 0)),
    'safety, executive': (good_safety, safety_from_msg),
    'safety, page': (good_safety, lambda message: json.dumps(safety_now(message, ROBOT).stream_ages, allow_nan=False)),
    'planner, page': (PlannerStatus, lambda message: json.dumps(planner_now(message).latency_s, allow_nan=False)),
}


@pytest.mark.parametrize('kind', sorted(DECODERS))
def test_malformed_messages_are_refused_in_a_sentence_or_taken(kind):
    make, decode = DECODERS[kind]
    good, refused, longest = make(), 0, 0
    least = 0 if kind == 'planner, page' else 5
    assert not isinstance(decode(good), Refusal)
    for number in range(250):
        message = malform(good, np.random.default_rng([number, 5]))
        if isinstance(message, bytes):
            continue  # what does not fit on the wire never reaches a decoder
        try:
            refused += isinstance(decode(message), Refusal)
        except ShapeError as error:
            refused += 1
            longest = max(longest, len(str(error)))
    assert refused > least
    assert longest < 2000


@pytest.mark.parametrize('kind', sorted(DECODERS))
def test_the_good_message_stays_as_it_was_and_a_seed_gives_the_same_ones(kind):
    good = DECODERS[kind][0]()
    before = repr(good)
    # Messages changed as bytes are left out: what fills the gaps between values there is chance.
    first, again = (
        [repr(message) for message in (malform(good, rng) for _ in range(30)) if not isinstance(message, bytes)]
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert repr(good) == before
    assert first == again and len(set(first)) > 5


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=4, max_size=200), st.integers(0, 2**32))
def test_changed_bytes_keep_the_four_that_say_how_they_are_written(data, seed):
    assert malform_bytes(data, np.random.default_rng(seed))[:4] == data[:4]


def png_that_says_it_is(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes whose header promises any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))

    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
        + chunk(b'IDAT', zlib.compress(b''))
        + chunk(b'IEND', b'')
    )


def with_frames(width: int, height: int, count: int = 3):
    message = good_plan()
    message.horizon = count - 1
    frame = message.frames[0]
    frame.data = png_that_says_it_is(width, height)
    message.frames = [frame] * (count * len(ROBOT.view_names))
    return message


def named(count: int) -> list[str]:
    return [f'joint_{index}' for index in range(count)]


TOO_MUCH = {
    'pixels': (lambda: plan_from_msg(with_frames(60_000, 60_000)), f'60000x60000 px; 1 to {MAX_EDGE} px'),
    'pixels together': (lambda: plan_from_msg(with_frames(4096, 4096, 400)), 'pixels of plan 1: 13421772800 are too many'),
    'frames': (lambda: plan_from_msg(with_frames(8, 8, MAX_PLAN_FRAMES)), f'frames of a plan: {MAX_PLAN_FRAMES * 2} are too many'),
    'edge': (lambda: frame_from_image(Image(encoding='rgb8', height=2, width=MAX_EDGE + 1), 'front', (2, 2)), f'at most {MAX_EDGE} px'),
    'names': (lambda: robot_state_from_joint_state(JointState(name=named(9999)), ROBOT), f'9999 are too many, at most {MAX_NAMES}'),
    'command joints': (lambda: points_to_come(JointTrajectory(joint_names=named(9999)), ROBOT, 0), f'at most {MAX_NAMES}'),
    'command points': (
        lambda: points_to_come(JointTrajectory(points=[JointTrajectoryPoint()] * 10_001), ROBOT, 0),
        f'at most {MAX_POINTS}',
    ),
    'lost nodes': (lambda: safety_from_msg(SafetyStatus(lost_nodes=named(9999))), 'lost nodes of a safety status: 9999'),
}


@pytest.mark.parametrize('what', sorted(TOO_MUCH))
def test_too_much_is_refused_with_the_limit_before_memory_is_given_to_it(what):
    decode, words = TOO_MUCH[what]
    with pytest.raises(ShapeError, match=words):
        decode()


def test_too_many_views_or_points_are_refused():
    flow = good_flow()
    flow.view_names = named(MAX_VIEWS + 1)
    with pytest.raises(ShapeError, match=f'views of a flow: {MAX_VIEWS + 1} are too many'):
        flow_from_msg(flow)
    refusal = trajectory_from_msg(JointTrajectory(joint_names=NAMES, points=[JointTrajectoryPoint()] * (MAX_POINTS + 1)), ROBOT)
    assert isinstance(refusal, Refusal) and f'at most {MAX_POINTS}' in refusal.text


# What the fuzzing over DDS found.


@pytest.mark.parametrize('changes', [{'state': 99}, {'reason': 9999}, {'commanded_velocity': [math.nan]}])
def test_a_safety_status_of_another_version_is_refused_and_not_fatal(changes):
    with pytest.raises(ShapeError):
        safety_from_msg(SafetyStatus(**changes))


def test_a_command_with_points_of_another_length_is_refused_by_viewers():
    command = good_command()
    command.points[1].positions = [0.0] * 3
    with pytest.raises(ShapeError, match='points with 3 positions for 7 joints'):
        points_to_come(command, ROBOT, 0)


def test_a_picture_nobody_can_draw_leaves_the_last_good_one_on_the_page():
    board = PictureBoard(('front',))
    board.put('front', 'camera', lambda: np.zeros((8, 8, 3), np.uint8))
    assert board.newer('front', 'camera', 0) is not None

    def broken() -> np.ndarray:
        raise ShapeError('cut')

    board.put('front', 'camera', broken)
    assert board.newer('front', 'camera', 1) is None
    assert preview(np.zeros((1, 2000, 3), np.uint8)).shape == (1, 320, 3)
    board.put('front', 'camera', lambda: np.ones((8, 8, 3), np.uint8))
    fresh = board.newer('front', 'camera', 1)
    assert fresh is not None and fresh[0] == 3


@pytest.mark.parametrize(
    'message', ['[' * 8000, '{"do": "speed", "value": ' + '9' * 400 + '}', '{"do": ["x"]}', b'\xff\xfe', 'null', '1e999']
)
def test_no_words_of_a_page_are_more_than_refused(message):
    with pytest.raises(ConfigError):
        parse_command(message)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60),
        st.recursive(
            st.none() | st.floats() | st.text(max_size=5),
            lambda inner: st.dictionaries(st.sampled_from(['do', 'text', 'value', 'x']), inner, max_size=3),
        ).map(json.dumps),
    )
)
def test_random_words_of_a_page_are_taken_or_refused(message):
    with contextlib.suppress(ConfigError):
        parse_command(message)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.none() | st.text(max_size=40))
def test_nobody_comes_in_by_odd_addresses(target, host, origin):
    assert Access(token='a-token').check(f'/{target}', host=host, origin=origin) is not None
    assert Access(token='a-token').check('/?token=a-token', host='[', origin=None) is not None
    assert Access(token='a-token').check('/?token=a-token', host='localhost:1', origin='http://[') is not None


def test_long_names_do_not_make_long_sentences():
    state = JointState(header=Header(), name=['n' * 100_000] * 200)
    with pytest.raises(ShapeError) as raised:
        robot_state_from_joint_state(state, ROBOT)
    assert len(str(raised.value)) < 1000
    refusal = partial(trajectory_from_msg, robot=ROBOT)(JointTrajectory(joint_names=['n' * 100_000] * 200))
    assert isinstance(refusal, Refusal) and len(refusal.text) < 1000


def test_bytes_that_are_no_message_are_refused_where_the_middleware_does_not_look():
    data = bytes(serialize_message(good_safety()))
    assert read_raw(data, SafetyStatus).state == 1
    for number in range(200):
        with contextlib.suppress(WireError):
            read_raw(malform_bytes(data, np.random.default_rng(number)), SafetyStatus)
    with pytest.raises(WireError, match='20 bytes are no SafetyStatus'):
        read_raw(data[:20], SafetyStatus)
    assert compress(b'\x00\x01\x00\x00', PictureFormat.JPEG) is None  # the black box keeps such a picture as it came
