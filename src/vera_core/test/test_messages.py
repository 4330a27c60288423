# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState

from vera_core.embodiment import load_embodiment
from vera_core.errors import ShapeError
from vera_core.ros import messages as m
from vera_core.types import FlowField, JointVelocity, MotionEvidence, VideoPlan

PANDA = load_embodiment('panda')
JOINTS = PANDA.joint_names
STAMP = 1_700_000_000_123_456_789


def over_the_wire(msg):
    return deserialize_message(serialize_message(msg), type(msg))


def picture(height=256, width=256, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def joint_state(**changes):
    values = {'name': [*JOINTS, 'panda_finger_joint1'], 'position': [*PANDA.home, 0.04], 'velocity': [0.1 * i for i in range(8)]}
    msg = JointState(**{**values, **changes})
    msg.header.stamp = m.from_ns(STAMP)
    return msg


def estimate(**changes):
    n = len(JOINTS)
    values = dict(
        stamp_ns=STAMP, plan_id=3, task_id=2, step=7, dt_s=0.3, delta_q=np.linspace(-0.1, 0.2, n), std=np.full(n, 0.01),
        observability=np.linspace(0, 1, n), residual_ratio=0.2, residual_px=0.5, condition=math.inf, remaining_px=12.0, at_plan_end=False,
    )  # fmt: skip
    return JointVelocity(**{**values, **changes})


def flow_field(flow, confidence):
    return FlowField(
        stamp_ns=STAMP, plan_id=1, task_id=1, step=4, dt_s=0.4, flow=flow, confidence=confidence, remaining_px=3.5, at_plan_end=True
    )  # fmt: skip


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_stamp_round_trip(stamp_ns):
    assert m.to_ns(m.from_ns(stamp_ns)) == stamp_ns


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
@settings(max_examples=30)
def test_image_round_trip(rgb):
    msg = over_the_wire(m.image_from_rgb(rgb, stamp_ns=STAMP, frame_id='front'))
    np.testing.assert_array_equal(m.rgb_from_image(msg), rgb)
    assert m.to_ns(msg.header.stamp) == STAMP
    assert msg.header.frame_id == 'front'


def test_rgb_from_image_swaps_bgr_and_skips_padding():
    rgb = picture(4, 5)
    msg = m.image_from_rgb(rgb, stamp_ns=STAMP)
    msg.encoding = 'bgr8'
    np.testing.assert_array_equal(m.rgb_from_image(msg), rgb[:, :, ::-1])
    padded = np.zeros((4, 16), np.uint8)
    padded[:, :15] = rgb.reshape(4, 15)
    msg = m.image_from_rgb(rgb, stamp_ns=STAMP)
    msg.step, msg.data = 16, m.bytes_field(padded)
    np.testing.assert_array_equal(m.rgb_from_image(msg), rgb)


def test_frame_from_image_averages_down_to_the_working_size():
    chequered = np.tile(np.array([[70, 84], [90, 64]])[..., None], (128, 128, 3)).astype(np.uint8)
    chequered[:128] += 100
    frame = m.frame_from_image(m.image_from_rgb(chequered, stamp_ns=STAMP), 'side', (128, 128))
    assert (frame.view, frame.stamp_ns, frame.rgb.shape) == ('side', STAMP, (128, 128, 3))
    assert (frame.rgb[:64] == 177).all()  # (70 + 84 + 90 + 64) / 4 = 77
    assert (frame.rgb[64:] == 77).all()


def test_frame_from_image_refuses_a_picture_of_one_colour():
    blank = np.full((256, 256, 3), (12, 200, 30), np.uint8)
    blank[0, 0] = 255  # a hot pixel is no picture either
    with pytest.raises(ShapeError, match=r'image of view front is all of one colour, rgb \(12, 200, 30\); is the lens covered'):
        m.frame_from_image(m.image_from_rgb(blank, stamp_ns=STAMP), 'front', (128, 128))


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        (
            {'encoding': '16UC3', 'step': 256 * 3},
            "view front has encoding '16UC3' but rgb8, bgr8, rgba8, bgra8, mono8 are read here.*cv-bridge",
        ),
        ({'encoding': ''}, "encoding '' but"),
        ({'step': 100}, 'step 100 but 256 px of rgb8 take 768 bytes per row'),
        ({'step': 800}, r'has 196608 bytes but step 800 x height 256 = 204800; it arrived cut'),
        ({'height': 0}, '256x0 px; an empty picture'),
        ({'data': m.bytes_field(np.zeros(5, np.uint8))}, 'has 5 bytes but'),
    ],
)
def test_frame_from_image_refuses_malformed_images(changes, text):
    msg = m.image_from_rgb(picture(), stamp_ns=STAMP)
    for name, value in changes.items():
        setattr(msg, name, value)
    with pytest.raises(ShapeError, match=text):
        m.frame_from_image(msg, 'front', (128, 128))


