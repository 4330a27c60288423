# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Any robot from its MJCF or URDF file, made fit for stiff servos and for our own light, cameras and actuators."""

from __future__ import annotations

from pathlib import Path

import mujoco

from vera_core.embodiment import Embodiment
from vera_sim.robots.description import read_description
from vera_sim.robots.servos import add_servos
from vera_sim.scene import required_simulation
from vera_sim.scenery import TIMESTEP_S

LEAST_DAMPING = 1e-3
"""N m s/rad. Some public descriptions have none or a negative one."""


def described(robot: Embodiment, path: Path) -> mujoco.MjSpec:
    """Return the bodies of the file; joints that the robot does not list are held where the file puts them.

    Raises:
        EmbodimentError: If MuJoCo cannot read the file.
    """
    spec = read_description(path)
    for element in (*spec.actuators, *spec.sensors, *spec.keys, *spec.cameras, *spec.lights):
        spec.delete(element)
    # Group 0 is the scenery's; groups from 3 on, collision shapes by custom, stay unseen.
    for geom in spec.geoms:
        if geom.group == 0:
            geom.group = 1
    driven = {joint.name for joint in robot.joints}
    # A servo of this stiffness moves at least this much inertia in a handful of time steps instead of shaking.
    least_armature = 4 * required_simulation(robot).servo.stiffness * TIMESTEP_S**2
    for joint in list(spec.joints):
        if joint.type == mujoco.mjtJoint.mjJNT_FREE:
            spec.delete(joint)
        elif joint.name in driven:
            joint.armature = max(joint.armature, least_armature)
            joint.damping[0] = max(joint.damping[0], LEAST_DAMPING)
            joint.frictionloss = 0.0
        elif joint.type in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE):
            _hold(spec, joint)
    add_servos(spec, robot)
    _exclude_overlaps(spec, robot)
    return spec


def _exclude_overlaps(spec: mujoco.MjSpec, robot: Embodiment) -> None:
    """Let links that are inside each other at home never meet: hulls of neighbouring meshes overlap, and stiff servos would fight that."""
    model = spec.copy().compile()
    data = mujoco.MjData(model)
    for name, angle in zip(robot.joint_names, robot.home, strict=True):
        data.joint(name).qpos[0] = angle
    mujoco.mj_forward(model, data)
    pairs = {tuple(sorted(model.geom_bodyid[contact.geom].tolist())) for contact in data.contact if contact.dist < 0}
    for first, second in sorted(pairs):
        names = model.body(first).name, model.body(second).name
        # An exclusion goes by name; the world's own geoms are the floor the robot may well meet.
        if first > 0 and all(names):
            spec.add_exclude(bodyname1=names[0], bodyname2=names[1])


def _hold(spec: mujoco.MjSpec, joint: mujoco.MjsJoint) -> None:
    equality = spec.add_equality(name=f'hold_{joint.name}', type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT)
    equality.name1 = joint.name
    equality.data[:5] = 0.0
