# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The robots beside the Panda: where their joints take them, how they stand in the pictures, and robots from files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError, EmbodimentError
from vera_core.finger import BASE, REACH_M
from vera_sim.poses import pose_sampler
from vera_sim.scene import sample_scene
from vera_sim.world import World

pytestmark = pytest.mark.sim
ALLEGRO = load_embodiment('allegro')


@pytest.fixture(scope='module')
def hand() -> Iterator[World]:
    made = World(ALLEGRO)
    yield made
    made.close()


def on_picture(world: World, points: np.ndarray) -> bool:
    pixels = np.concatenate([world.project(view, points, 256) for view in world.robot.view_names])
    return bool((pixels > 1).all() and (pixels < 254).all())


def test_stretched_fingers_have_the_length_of_the_description(hand: World) -> None:
    zero = np.zeros(16)
    zero[12] = ALLEGRO.joints[12].lower
    hand.set_joints(zero)
    index, middle, ring, _ = hand.fingertips
    # 0.7 mm root + 16.4 + 54 + 38.4 to the last joint, then the tip's middle 19 + half length 10 + radius 12.
    np.testing.assert_allclose(middle, [0.1505, 0.0, 0.12], atol=1e-6)
    # The outer fingers lean out by 5 degrees from roots 43.5 mm to the sides; the index finger is at -y with the palm up.
    length = 0.1498
    np.testing.assert_allclose(
        index, [-0.001542 + length * np.cos(np.deg2rad(5)), -0.0435 - length * np.sin(np.deg2rad(5)), 0.12], atol=1e-5
    )
    np.testing.assert_allclose(ring * [1, -1, 1], index, atol=1e-6)


def test_flexion_lifts_the_tips_over_the_palm_and_abduction_moves_them_sideways(hand: World) -> None:
    hand.set_joints(ALLEGRO.home)
    before = hand.fingertips
    for joint in range(16):
        moved = ALLEGRO.home.copy()
        moved[joint] += 0.1
        hand.set_joints(moved)
        change = hand.fingertips - before
        finger = joint // 4
        assert np.linalg.norm(change[finger]) > 2e-3
        np.testing.assert_allclose(np.delete(change, finger, axis=0), 0.0, atol=1e-9)
        if finger < 3:
            assert abs(change[finger][1]) > 2e-3 if joint % 4 == 0 else change[finger][0] < -1e-3


def test_servos_hold_the_hand_against_gravity_and_the_cube_stays(hand: World) -> None:
    hand.set_scene(sample_scene(ALLEGRO, 4))
    hand.set_joints(ALLEGRO.home)
    place = hand.cube_position('cube')
    for step in range(750):
        target = ALLEGRO.home + 0.15 * min(1.0, step / 400)
        hand.step(target, np.full(16, 0.15 / 0.8 if step < 400 else 0.0))
    np.testing.assert_allclose(hand.joint_position, ALLEGRO.home + 0.15, atol=4e-3)
    np.testing.assert_allclose(hand.cube_position('cube'), place, atol=1e-3)
    assert hand.touching() == ('cube',)


def test_the_hand_fills_both_pictures_from_ninety_degrees_apart(hand: World) -> None:
    front, side = (np.subtract(camera.position, camera.target)[:2] for camera in hand.simulation.cameras.values())
    assert abs(front @ side / np.linalg.norm(front) / np.linalg.norm(side)) < 0.05
    hand.set_joints(ALLEGRO.home)
    assert min(hand.robot_mask(view).mean() for view in ALLEGRO.view_names) > 0.15
    assert hand.scene.cubes[0].name == 'cube'
    poses = pose_sampler(hand)
    inside = []
    for seed in range(20):
        hand.set_joints(poses.start_pose(seed))
        inside.append(on_picture(hand, hand.fingertips))
    assert np.mean(inside) >= 0.8


@pytest.mark.parametrize('count', [1, 3, 16])
def test_a_finger_is_the_planar_chain_it_is_meant_to_be_and_never_leaves_the_picture(count: int) -> None:
    world, rng = World(load_embodiment(f'finger_{count}')), np.random.default_rng(count)
    for _ in range(10):
        q = rng.uniform(-1.2, 1.2, count)
        world.set_joints(q)
        # A turn by a about x takes z to (-sin a, cos a) in the plane of y and z; turns add up along the chain.
        angle = np.cumsum(q)
        tip = np.array(BASE)[1:] + REACH_M / count * np.array([-np.sin(angle).sum(), np.cos(angle).sum()])
        np.testing.assert_allclose(world.fingertip[1:], tip, atol=1e-5)
        assert on_picture(world, world.data.xpos[world.robot_bodies]) and on_picture(world, world.fingertips)
    # Without weight and contact nothing pulls a finger away from where its servos hold it.
    for _ in range(50):
        world.step(q, np.zeros(count))
    np.testing.assert_allclose(world.joint_position, q, atol=1e-9)
    world.set_joints(np.zeros(count))
    assert world.robot_mask('face').mean() > 0.02
    world.close()


