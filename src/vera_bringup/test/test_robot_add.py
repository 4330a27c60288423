# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from vera_bringup.robot_add import add_robot
from vera_bringup.robot_cameras import propose_cameras
from vera_bringup.robot_model import read_robot
from vera_bringup.robot_yaml import spread_of
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, EmbodimentError
from vera_sim.world import World

LINK = """<link name="{name}"><inertial><origin xyz="0 0 .1"/><mass value="1"/><inertia ixx=".01" iyy=".01" izz=".01" ixy="0" ixz="0" iyz="0"/>
</inertial><visual><origin xyz="0 0 .1"/><geometry>{shape}</geometry></visual>{more}</link>"""
BOX = '<box size=".05 .06 .2"/>'
JOINT = """<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/><origin xyz="0 0 {height}"/><axis xyz="{axis}"/>
<limit lower="-1.2" upper="2" effort="20" velocity="{velocity}"/>{more}</joint>"""


def link(name: str, shape: str = BOX, more: str = '') -> str:
    return LINK.format(name=name, shape=shape, more=more)


def joint(name: str, parent: str, child: str, *, kind='revolute', axis='0 1 0', velocity='1.8', height='.2', more='') -> str:
    return JOINT.format(name=name, parent=parent, child=child, kind=kind, axis=axis, velocity=velocity, height=height, more=more)


ARM = [
    link('base'),
    *(link(f'l{i}') for i in range(1, 5)),
    joint('turn', 'base', 'l1', axis='0 0 1', height='0'),
    joint('shoulder', 'l1', 'l2', velocity='0'),
    joint('elbow', 'l2', 'l3'),
    joint('wrist', 'l3', 'l4', kind='continuous', axis='0 0 1'),
]

FLOATING = """<mujoco><worldbody><body name="b"><freejoint/><geom size=".1"/><body><joint name="j" range="-1 1"/><geom size=".1"/></body></body>
</worldbody></mujoco>"""
NO_MESH = '<mesh filename="no.stl"/>'
UNSEEN = f'<robot name="r">{link("base", NO_MESH)}{link("l1", NO_MESH)}{joint("j", "base", "l1")}</robot>'


@pytest.fixture
def urdf(tmp_path: Path):
    """A writer of URDF files: urdf(*parts) gives the path."""

    def write(*parts: str, name: str = 'small_arm.urdf') -> Path:
        path = tmp_path / name
        path.write_text(f'<robot name="small"> {"".join(parts)} </robot>', encoding='utf-8')
        return path

    return write


@pytest.fixture
def mjcf(tmp_path: Path):
    """A writer of MJCF files: mjcf(body, rest)."""

    def write(body: str, rest: str = '') -> Path:
        path = tmp_path / 'arm.xml'
        path.write_text(f'<mujoco><compiler angle="radian"/><worldbody>{body}</worldbody>{rest}</mujoco>', encoding='utf-8')
        return path

    return write


def test_a_urdf_becomes_a_robot_file_that_every_command_can_load_and_simulate(urdf, tmp_path):
    path, guesses = add_robot(urdf(*ARM), out=tmp_path / 'robots' / 'mine.yaml')
    robot = load_embodiment(str(path))
    assert robot.name == 'small_arm'
    assert robot.base_frame == 'base'
    assert robot.joint_names == ('turn', 'shoulder', 'elbow', 'wrist')
    assert [(j.lower, j.upper) for j in robot.joints] == [(-1.2, 2.0)] * 3 + [(-3.1, 3.1)]
    assert [j.velocity for j in robot.joints] == [1.8, 1.5, 1.8, 1.8]
    # The middle of -1.2..2 is 0.4.
    np.testing.assert_allclose(robot.home, [0.4, 0.4, 0.4, 0.0])
    text = ' '.join(guesses)
    for words in (
        'range of wrist: without end',
        'velocity limit of shoulder: not in the file, set to 1.5',
        'jerk',
        'middle of the joint ranges',
    ):
        assert words in text
    assert robot.simulation is not None
    assert robot.simulation.model_path == (tmp_path / 'small_arm.urdf')
    world = World(robot)
    for view in robot.view_names:
        geoms = world.render_geoms(view, 64)
        covered = (world.robot_geoms[geoms] & (geoms >= 0)).mean()
        assert covered > 0.03, f'the robot covers {covered:.1%} of view {view}'
    world.close()


def test_a_servo_of_a_new_robot_holds_it_against_gravity(urdf, tmp_path):
    path, _ = add_robot(urdf(*ARM), out=tmp_path / 'mine.yaml')
    robot = load_embodiment(str(path))
    world = World(robot)
    world.set_joints(robot.home)
    for _ in range(500):
        world.step(robot.home, np.zeros(4))
    assert np.abs(world.joint_position - robot.home).max() < 0.02
    assert np.abs(world.joint_velocity).max() < 1e-3


def test_the_controller_accepts_the_guessed_limits(urdf, tmp_path):
    from vera_control.limits import limits_of

    path, _ = add_robot(urdf(*ARM), out=tmp_path / 'mine.yaml')
    assert limits_of(load_embodiment(str(path))).shaped_velocity.min() > 0.3


def test_a_joint_that_follows_another_is_left_out(urdf):
    follower = joint('finger', 'l4', 'l5', more='<mimic joint="wrist" multiplier="1"/>')
    robot = read_robot(urdf(*ARM, link('l5'), follower))
    assert [j.name for j in robot.joints] == ['turn', 'shoulder', 'elbow', 'wrist']
    assert any('left out: finger' in guess for guess in robot.guesses)


