# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_sim.mjcf import PREFIX
from vera_sim.scene import sample_scene
from vera_sim.world import World

PANDA = load_embodiment('panda')
HOME = np.array([0.0, -0.45, 0.0, -2.25, 0.0, 1.85, 0.785])
pytestmark = pytest.mark.sim


def test_every_joint_has_positive_damping(world: World) -> None:
    # Joint 6 of the public description has -0.0132, which shakes a stiff arm to pieces.
    assert (world.model.dof_damping[[world.model.joint(PREFIX + name).dofadr[0] for name in PANDA.joint_names]] > 0).all()


def test_servos_move_the_joint_they_are_named_after(world: World) -> None:
    for joint in range(7):
        world.set_joints(HOME)
        target = HOME.copy()
        target[joint] += 0.1
        for _ in range(400):
            world.step(target, np.zeros(7))
        np.testing.assert_allclose(world.joint_position, target, atol=5e-3)


def test_cubes_rest_where_the_scene_puts_them() -> None:
    scene = sample_scene(PANDA, 12)
    world = World(PANDA, scene)
    world.set_joints(HOME)
    for _ in range(500):
        world.step(HOME, np.zeros(7))
    for cube in scene.cubes:
        np.testing.assert_allclose(world.cube_position(cube.name)[:2], cube.xy, atol=1e-3)
    assert world.touching() == ()
    world.close()


def test_cameras_stand_ninety_degrees_apart_and_the_arm_fills_a_good_part_of_the_picture(world: World) -> None:
    front, side = (np.subtract(camera.position, camera.target)[:2] for camera in world.simulation.cameras.values())
    cosine = front @ side / np.linalg.norm(front) / np.linalg.norm(side)
    assert abs(cosine) < 0.05
    world.set_joints(HOME)
    for view in PANDA.view_names:
        assert world.robot_mask(view).mean() > 0.08


def test_all_cubes_are_inside_both_pictures() -> None:
    world = World(PANDA)
    for seed in range(20):
        world.set_scene(sample_scene(PANDA, seed))
        for view in PANDA.view_names:
            for cube in world.scene.cubes:
                uv = world.project(view, cube.top, 256)[0]
                assert (uv > 2).all() and (uv < 253).all(), (seed, view, cube)
    world.close()


def test_picture_shows_a_cube_in_its_colour_where_the_projection_says(world: World) -> None:
    world.set_scene(sample_scene(PANDA, 3))
    world.set_joints(HOME)
    for view in PANDA.view_names:
        picture = world.render(view).astype(int)
        column, row = np.round(world.project(view, world.scene.cube('red_cube').top, 256)[0]).astype(int)
        red, green, blue = picture[row + 1, column]
        assert red > 1.8 * max(green, blue)