@pytest.mark.parametrize(('height', 'width'), [(64, 64), (256, 320), (127, 128)])
def test_frame_from_image_refuses_wrong_sizes(height, width):
    with pytest.raises(
        ShapeError, match=f'view front is {width}x{height} px but the robot file needs at least 128x128 px of the same aspect'
    ):
        m.frame_from_image(m.image_from_rgb(picture(height, width), stamp_ns=STAMP), 'front', (128, 128))


def test_frame_from_image_refuses_missing_stamp():
    with pytest.raises(ShapeError, match='no stamp; the camera driver must set'):
        m.frame_from_image(m.image_from_rgb(picture(), stamp_ns=0), 'front', (128, 128))


def plan(horizon=3, views=('front', 'side'), **changes):
    rng = np.random.default_rng(horizon)
    frames = {view: rng.integers(0, 256, (horizon + 1, 16, 24, 3), dtype=np.uint8) for view in views}
    values = dict(
        plan_id=2**40, task_id=5, prompt='touch the rote Würfel', stamp_ns=STAMP, step_dt_s=0.3, frames=frames,
        context_len=3, model='embedded/a1', seed=2**63, confidence=0.75, inference_s=1.25,
    )  # fmt: skip
    return VideoPlan(**{**values, **changes})


@given(st.integers(1, 6), st.lists(st.text('abcdef', min_size=1, max_size=5), min_size=1, max_size=3, unique=True))
@settings(max_examples=20)
def test_plan_round_trip_is_exact(horizon, views):
    sent = plan(horizon, views)
    got = m.plan_from_msg(over_the_wire(m.plan_to_msg(sent)))
    assert list(got.frames) == views
    for view in views:
        np.testing.assert_array_equal(got.frames[view], sent.frames[view])
    for name in (
        'plan_id',
        'task_id',
        'prompt',
        'stamp_ns',
        'step_dt_s',
        'context_len',
        'model',
        'seed',
        'confidence',
        'inference_s',
        'horizon',
    ):
        assert getattr(got, name) == getattr(sent, name), name


def test_plan_from_msg_refuses_what_does_not_fit():
    msg = m.plan_to_msg(plan())
    msg.frames = msg.frames[:-1]
    with pytest.raises(ShapeError, match=r'has 7 frames but 2 views x \(horizon 3 \+ 1\) = 8'):
        m.plan_from_msg(msg)
    msg = m.plan_to_msg(plan())
    msg.frames[5].data = m.bytes_field(np.arange(40, dtype=np.uint8))
    with pytest.raises(ShapeError, match='frame 1 of view side with format .png. and 40 bytes is not a picture'):
        m.plan_from_msg(msg)
    msg = m.plan_to_msg(plan())
    msg.frames[0].data = []
    with pytest.raises(ShapeError, match='frame 0 of view front .* 0 bytes'):
        m.plan_from_msg(msg)
    msg = m.plan_to_msg(plan())
    msg.view_names = ['front', 'front']
    with pytest.raises(ShapeError, match='none twice'):
        m.plan_from_msg(msg)
    msg = m.plan_to_msg(plan())
    msg.step_dt = math.nan
    with pytest.raises(ShapeError, match='step_dt_s is nan'):
        m.plan_from_msg(msg)


finite = st.floats(-1e3, 1e3, width=32)


