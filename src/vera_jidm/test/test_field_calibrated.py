# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The analytic field of a robot file that has everything in it: a description, and a lens and a place for every view."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from vera_core.camera import Lens, Place
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_jidm.jacobian.calibrated import bent_px, calibrated_setup
from vera_jidm.registry import JACOBIAN_MODELS

PANDA = load_embodiment('panda')
# 1.5 m in front of the base at .5 m, looking back at it: z along -x, x along y, y down.
LENS = Lens(size=(640, 480), focal_px=(600.0, 620.0), centre_px=(320.5, 240.0), distortion=(0.0,) * 5)
PLACE = Place(position=(1.5, 0.0, 0.5), quat_xyzw=(-0.5, -0.5, 0.5, 0.5))


def calibrated(robot: Embodiment = PANDA, *, lens: Lens | None = LENS, place: Place | None = PLACE) -> Embodiment:
    return dataclasses.replace(robot, views=tuple(dataclasses.replace(view, lens=lens, place=place) for view in robot.views))


def test_setup_says_what_the_robot_file_says() -> None:
    setup = calibrated_setup(calibrated())
    assert setup.model == PANDA.description
    assert (setup.base, setup.joints, set(setup.cameras)) == ('', {}, set(PANDA.view_names))
    camera = setup.cameras[PANDA.view_names[0]]
    assert (camera.size, camera.fx, camera.fy, camera.cx, camera.cy) == ((480, 640), 600.0, 620.0, 320.5, 240.0)
    assert (camera.position, camera.quat_xyzw) == (PLACE.position, PLACE.quat_xyzw)
    elsewhere = dataclasses.replace(calibrated(), base_frame='panda_link1')
    assert calibrated_setup(elsewhere).base == 'panda_link1'


@pytest.mark.sim
def test_field_of_a_robot_file_sees_the_robot_and_turns_it_about_its_base() -> None:
    robot = calibrated()
    field = JACOBIAN_MODELS.make('analytic', robot=robot, folder=None)
    black = {view: np.zeros((*robot.working_size, 3), np.uint8) for view in robot.view_names}
    found = field.predict(black, robot.home)[robot.view_names[0]]
    seen = found.confidence == 1.0
    assert 0.05 < seen.mean() < 0.5
    # Joint 1 turns all but the foot about the vertical: what is nearer to the camera than the axis goes to the right, across the picture.
    first = found.jacobian[..., 0][seen]
    hand = first[np.argmax(np.abs(first[:, 0]))]
    assert hand[0] > 20.0 > 5.0 * abs(hand[1])
    assert not found.jacobian[~(found.confidence > 0)].any()


def test_bending_of_a_lens_by_hand() -> None:
    assert bent_px(LENS, (128, 128)) == pytest.approx(0.0, abs=1e-6)
    # A barrel of k1 = -.1: a corner at radius r of the straight picture is seen at r (1 - .1 r²).
    bent = dataclasses.replace(LENS, distortion=(-0.1, 0.0, 0.0, 0.0, 0.0))
    x, y = 320.5 / 600, 240.0 / 620
    seen = np.hypot(x, y)
    straight = np.roots([-0.1, 0.0, 1.0, -seen])
    radius = min(root.real for root in straight if abs(root.imag) < 1e-9 and root.real > 0)
    corner = np.array([x, y]) * (radius / seen - 1.0) * np.array([600 * 128 / 640, 620 * 128 / 480])
    assert bent_px(bent, (128, 128)) == pytest.approx(np.linalg.norm(corner), rel=2e-3)


@pytest.mark.parametrize(
    ('robot', 'words'),
    [
        (calibrated(lens=None), 'view front, side of robot panda has no lens or no place; write them into the robot file with `vera cameras apply`'),
        (calibrated(place=None), 'has no lens or no place'),
        (dataclasses.replace(calibrated(), description=None), 'robot panda names no description'),
        (
            calibrated(lens=dataclasses.replace(LENS, distortion=(-0.2, 0.0, 0.0, 0.0, 0.0))),
            'px at working size (limit 0.5 px)',
        ),
    ],
)  # fmt: skip
def test_what_a_robot_file_lacks_is_said_with_what_to_do(robot: Embodiment, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        JACOBIAN_MODELS.make('analytic', robot=robot, folder=None)
