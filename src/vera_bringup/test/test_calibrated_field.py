# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot file with calibrated cameras alone against the simulator: its capsules are near enough to the real shape to recover joint motion."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from vera_bringup.exact_field import write_exact_field
from vera_core.camera import Lens, Place
from vera_core.embodiment import load_embodiment
from vera_core.types import FlowField
from vera_jidm.jacobian.calibration import CameraCalibration, load_setup
from vera_jidm.registry import JACOBIAN_MODELS
from vera_jidm.solve import solve_joint_step

pytestmark = pytest.mark.sim
PANDA = load_embodiment('panda')


def entries(camera: CameraCalibration) -> dict[str, object]:
    """What `vera cameras apply` would write of this camera."""
    lens = Lens(
        size=(camera.size[1], camera.size[0]), focal_px=(camera.fx, camera.fy), centre_px=(camera.cx, camera.cy), distortion=(0.0,) * 5
    )
    return {'lens': lens, 'place': Place(position=camera.position, quat_xyzw=camera.quat_xyzw)}


def test_description_and_cameras_recover_the_motion_that_the_simulator_shows(tmp_path) -> None:
    setup = write_exact_field(PANDA, tmp_path)
    cameras = load_setup(setup).cameras
    robot = dataclasses.replace(PANDA, views=tuple(dataclasses.replace(view, **entries(cameras[view.name])) for view in PANDA.views))
    exact, own = JACOBIAN_MODELS.make('analytic', robot=PANDA, folder=setup), JACOBIAN_MODELS.make('analytic', robot=robot, folder=None)
    rng = np.random.default_rng(0)
    wanted, found = [], []
    for _ in range(10):
        position, step = PANDA.home + rng.normal(0.0, 0.2, len(PANDA.joints)), rng.normal(0.0, 0.03, len(PANDA.joints))
        truth, guess = exact.at(position), own.at(position)
        flow = {view: np.repeat(np.repeat(field.jacobian @ step, 4, axis=0), 4, axis=1) for view, field in truth.items()}
        confidence = {view: np.repeat(np.repeat(field.confidence, 4, axis=0), 4, axis=1) for view, field in truth.items()}
        motion = FlowField(
            stamp_ns=1, plan_id=1, task_id=1, step=1, dt_s=0.3, flow=flow, confidence=confidence, remaining_px=1.0, at_plan_end=False
        )
        wanted.append(step)
        found.append(solve_joint_step(guess, motion).delta_q)
    cosine = np.sum(np.multiply(wanted, found)) / (np.linalg.norm(wanted) * np.linalg.norm(found))
    assert cosine > 0.9
