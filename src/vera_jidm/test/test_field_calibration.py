# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vera_core.errors import ConfigError
from vera_jidm.jacobian.calibration import AnalyticSetup, CameraCalibration, load_setup, save_setup

CAMERA = CameraCalibration(fx=600, fy=610, cx=319, cy=242, position=(1.0, 0.5, 0.25), quat_xyzw=(0.5, -0.5, 0.5, -0.5), size=(480, 640))
PLAIN = {'K': [600, 0, 319, 0, 610, 242, 0, 0, 1], 'position': [1, 0.5, 0.25], 'quaternion': [0.5, -0.5, 0.5, -0.5], 'size': [480, 640]}


def test_rotation_is_that_of_the_quaternion() -> None:
    np.testing.assert_allclose(CAMERA.rotation, Rotation.from_quat(CAMERA.quat_xyzw).as_matrix(), atol=1e-12)


def test_projection_by_hand() -> None:
    # A camera at the base whose axes are the base's: 1 m to the right and .5 m down, 2 m away.
    camera = CameraCalibration(fx=100, fy=200, cx=50, cy=40, position=(0, 0, 0), quat_xyzw=(0, 0, 0, 2), size=(80, 100))
    np.testing.assert_allclose(camera.project(np.array([[1.0, 0.5, 2.0]])), [[100.0, 90.0]])


def test_a_smaller_picture_keeps_its_edges() -> None:
    small = CAMERA.at_size((120, 128))
    # 640 px to 128 px: every 5 columns become one. Column 2 is the middle of the first five, so it becomes column 0.
    assert (small.fx, small.fy) == (120.0, 152.5)
    assert small.cx == pytest.approx((319 - 2) / 5)
    assert small.cy == pytest.approx((242 - 1.5) / 4)
    point = np.array([[0.9, 3.0, 0.3]])
    (u, v), (small_u, small_v) = CAMERA.project(point)[0], small.project(point)[0]
    assert (small_u, small_v) == pytest.approx(((u - 2) / 5, (v - 1.5) / 4))


def test_setup_goes_there_and_back(tmp_path: Path) -> None:
    setup = AnalyticSetup(model=tmp_path / 'models' / 'arm.urdf', cameras={'front': CAMERA}, joints={'j1': 'one'}, base='link0')
    save_setup(tmp_path / 'analytic.yaml', setup)
    assert 'model: models/arm.urdf' in (tmp_path / 'analytic.yaml').read_text()
    assert load_setup(tmp_path / 'analytic.yaml') == setup


@pytest.mark.parametrize('seed', range(6))
def test_rotation_matrix_or_quaternion_may_be_given(seed: int) -> None:
    turn = Rotation.from_rotvec(np.random.default_rng(seed).normal(0, 2, 3)) if seed else Rotation.from_rotvec([np.pi, 0, 0])
    document = {name: value for name, value in PLAIN.items() if name != 'quaternion'} | {'rotation': turn.as_matrix().tolist()}
    np.testing.assert_allclose(CameraCalibration.from_document(document).rotation, turn.as_matrix(), atol=1e-9)
    assert CameraCalibration.from_document(PLAIN) == CAMERA


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'K': [600, 5, 319, 0, 610, 242, 0, 0, 1]}, 'pinhole without skew'),
        ({'K': [600, 0, 319]}, 'a camera needs K, position'),
        ({'K': [-600, 0, 319, 0, 610, 242, 0, 0, 1]}, 'positive focal lengths'),
        ({'position': [0, 1]}, 'a camera needs K, position'),
        ({'position': [0, 1, float('nan')]}, 'finite'),
        ({'quaternion': [0, 0, 0, 0]}, 'quaternion that is not zero'),
        ({'size': [0, 640]}, 'positive focal lengths and size'),
        ({'size': None}, 'a camera needs K, position'),
    ],
)
def test_numbers_that_make_no_camera_are_refused(tmp_path: Path, change: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        CameraCalibration.from_document({**PLAIN, **change})


def test_rotation_that_is_none_is_refused() -> None:
    document = {name: value for name, value in PLAIN.items() if name != 'quaternion'}
    with pytest.raises(ConfigError, match='not a rotation matrix'):
        CameraCalibration.from_document({**document, 'rotation': [[1, 0, 0], [0, 1, 0], [0, 0, -1]]})
    with pytest.raises(ConfigError, match='KeyError: .rotation'):
        CameraCalibration.from_document(document)


def test_faulty_camera_of_a_setup_is_named(tmp_path: Path) -> None:
    (tmp_path / 'analytic.yaml').write_text('model: a.xml\ncameras: {front: {K: 3}}')
    with pytest.raises(ConfigError, match=r'analytic\.yaml, camera front: a camera needs K'):
        load_setup(tmp_path / 'analytic.yaml')
