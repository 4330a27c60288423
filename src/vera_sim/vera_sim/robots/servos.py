# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Servos at the driven joints: one actuator for the position, one for the velocity of each."""

from __future__ import annotations

import mujoco

from vera_core.embodiment import Embodiment
from vera_core.errors import EmbodimentError
from vera_sim.scene import required_simulation


def add_servos(spec: mujoco.MjSpec, robot: Embodiment) -> mujoco.MjSpec:
    """Add actuators `JOINT_position` and `JOINT_velocity` for every joint of the robot and return the spec.

    Both together never exceed the joint's torque, where the robot file has one.

    Raises:
        EmbodimentError: If the model lacks a joint; the text lists those it has.
    """
    servo = required_simulation(robot).servo
    there = {joint.name: joint for joint in spec.joints}
    missing = [name for name in robot.joint_names if name not in there]
    if missing:
        raise EmbodimentError(
            f'the model of robot {robot.name} has no joint {", ".join(missing)}; its joints are {", ".join(there) or "none"}'
        )
    for name in robot.joint_names:
        for what in ('position', 'velocity'):
            actuator = spec.add_actuator(name=f'{name}_{what}', target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
            if what == 'position':
                actuator.set_to_position(kp=servo.stiffness)
            else:
                actuator.set_to_velocity(kv=servo.damping)
    for name, torque in zip(robot.joint_names, servo.torque, strict=False):  # none given: no limit
        there[name].actfrclimited = mujoco.mjtLimited.mjLIMITED_TRUE
        there[name].actfrcrange = [-torque, torque]
    return spec
