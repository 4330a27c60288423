# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes the YAML file of a new robot, with the guesses in it marked as such."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import mujoco
import numpy as np

from vera_bringup.robot_model import RobotModel
from vera_core.shapes import FloatArray
from vera_core.simulated import CameraPose

SPREAD_RAD = 0.5
SPREAD_SHARE = 0.2
PEAK_SPEED_RAD_S = 1.0
# A servo this fast, in rad/s, with this damping ratio, follows within a few milliradians and is stable at the time step of the simulator.
SERVO_FREQUENCY = 50.0
SERVO_DAMPING_RATIO = 1.4
LEAST_STIFFNESS = 5.0


def spread_of(robot: RobotModel) -> FloatArray:
    """How far poses of self-play lie about home, standard deviation, shape (n,), rad."""
    return np.array([min(SPREAD_RAD, SPREAD_SHARE * (joint.upper - joint.lower)) for joint in robot.joints])


def servo_of(robot: RobotModel) -> tuple[float, float]:
    """Return stiffness (N m/rad) and damping (N m s/rad) that suit the heaviest joint, seen from the home pose."""
    model, data = robot.model, mujoco.MjData(robot.model)
    data.qpos[robot.qpos_index] = robot.home
    mujoco.mj_forward(model, data)
    heaviest = 0.0
    for joint in robot.joints:
        unit, inertia = np.zeros(model.nv), np.zeros(model.nv)
        dof = int(model.joint(joint.name).dofadr[0])
        unit[dof] = 1.0
        mujoco.mj_mulM(model, data, inertia, unit)
        heaviest = max(heaviest, float(inertia[dof]))
    stiffness = max(LEAST_STIFFNESS, SERVO_FREQUENCY**2 * heaviest)
    return float(f'{stiffness:.3g}'), float(f'{2 * SERVO_DAMPING_RATIO * stiffness / SERVO_FREQUENCY:.3g}')


def robot_yaml(robot: RobotModel, cameras: Mapping[str, CameraPose], *, name: str, target: Path) -> str:
    """Return the text of the file that will be `target`; the path of the model in it is relative to it."""
    spread = spread_of(robot)
    stiffness, damping = servo_of(robot)
    speeds = [min(PEAK_SPEED_RAD_S, 0.5 * joint.velocity) for joint in robot.joints]
    model = Path(os.path.relpath(robot.path.resolve(), target.resolve().parent)).as_posix()
    lines = [
        f'# {name}: made by vera robot add from {robot.path.name}. Guessed, because that file does not say it:',
        *(f'# - {guess}' for guess in robot.guesses),
        '# - limit_scale, servo, cameras and topics',
        f'name: {name}',
        f'summary: {len(robot.joints)} joints, two fixed cameras',
        f'base_frame: {robot.base_frame}',
        'limit_scale: {velocity: 0.5, acceleration: 0.4, jerk: 0.4}',
        'joints:',
        *(
            f'  - {{name: {joint.name}, lower: {joint.lower:.5g}, upper: {joint.upper:.5g}, velocity: {joint.velocity:.5g}, '
            f'acceleration: {joint.acceleration:.5g}, jerk: {joint.jerk:.5g}}}'
            for joint in robot.joints
        ),
        'poses:',
        f'  home: {_list(robot.home)}',
        'working_size: [128, 128]',
        'views:',
        *(
            f'  - {{name: {view}, image_topic: /camera/{view}/image_raw, camera_info_topic: /camera/{view}/camera_info}}'
            for view in cameras
        ),
        'driver:',
        '  joint_states_topic: /joint_states',
        '  command_topic: /joint_trajectory_controller/joint_trajectory',
        'simulation:',
        f'  model: {model}',
        '  scene: none',
        f'  servo: {{stiffness: {stiffness:g}, damping: {damping:g}}}',
        '  cameras:',
        *(
            f'    {view}: {{position: {_list(pose.position)}, target: {_list(pose.target)}, fovy_deg: {pose.fovy_deg:g}}}'
            for view, pose in cameras.items()
        ),
        '  self_play:',
        f'    peak_speed: {_list(speeds)}',
        f'    spread: {_list(spread)}',
    ]
    return '\n'.join(lines) + '\n'


def _list(values: FloatArray | tuple[float, ...] | list[float]) -> str:
    # Rounded towards zero, so that a pose on a limit does not step over it.
    return '[' + ', '.join(f'{np.trunc(value * 1e4) / 1e4 + 0.0:g}' for value in values) + ']'