def test_a_scene_of_another_robot_is_refused(hand: World) -> None:
    with pytest.raises(ConfigError, match='does not fit robot allegro'):
        hand.set_scene(sample_scene(load_embodiment('panda'), 0))


def test_a_robot_without_simulation_is_refused() -> None:
    with pytest.raises(EmbodimentError, match="robot allegro has no 'simulation' block"):
        World(dataclasses.replace(ALLEGRO, simulation=None))


ARM = """<mujoco><compiler angle="radian"/><worldbody><geom type="plane" size="1 1 .1" pos="0 0 -0.3"/>
<body name="base" pos="0 0 0.2"><geom type="box" size=".05 .05 .05" group="0"/>
<body name="upper"><joint name="{joint}" axis="0 1 0" range="-2 2" damping="-0.1"/><geom type="capsule" fromto="0 0 0 0.2 0 0" size=".02"/>
<body name="lower" pos="0.2 0 0"><joint name="finger_joint2" axis="0 1 0" range="-2 2"/><geom type="capsule" fromto="0 0 0 0.2 0 0" size=".02"/>
<body name="loose" pos="0.2 0 0"><joint name="gripper" type="slide" axis="1 0 0" range="0 .04"/><geom type="box" size=".01 .01 .01"/>
</body></body></body></body></worldbody><actuator><motor joint="finger_joint2"/></actuator></mujoco>"""


def from_file(path: Path, joint: str) -> Embodiment:
    path.write_text(ARM.format(joint=joint), encoding='utf-8')
    finger = load_embodiment('finger_2')
    assert finger.simulation is not None
    simulation = dataclasses.replace(
        finger.simulation, model=str(path), servo=dataclasses.replace(finger.simulation.servo, stiffness=300.0)
    )
    return dataclasses.replace(finger, simulation=simulation)


def test_a_robot_from_a_file_stands_still_under_its_servos_and_holds_what_nobody_drives(tmp_path: Path) -> None:
    robot = from_file(tmp_path / 'arm.xml', 'finger_joint1')
    world = World(robot)
    assert world.passive_names == ('gripper',)
    assert (world.model.dof_damping > 0).sum() >= 2
    assert not world.robot_geoms[world.model.geom_bodyid == 0].any()
    q = np.array([-0.3, 0.5])
    world.set_joints(q)
    for _ in range(500):
        world.step(q, np.zeros(2))
    np.testing.assert_allclose(world.joint_position, q, atol=0.02)
    assert np.abs(world.joint_velocity).max() < 1e-3
    np.testing.assert_allclose(world.passive_position, 0.0, atol=1e-3)
    # Without a site of that name the last link's middle is the tip: 0.4 m out when stretched, on a base 0.2 m over BASE.
    world.set_joints(np.zeros(2))
    np.testing.assert_allclose(world.fingertips, [np.add(BASE, [0.4, 0.0, 0.2])], atol=1e-6)
    world.close()


def test_links_that_are_drawn_into_each_other_do_not_fight_their_servos(tmp_path: Path) -> None:
    robot = from_file(tmp_path / 'arm.xml', 'finger_joint1')
    wide = ARM.replace('<body name="loose" pos="0.2 0 0">', '<body name="loose" pos="-0.2 0 0">').format(joint='finger_joint1')
    (tmp_path / 'arm.xml').write_text(wide, encoding='utf-8')
    world = World(robot)
    world.set_joints(robot.home)
    for _ in range(200):
        world.step(robot.home, np.zeros(2))
    assert not any(world.robot_geoms[contact.geom].all() for contact in world.data.contact)
    np.testing.assert_allclose(world.joint_position, robot.home, atol=0.02)
    world.close()


def test_a_joint_the_file_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbodimentError, match='has no joint finger_joint1; its joints are elbow, finger_joint2, gripper'):
        World(from_file(tmp_path / 'arm.xml', 'elbow'))


def test_a_built_in_model_nobody_knows_is_named_with_the_nearest() -> None:
    assert ALLEGRO.simulation is not None
    wrong = dataclasses.replace(ALLEGRO, simulation=dataclasses.replace(ALLEGRO.simulation, model='alegro'))
    with pytest.raises(EmbodimentError, match=r"unknown simulation\.model 'alegro'.*Did you mean 'allegro'"):
        World(wrong)
