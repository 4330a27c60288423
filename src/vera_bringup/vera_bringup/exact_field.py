# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The exact Jacobian field of a simulated robot for a jidm_node of its own process: model and cameras of the simulator, written to files."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np

from vera_core.embodiment import Embodiment
from vera_jidm.jacobian.analytic import SETUP
from vera_jidm.jacobian.calibration import AnalyticSetup, CameraCalibration, save_setup
from vera_sim.mjcf import PREFIX, build_model
from vera_sim.scene import required_simulation

MODEL = 'robot.mjb'


def write_exact_field(robot: Embodiment, folder: Path) -> Path:
    """Write what an analytic field needs into `folder` and return the file that sets it up.

    Raises:
        EmbodimentError: If the robot cannot be simulated.
    """
    mujoco.mj_saveModel(build_model(robot), str(folder / MODEL), None)
    height, width = robot.working_size
    cameras = {}
    for name, pose in required_simulation(robot).cameras.items():
        axes = pose.xyaxes.reshape(2, 3)
        # A camera of ROS looks along +z with y down, one of OpenGL along -z with y up.
        rotation = np.stack([axes[0], -axes[1], -np.cross(axes[0], axes[1])], axis=1)
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, rotation.reshape(9))
        focal = pose.focal_px(height)
        cameras[name] = CameraCalibration(
            fx=focal,
            fy=focal,
            cx=(width - 1) / 2,
            cy=(height - 1) / 2,
            position=pose.position,
            quat_xyzw=(quat[1], quat[2], quat[3], quat[0]),
            size=(height, width),
        )
    path = folder / SETUP
    save_setup(path, AnalyticSetup(model=folder / MODEL, cameras=cameras, joints={name: PREFIX + name for name in robot.joint_names}))
    return path