@given(arrays.arrays(np.float32, (3, 4, 2), elements=finite), arrays.arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32)))
@settings(max_examples=30)
def test_flow_round_trip_is_exact(flow, confidence):
    sent = flow_field({'front': flow, 'side': flow * 2}, {'front': confidence, 'side': confidence})
    msg = over_the_wire(m.flow_to_msg(sent, stamp_target_ns=STAMP + 5))
    got = m.flow_from_msg(msg)
    assert m.to_ns(msg.stamp_target) == STAMP + 5
    for view in ('front', 'side'):
        np.testing.assert_array_equal(got.flow[view], sent.flow[view])
        np.testing.assert_array_equal(got.confidence[view], sent.confidence[view])
    for name in ('stamp_ns', 'plan_id', 'task_id', 'step', 'dt_s', 'remaining_px', 'at_plan_end'):
        assert getattr(got, name) == getattr(sent, name), name


def test_flow_from_msg_refuses_what_does_not_fit():
    def message():
        return m.flow_to_msg(flow_field({'front': np.zeros((4, 4, 2))}, {'front': np.ones((4, 4))}), stamp_target_ns=STAMP)

    msg = message()
    msg.flow[0].encoding = 'rgb8'
    with pytest.raises(ShapeError, match="flow of view front has encoding 'rgb8'"):
        m.flow_from_msg(msg)
    msg = message()
    msg.flow[0].step = 5
    with pytest.raises(ShapeError, match='4x4 px with step 5 and 128 bytes; these do not fit'):
        m.flow_from_msg(msg)
    msg = message()
    msg.confidence = []
    with pytest.raises(ShapeError, match='1 flow and 0 confidence pictures for 1 views'):
        m.flow_from_msg(msg)
    msg = message()
    pixels = np.zeros((4, 4, 2), np.float32)
    pixels[2, 1, 0] = np.nan
    msg.flow[0].data = m.bytes_field(pixels)
    with pytest.raises(ShapeError, match=r'flow\[front\] has 1 values that are not finite, the first at \(2, 1, 0\)'):
        m.flow_from_msg(msg)
    msg = message()
    msg.dt = 0.0
    with pytest.raises(ShapeError, match='dt_s is 0.0; it must be finite and > 0'):
        m.flow_from_msg(msg)
    msg = message()
    msg.remaining = math.inf
    with pytest.raises(ShapeError, match='remaining = inf'):
        m.flow_from_msg(msg)


@given(arrays.arrays(np.float64, len(JOINTS), elements=st.floats(-3, 3)), st.floats(0.01, 10))
@settings(max_examples=30)
def test_velocity_round_trip(delta_q, dt_s):
    sent = estimate(delta_q=delta_q, dt_s=dt_s)
    got = m.velocity_from_msg(over_the_wire(m.velocity_to_msg(sent, JOINTS, latency_s=0.05)), JOINTS)
    for name in ('delta_q', 'std', 'observability'):
        np.testing.assert_array_equal(getattr(got, name), getattr(sent, name))
    for name in (
        'stamp_ns',
        'plan_id',
        'task_id',
        'step',
        'dt_s',
        'residual_ratio',
        'residual_px',
        'condition',
        'remaining_px',
        'at_plan_end',
    ):
        assert getattr(got, name) == getattr(sent, name), name


def test_motion_evidence_round_trip_by_name():
    size = len(JOINTS)
    evidence = MotionEvidence(
        gain=np.linspace(-1, 1, size), gain_std=np.linspace(0.1, 1, size), agreement=-0.5, expected_px2=42.0, frozen_views=('front',)
    )
    msg = m.velocity_to_msg(estimate(evidence=evidence), JOINTS, latency_s=0.0)
    for field in ('joint_names', 'velocity', 'delta_q', 'std', 'observability', 'motion_gain', 'motion_gain_std'):
        setattr(msg, field, list(getattr(msg, field))[::-1])
    got = m.velocity_from_msg(over_the_wire(msg), JOINTS).evidence
    assert got is not None
    np.testing.assert_array_equal(got.gain, evidence.gain)
    np.testing.assert_array_equal(got.gain_std, evidence.gain_std)
    assert (got.agreement, got.expected_px2, got.frozen_views) == (-0.5, 42.0, ('front',))
    assert m.velocity_from_msg(m.velocity_to_msg(estimate(), JOINTS, latency_s=0.0), JOINTS).evidence is None


