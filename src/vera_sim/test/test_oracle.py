# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The oracle against finite differences of MuJoCo's own kinematics: everything learned is measured with this yardstick."""

from __future__ import annotations

import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_sim.oracle import image_flow, image_jacobian
from vera_sim.world import World

Q = np.array([0.2, 0.1, 0.1, -2.0, 0.1, 2.1, 0.785])
pytestmark = pytest.mark.sim


@pytest.mark.parametrize('view', ['front', 'side'])
@pytest.mark.parametrize('joint', range(7))
def test_jacobian_column_equals_finite_difference_of_rigid_flow(world: World, view: str, joint: int) -> None:
    step = np.zeros(7)
    step[joint] = 1e-4
    field = image_jacobian(world, view, Q, stride=1)
    numeric = image_flow(world, view, Q, Q + step) / 1e-4
    # The rest is the second-order term of the flow: 1e-4 rad times some 100 px/rad² of curvature.
    np.testing.assert_allclose(field.jacobian[..., joint], numeric, atol=0.02)
    assert np.abs(numeric).max() > 5.0


@pytest.mark.parametrize(('name', 'least'), [('allegro', 1.0), ('finger_3', 5.0), ('finger_16', 1.0)])
def test_every_column_of_any_robot_equals_the_finite_difference(name: str, least: float) -> None:
    robot = load_embodiment(name)
    world, q = World(robot), robot.home + 0.05
    for view in robot.view_names:
        field = image_jacobian(world, view, q, stride=1)
        assert field.jacobian.shape == (128, 128, 2, len(robot.joints))
        for joint in range(len(robot.joints)):
            step = np.zeros(len(robot.joints))
            step[joint] = 1e-4
            numeric = image_flow(world, view, q, q + step) / 1e-4
            np.testing.assert_allclose(field.jacobian[..., joint], numeric, atol=0.03)
            assert np.abs(numeric).max() > least
    world.close()


@pytest.mark.parametrize('view', ['front', 'side'])
def test_flow_moves_a_point_of_the_hand_where_the_projection_of_that_point_goes(world: World, view: str) -> None:
    q_to = Q + np.array([0.015, -0.009, 0.006, 0.012, 0.0, 0.015, 0.0])
    hand = world.model.body('robot/panda_hand').id
    world.set_joints(Q)
    local = np.array([0.0, 0.06, 0.05])
    world_point = world.data.xpos[hand] + world.data.xmat[hand].reshape(3, 3) @ local
    before = world.project(view, world_point, 128)[0]
    world.set_joints(q_to)
    after = world.project(view, world.data.xpos[hand] + world.data.xmat[hand].reshape(3, 3) @ local, 128)[0]
    flow = image_flow(world, view, Q, q_to)
    column, row = np.round(before).astype(int)
    patch = flow[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 2)
    nearest = np.linalg.norm(patch - (after - before), axis=1).min()
    # The point lies a little under the surface, hence the rest.
    assert nearest < 0.12, f'{patch} against {after - before}'


def test_flow_is_zero_off_the_robot_and_for_no_motion(world: World) -> None:
    assert np.abs(image_flow(world, 'front', Q, Q)).max() < 1e-4
    flow = image_flow(world, 'front', Q, Q + 0.05)
    world.set_joints(Q)
    off = ~(world.render_geoms('front', 128) >= 0) | ~world.robot_geoms[world.render_geoms('front', 128)]
    assert np.abs(flow[off]).max() == 0.0


def test_cells_average_their_pixels(world: World) -> None:
    fine = image_jacobian(world, 'side', Q, stride=1).jacobian
    coarse = image_jacobian(world, 'side', Q, stride=4).jacobian
    np.testing.assert_allclose(coarse[10, 12], fine[40:44, 48:52].mean(axis=(0, 1)), atol=1e-4)
