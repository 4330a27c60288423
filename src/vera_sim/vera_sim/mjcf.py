# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts the MuJoCo model together: room and cameras, the robot with its servos, the objects of the scene."""

from __future__ import annotations

import mujoco

from vera_core.embodiment import Embodiment
from vera_core.errors import EmbodimentError
from vera_sim.obstacle import Obstacle, add_obstacle
from vera_sim.robots import robot_spec
from vera_sim.robots.panda import GRIPPER
from vera_sim.scene import required_simulation
from vera_sim.scenery import add_objects, room_spec
from vera_sim.textures import texture_files

PREFIX = 'robot/'
"""Before every name of the robot's model, so that it never meets one of the scene's."""


def build_model(robot: Embodiment, obstacle: Obstacle | None = None) -> mujoco.MjModel:
    """Compile robot and scene, and an obstacle where there is one.

    Raises:
        EmbodimentError: If the robot cannot be simulated, or its joints and those of its model do not agree.
    """
    simulation = required_simulation(robot)
    model = room_spec(simulation)
    base = simulation.base
    model.attach(robot_spec(robot), prefix=PREFIX, frame=model.worldbody.add_frame(pos=base.position, quat=base.quat_wxyz))
    add_objects(model, simulation.scene)
    if GRIPPER in robot.joint_names:
        # What is held creeps out of the grip under friction that is only nearly dry.
        model.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        model.option.impratio = 10.0
        model.option.noslip_iterations = 3
    if obstacle is not None:
        add_obstacle(model, obstacle)
    model.assets = texture_files()
    try:
        return model.compile()
    except ValueError as error:
        raise EmbodimentError(f'model {simulation.model} of robot {robot.name} cannot be compiled by MuJoCo: {error}') from error