@pytest.mark.parametrize(
    ('field', 'value', 'words'),
    [
        ('motion_gain', [1.0], '1 values in motion_gain'),
        ('motion_gain', 'nan', 'motion_gain of'),
        ('motion_agreement', math.nan, 'motion_agreement = nan'),
    ],
)
def test_motion_evidence_that_makes_no_sense_is_refused(field, value, words):
    size = len(JOINTS)
    evidence = MotionEvidence(gain=np.ones(size), gain_std=np.ones(size), agreement=1.0, expected_px2=0.0)
    msg = m.velocity_to_msg(estimate(evidence=evidence), JOINTS, latency_s=0.0)
    setattr(msg, field, [math.nan] * size if value == 'nan' else value)
    with pytest.raises(ShapeError, match=words):
        m.velocity_from_msg(msg, JOINTS)


@given(st.permutations(range(len(JOINTS))))
@settings(max_examples=20)
def test_velocity_from_msg_goes_by_name(order):
    msg = m.velocity_to_msg(estimate(), JOINTS, latency_s=0.0)
    for field in ('joint_names', 'velocity', 'delta_q', 'std', 'observability'):
        setattr(msg, field, [getattr(msg, field)[i] for i in order])
    np.testing.assert_array_equal(m.velocity_from_msg(msg, JOINTS).delta_q, estimate().delta_q)


@pytest.mark.parametrize(
    ('field', 'value', 'text'),
    [
        ('joint_names', ['fr3_joint1'] * 7, r'about joints \[fr3_joint1, .* but the robot has \[panda_joint1'),
        ('joint_names', list(JOINTS[:6]), 'but the robot has'),
        ('std', [0.1] * 6, 'has 6 values in std for 7 joints'),
        ('velocity', [0.0, 0.0, 0.0, math.nan, 0.0, 0.0, 0.0], 'velocity of panda_joint4 is nan; the whole message is refused'),
        ('delta_q', [math.inf] * 7, 'delta_q of panda_joint1 is inf'),
        ('dt', 0.0, 'dt = 0.0 s; it must be > 0'),
        ('dt', math.nan, 'dt = nan; it must be finite'),
        ('residual_ratio', math.nan, 'residual_ratio = nan'),
        ('velocity', [1.0] * 7, 'contradicts itself: velocity x dt is not delta_q'),
    ],
)
def test_velocity_from_msg_refuses(field, value, text):
    msg = m.velocity_to_msg(estimate(), JOINTS, latency_s=0.0)
    setattr(msg, field, value)
    with pytest.raises(ShapeError, match=text):
        m.velocity_from_msg(msg, JOINTS)


@given(st.permutations(range(8)))
@settings(max_examples=20)
def test_robot_state_goes_by_name_and_ignores_fingers(order):
    msg = joint_state()
    shuffled = joint_state(**{field: [getattr(msg, field)[i] for i in order] for field in ('name', 'position', 'velocity')})
    state = m.robot_state_from_joint_state(over_the_wire(shuffled), PANDA)
    assert state.stamp_ns == STAMP
    np.testing.assert_array_equal(state.position, PANDA.home)
    np.testing.assert_allclose(state.velocity, [0.1 * i for i in range(7)])


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'name': [*JOINTS[:6], 'elbow', 'finger']}, r'lack panda_joint7 of robot panda; they have \[panda_joint1, .*elbow'),
        ({'name': []}, 'lack panda_joint1, panda_joint2'),
        ({'name': [*JOINTS, 'panda_joint1']}, 'name a joint twice'),
        ({'position': [0.0] * 3}, '3 values in position for 8 joints'),
        ({'velocity': []}, '0 values in velocity for 8 joints; position and velocity of every joint are needed'),
        ({'position': [0.0, math.nan, 0, 0, 0, 0, 0, 0]}, 'joint states: position of panda_joint2 is nan; the whole message is refused'),
        ({'velocity': [0.0, 0, 0, 0, 0, 0, -math.inf, 0]}, 'velocity of panda_joint7 is -inf'),
    ],
)
def test_robot_state_refuses(changes, text):
    with pytest.raises(ShapeError, match=text):
        m.robot_state_from_joint_state(joint_state(**changes), PANDA)


def test_robot_state_refuses_missing_stamp():
    msg = joint_state()
    msg.header.stamp = m.from_ns(0)
    with pytest.raises(ShapeError, match='no stamp; the robot driver must set'):
        m.robot_state_from_joint_state(msg, PANDA)
