# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The robot's body from its description, where it is led, markers and the dream as a picture. Numbers are derived by hand in the comments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vera_bringup.viewing.body import body_from_urdf, load_body, rotation_about
from vera_bringup.viewing.dream import dream_picture, due_step
from vera_bringup.viewing.leading import Leading
from vera_bringup.viewing.markers import make_markers, quaternion
from vera_bringup.viewing.prediction import predict, tip_paths
from vera_core.embodiment import load_embodiment
from vera_core.errors import EmbodimentError, ShapeError
from vera_core.types import JointVelocity, RobotState, VideoPlan

# Two arms of 1 m and 0.5 m that turn about z, a rail of a tool along x, and a capsule written as cylinder and balls.
PLANAR = """<robot name="planar">
  <material name="red"><color rgba="1 0 0 1"/></material>
  <link name="base"/>
  <link name="upper">
    <visual><origin xyz="0.5 0 0" rpy="0 1.5707963267948966 0"/><geometry><cylinder radius="0.1" length="1"/></geometry><material name="red"/></visual>
    <visual><origin xyz="0 0 0"/><geometry><sphere radius="0.1"/></geometry></visual>
    <visual><origin xyz="1 0 0"/><geometry><sphere radius="0.1"/></geometry></visual>
  </link>
  <link name="lower"><collision><origin xyz="0.25 0 0"/><geometry><box size="0.5 0.2 0.1"/></geometry></collision></link>
  <link name="slide"/><link name="tip"/>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/><axis xyz="0 0 2"/></joint>
  <joint name="elbow" type="continuous"><parent link="upper"/><child link="lower"/><origin xyz="1 0 0"/><axis xyz="0 0 1"/></joint>
  <joint name="rail" type="prismatic"><parent link="lower"/><child link="slide"/><origin xyz="0.5 0 0"/></joint>
  <joint name="flange" type="fixed"><parent link="slide"/><child link="tip"/><origin xyz="0 0 0.3"/></joint>
</robot>"""
JOINTS = ('shoulder', 'elbow')


@pytest.fixture(name='planar')
def planar_fixture():
    return body_from_urdf(PLANAR)


def test_links_stand_where_the_joints_put_them(planar):
    poses = planar.link_poses({'shoulder': math.pi / 2, 'elbow': -math.pi / 2, 'rail': 0.2})
    # The upper arm points along y, the lower one along x again: elbow (0, 1, 0), tip 0.5 + 0.2 further along x and 0.3 up.
    assert poses['lower'][:3, 3] == pytest.approx([0, 1, 0], abs=1e-12)
    assert poses['tip'][:3, 3] == pytest.approx([0.7, 1, 0.3], abs=1e-12)
    assert poses['tip'][:3, :3] == pytest.approx(np.eye(3), abs=1e-12)
    assert planar.joint_names == ('shoulder', 'elbow', 'rail')
    assert planar.tips(JOINTS) == ('tip',)


def test_a_cylinder_between_two_balls_is_one_capsule(planar):
    capsule, box = planar.shapes
    assert (capsule.kind, capsule.radius, capsule.size[2], capsule.colour) == ('capsule', 0.1, 1.0, (1.0, 0.0, 0.0))
    assert capsule.points == pytest.approx(np.array([[0, 0, 0], [1, 0, 0]]), abs=1e-12)
    assert box.kind == 'box'
    assert box.points.min(axis=0) == pytest.approx([0, -0.1, -0.05])
    assert box.points.max(axis=0) == pytest.approx([0.5, 0.1, 0.05])
    ends, corners = planar.shape_points({'shoulder': math.pi / 2})
    assert ends == pytest.approx(np.array([[0, 0, 0], [0, 1, 0]]), abs=1e-12)
    assert corners.shape == (8, 3)


def test_roll_pitch_yaw_turn_about_fixed_axes_in_that_order():
    text = '<robot name="r"><link name="a"/><link name="b"/><joint name="j" type="fixed"><parent link="a"/><child link="b"/><origin rpy="1.5707963267948966 0 1.5707963267948966"/></joint></robot>'
    pose = body_from_urdf(text).link_poses({})['b']
    # Roll takes y to z, then yaw leaves z: the child's y axis is z of the base; x goes to y.
    assert pose[:3, :3] @ [0, 1, 0] == pytest.approx([0, 0, 1], abs=1e-12)
    assert pose[:3, :3] @ [1, 0, 0] == pytest.approx([0, 1, 0], abs=1e-12)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('<robot', 'cannot be read'),
        ('<sdf/>', 'begins with <robot>, this one with <sdf>'),
        ('<robot name="r"><link name="a"/><link name="b"/></robot>', "one tree; roots found: \\['a', 'b'\\]"),
        (PLANAR.replace('type="continuous"', 'type="planar"'), "joint elbow is of type 'planar'; usable are"),
        (PLANAR.replace('xyz="0 0 2"', 'xyz="0 0 0"'), 'joint shoulder has the axis'),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_in_words(text, words):
    with pytest.raises(EmbodimentError, match=words):
        body_from_urdf(text)


@pytest.mark.parametrize(('name', 'tips'), [('panda', 1), ('fr3', 1), ('allegro', 4)])
def test_the_shipped_robots_have_a_body_with_their_joints(name, tips):
    robot = load_embodiment(name)
    body = load_body(robot)
    assert body is not None
    assert set(robot.joint_names) <= set(body.joint_names)
    assert len(body.tips(robot.joint_names)) == tips
    assert len(body.shapes) >= 18