def test_a_key_frame_is_the_home_pose(mjcf):
    body = (
        '<body name="a"><joint name="one" axis="0 1 0" range="-1 1"/><geom type="box" size=".02 .02 .1" pos="0 0 .1"/>'
        '<body name="b" pos="0 0 .2"><joint name="two" axis="0 1 0" range="-1 1"/><geom type="box" size=".02 .02 .1" pos="0 0 .1"/></body></body>'
    )
    keys = '<keyframe><key name="other" qpos="0 0"/><key name="home" qpos=".3 -.7"/></keyframe>'
    robot = read_robot(mjcf(body, keys))
    np.testing.assert_allclose(robot.home, [0.3, -0.7])
    assert any("key frame 'home'" in guess for guess in robot.guesses)
    assert robot.base_frame == 'a'


def test_two_cameras_a_quarter_turn_apart_see_the_whole_reach(urdf):
    robot = read_robot(urdf(*ARM))
    spread = spread_of(robot)
    cameras = propose_cameras(robot, spread)
    away = [np.subtract(camera.position, camera.target)[:2] for camera in cameras.values()]
    assert abs(away[0] @ away[1]) < 1e-2 * np.linalg.norm(away[0]) * np.linalg.norm(away[1])
    # The tip of the arm, at random poses no camera was placed by.
    import mujoco

    data, rng = mujoco.MjData(robot.model), np.random.default_rng(1)
    tips = []
    for _ in range(200):
        data.qpos[robot.qpos_index] = robot.home + rng.normal(0, spread)
        mujoco.mj_kinematics(robot.model, data)
        tips.append(data.body('l4').xpos.copy())
    for camera in cameras.values():
        right, up = camera.xyaxes[:3], camera.xyaxes[3:]
        from_camera = np.array(tips) - camera.position
        depth = -from_camera @ np.cross(right, up)
        place = np.stack([from_camera @ right, from_camera @ up], axis=1) / depth[:, None] / np.tan(np.deg2rad(camera.fovy_deg) / 2)
        assert (np.abs(place) < 1.0).all(axis=1).mean() > 0.97
        assert np.abs(place).max() > 0.5, 'the reach should fill the picture'


def test_meshes_named_by_package_are_found_and_collada_gives_way_to_the_collision_shape(tmp_path):
    package = tmp_path / 'some_description'
    (package / 'meshes').mkdir(parents=True)
    (package / 'urdf').mkdir()
    corners = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]], np.float32)
    faces = [corners[list(face)] for face in ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))]
    body = b''.join(struct.pack('<12fH', *([0.0] * 3), *face.ravel().tolist(), 0) for face in faces)
    (package / 'meshes' / 'part.stl').write_bytes(b' ' * 80 + struct.pack('<I', len(faces)) + body)
    (package / 'meshes' / 'pretty.dae').write_text('<COLLADA/>', encoding='utf-8')
    mesh = '<mesh filename="package://some_description/meshes/part.stl"/>'
    collision = f'<collision><geometry>{mesh}</geometry></collision>'
    parts = [
        link('base', mesh, collision),
        link('l1', '<mesh filename="package://some_description/meshes/pretty.dae"/>', collision),
        joint('one', 'base', 'l1'),
    ]
    path = package / 'urdf' / 'robot.urdf'
    path.write_text(f'<robot name="r">{"".join(parts)}</robot>', encoding='utf-8')
    robot = read_robot(path)
    # Base: seen by its visual mesh alone; l1: only its collision shape can be read.
    seen = robot.model.geom_group < 3
    bodies = [robot.model.body(int(body)).name for body in robot.model.geom_bodyid]
    assert sorted(zip(bodies, seen.tolist(), strict=True)) == [('base', False), ('base', True), ('l1', True)]


@pytest.mark.parametrize(
    ('text', 'name', 'words'),
    [
        ('<robot name="r"><link name="a"/></robot>', 'r.txt', 'no robot description by its name'),
        ('<robot name="r"><link', 'r.urdf', 'is no XML'),
        ('<launch/>', 'r.xml', 'begins with <launch>'),
        ('<robot name="r"><link name="a"/></robot>', 'r.urdf', 'no joint that turns'),
        ('<mujoco><worldbody><body><joint name="j" axis="0 0"/></body></worldbody></mujoco>', 'r.xml', 'cannot be read by MuJoCo'),
        (FLOATING, 'r.xml', 'only robots on a fixed base'),
        ('<mujoco><worldbody><body><joint range="-1 1"/><geom size=".1"/></body></worldbody></mujoco>', 'r.xml', 'has no name'),
        (UNSEEN, 'r.urdf', 'no shape that a camera could see'),
    ],
)
def test_an_unusable_description_is_refused_in_words(tmp_path, text, name, words):
    path = tmp_path / name
    path.write_text(text, encoding='utf-8')
    with pytest.raises((ConfigError, EmbodimentError), match=words):
        add_robot(path, out=tmp_path / 'out.yaml')
    assert not (tmp_path / 'out.yaml').exists()


def test_a_taken_name_and_a_file_that_exists_are_refused(urdf, tmp_path):
    with pytest.raises(ConfigError, match="'panda' is the name of a robot that is included"):
        add_robot(urdf(*ARM), name='panda')
    with pytest.raises(ConfigError, match='cannot be the name of a robot'):
        add_robot(urdf(*ARM), name='My Arm')
    target = tmp_path / 'mine.yaml'
    target.write_text('precious', encoding='utf-8')
    with pytest.raises(ConfigError, match='exists; give another --out, or --overwrite'):
        add_robot(urdf(*ARM), out=target)
    assert target.read_text(encoding='utf-8') == 'precious'
    add_robot(urdf(*ARM), out=target, overwrite=True)
    assert load_embodiment(str(target)).name == 'small_arm'
