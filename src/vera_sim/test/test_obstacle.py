# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A block in the way: the cameras do not see it, the arm meets it, its force is measured."""

from __future__ import annotations

import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_sim.expert import DOWN, HOME, solve_fingertip
from vera_sim.obstacle import obstacle_from
from vera_sim.world import World

PLATE = (0.5, 0.0, 0.2, 0.4, 0.5, 0.01)


@pytest.mark.sim
def test_no_camera_sees_it_and_the_arm_pushes_against_it():
    robot = load_embodiment('panda')
    world, free = World(robot, obstacle=obstacle_from(PLATE)), World(robot)
    np.testing.assert_array_equal(world.render('front'), free.render('front'))
    above, _ = solve_fingertip(np.array([0.5, 0.0, 0.24]), DOWN, HOME, HOME)
    for each in (world, free):
        each.set_joints(above)
        assert each.push() == 0.0
    below, _ = solve_fingertip(np.array([0.5, 0.0, 0.19]), DOWN, above, above)
    for share in np.linspace(0.0, 1.0, 500):
        for each in (world, free):
            each.step(above + share * (below - above), np.zeros(7))
    assert free.push() == 0.0
    assert world.push() > 20.0
    assert world.fingertip[2] > free.fingertip[2] + 0.005
    assert free.has_obstacle is False
    world.close()
    free.close()


@pytest.mark.parametrize('numbers', [(1.0,), (0.0,) * 6, (0.0, 0.0, 0.0, 0.1, -0.1, 0.1)])
def test_one_that_cannot_be_is_refused(numbers):
    with pytest.raises(ConfigError, match='three positive half edges'):
        obstacle_from(numbers)


def test_there_is_none_by_default():
    assert obstacle_from(()) is None


@pytest.mark.sim
def test_a_joint_never_does_more_than_its_torque():
    robot = load_embodiment('panda')
    world = World(robot, obstacle=obstacle_from(PLATE))
    above, _ = solve_fingertip(np.array([0.5, 0.0, 0.24]), DOWN, HOME, HOME)
    below, _ = solve_fingertip(np.array([0.5, 0.0, 0.10]), DOWN, above, above)
    world.set_joints(above)
    highest = np.zeros(7)
    for share in np.linspace(0.0, 1.0, 500):
        world.step(above + share * (below - above), np.zeros(7))
        highest = np.maximum(highest, np.abs(world.data.qfrc_actuator[:7]))
    torque = np.array(robot.simulation.servo.torque)
    assert np.all(highest <= torque + 1e-9)
    assert np.any(highest > 0.99 * torque)  # 0.14 m into the pane asks for more than there is
    world.close()