def test_the_hand_of_the_panda_hangs_where_the_kinematics_say():
    body = load_body(load_embodiment('panda'))
    # All joints at zero: 0.088 m out; up 0.333 + 0.316 + 0.384, down the flange 0.107 and 0.1034 to the point between the fingers.
    tip = body.link_poses({})['panda_hand_tcp'][:3, 3]
    assert tip == pytest.approx([0.088, 0, 0.333 + 0.316 + 0.384 - 0.107 - 0.1034], abs=1e-4)


def test_a_robot_without_description_has_no_body():
    assert load_body(load_embodiment('finger_3')) is None


def test_the_way_leads_from_the_measured_joints_over_the_command_to_the_aim():
    measured, aim = np.zeros(2), np.array([0.5, 0.0])
    way = predict(measured, np.linspace([0.0, 0.0], [0.2, 0.1], 100), aim, longest=5)
    assert way.is_moving
    assert len(way.path) == 1 + 5 + 1
    assert way.path[0] == pytest.approx([0, 0])
    assert way.path[5] == pytest.approx([0.2, 0.1])
    assert way.goal == pytest.approx(aim)
    still = predict(measured, np.full((3, 2), 1e-4), None)
    assert not still.is_moving
    with pytest.raises(ShapeError, match='aim has shape'):
        predict(measured, None, np.zeros(3))


def test_tips_move_along_the_way(planar):
    (points,) = tip_paths(planar, JOINTS, np.array([[0.0, 0.0], [math.pi / 2, 0.0]])).values()
    assert points == pytest.approx(np.array([[1.5, 0, 0.3], [0, 1.5, 0.3]]), abs=1e-12)


def test_the_ghost_and_the_way_are_markers(planar):
    markers = make_markers(planar, JOINTS, predict(np.zeros(2), None, np.array([math.pi / 2, 0.0])))
    line, barrel, low, high, box = markers
    assert (line.group, line.kind, line.points.shape) == ('path', 'line', (2, 3))
    assert [marker.kind for marker in markers[1:]] == ['cylinder', 'sphere', 'sphere', 'box']
    assert barrel.scale == pytest.approx((0.2, 0.2, 1.0))
    assert barrel.position == pytest.approx((0, 0.5, 0), abs=1e-12)
    assert sorted([low.position[1], high.position[1]]) == pytest.approx([0, 1], abs=1e-12)
    assert box.position == pytest.approx((0, 1.25, 0), abs=1e-12)
    # A quarter turn about z: (0, 0, sin 45, cos 45).
    assert box.quat_xyzw == pytest.approx((0, 0, math.sqrt(0.5), math.sqrt(0.5)), abs=1e-12)
    assert make_markers(planar, JOINTS, predict(np.zeros(2), None, None)) == []


@pytest.mark.parametrize('angle', [0.0, 1e-9, 0.3, math.pi - 1e-9, math.pi, 4.0])
def test_quaternions_turn_as_their_matrices_do(angle):
    axis = np.array([0.36, 0.48, 0.8])
    x, y, z, w = quaternion(rotation_about(axis, angle))
    # Half the angle along the axis, with the sign that makes the last component positive.
    half = np.append(axis * math.sin(angle / 2), math.cos(angle / 2))
    assert abs(np.dot([x, y, z, w], half)) == pytest.approx(1.0, abs=1e-12)
    assert w >= 0


def state(stamp_ns, *position):
    return RobotState(stamp_ns=stamp_ns, position=np.array(position), velocity=np.zeros(len(position)))


def estimate(stamp_ns, *delta_q):
    n = len(delta_q)
    return JointVelocity(
        stamp_ns=stamp_ns, plan_id=4, task_id=1, step=3, dt_s=0.3, delta_q=np.array(delta_q), std=np.zeros(n), observability=np.ones(n),
        residual_ratio=0.25, residual_px=0.5, condition=2.0, remaining_px=5.0, at_plan_end=False,
    )  # fmt: skip


def test_the_step_of_an_estimate_begins_where_the_joints_were_at_its_picture():
    robot = load_embodiment('finger_2')
    leading = Leading(robot)
    assert leading.prediction(0) is None
    leading.on_state(state(1_000_000_000, 0.1, 0.0))
    leading.on_state(state(1_200_000_000, 0.2, 0.0))
    leading.on_estimate(estimate(1_010_000_000, 0.3, 0.0), 1_200_000_000)
    way = leading.prediction(1_250_000_000)
    assert way.path[0] == pytest.approx([0.2, 0.0])
    assert way.goal == pytest.approx([0.4, 0.0])
    # An estimate older than 0.6 s leads nowhere.
    assert not leading.prediction(1_900_000_000).is_moving


def test_the_dream_shows_the_frame_that_is_asked_for():
    frames = np.zeros((4, 8, 8, 3), np.uint8)
    frames[2] = 200
    plan = VideoPlan(plan_id=1, task_id=1, prompt='x', stamp_ns=0, step_dt_s=0.5, frames={'front': frames, 'side': frames})
    picture = dream_picture(plan, 2)
    assert picture.shape == (16, 32, 3)
    assert picture[0, 0].tolist() == [200, 200, 200]
    assert dream_picture(plan, 99)[0, 0].tolist() == [0, 0, 0]
    assert [due_step(plan, round(seconds * 1e9)) for seconds in (0.0, 0.6, 1.0, 9.0)] == [0, 1, 2, 3]
