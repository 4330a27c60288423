# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The robots' URDF files against the bodies the simulator moves, which come from elsewhere: the wheel of dm_robotics-panda, and Wonik's figures."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_sim.mjcf import PREFIX
from vera_sim.robots.description import read_description
from vera_sim.robots.panda_meshes import panda_folder
from vera_sim.world import World

FINGERS = ('index', 'middle', 'ring', 'thumb')
PAIRS = {
    'panda': {f'panda_link{number}': f'panda_link{number}' for number in range(1, 9)} | {'panda_hand': 'panda_hand'},
    'allegro': {f'link_{4 * finger + link}_0': f'{name}_{link}' for finger, name in enumerate(FINGERS) for link in range(4)},
}
"""Robot to link of its URDF to body of the simulator."""


@pytest.mark.sim
@pytest.mark.parametrize('name', ['panda', 'allegro'])
def test_links_are_where_the_simulator_has_them(name: str) -> None:
    robot = load_embodiment(name)
    assert robot.description is not None
    world = World(robot)
    model = read_description(robot.description).compile()
    data = mujoco.MjData(model)
    base = {'panda': 'panda_link0', 'allegro': 'palm'}[name]
    rng = np.random.default_rng(3)
    for _ in range(50):
        pose = rng.uniform(robot.limits('lower'), robot.limits('upper'))
        world.set_joints(pose)
        data.qpos[[model.joint(joint).qposadr[0] for joint in robot.joint_names]] = pose
        mujoco.mj_kinematics(model, data)
        frame = world.data.body(PREFIX + base)
        turn = frame.xmat.reshape(3, 3)
        for link, body in PAIRS[name].items():
            there = world.data.body(PREFIX + body)
            np.testing.assert_allclose(data.body(link).xpos, turn.T @ (there.xpos - frame.xpos), atol=1e-5)
            np.testing.assert_allclose(data.body(link).xmat.reshape(3, 3), turn.T @ there.xmat.reshape(3, 3), atol=1e-4)


def test_capsules_hold_the_meshes_of_the_panda() -> None:
    robot = load_embodiment('panda')
    assert robot.description is not None
    model = read_description(robot.description).compile()
    for number in range(1, 8):
        points = _vertices(f'link{number}')
        outside = np.full(len(points), np.inf)
        body = model.body(f'panda_link{number}').id
        for geom in range(model.ngeom):
            if model.geom_bodyid[geom] == body and model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CYLINDER:
                axis = np.zeros(3)
                mujoco.mju_rotVecQuat(axis, np.array([0.0, 0.0, 1.0]), model.geom_quat[geom])
                radius, half = model.geom_size[geom][:2]
                along = np.clip((points - model.geom_pos[geom]) @ axis, -half, half)
                gap = np.linalg.norm(points - model.geom_pos[geom] - along[:, None] * axis, axis=1) - radius
                outside = np.minimum(outside, gap)
        assert outside.max() < 0.006
        assert np.mean(outside > 0.003) < 0.02


def _vertices(link: str) -> np.ndarray:
    lines = (panda_folder() / f'{link}.obj').read_text(encoding='utf-8').splitlines()
    return np.array([[float(x) for x in line.split()[1:4]] for line in lines if line.startswith('v ')])
