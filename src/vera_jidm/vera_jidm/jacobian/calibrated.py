# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sets an analytic field up from the robot file alone: its description (URDF), and the lens and place of every view that a calibration put there."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np

from vera_core.camera import Lens
from vera_core.embodiment import Embodiment, View
from vera_core.errors import ConfigError
from vera_jidm.jacobian.calibration import AnalyticSetup, CameraCalibration

BENT_PX = 0.5
"""A lens that bends the picture by more than this, px at working size, is not a pinhole."""
BORDER_POINTS = 9
"""Places looked at along each edge."""


def calibrated_setup(robot: Embodiment) -> AnalyticSetup:
    """Return what makes an analytic field of a robot whose file has all of it.

    Raises:
        ConfigError: If the file names no description, a view is not calibrated, or a lens bends its picture; says what to do.
    """
    if robot.description is None:
        raise ConfigError(
            f"field 'analytic' needs a model: robot {robot.name} names no description; add one, or name a setup file in field_weights"
        )
    missing = [view.name for view in robot.views if view.lens is None or view.place is None]
    if missing:
        raise ConfigError(
            f"field 'analytic' needs calibrated cameras: view {', '.join(missing)} of robot {robot.name} has no lens or no place; "
            'write them into the robot file with `vera cameras apply`, or name a setup file in field_weights'
        )
    return AnalyticSetup(
        model=robot.description,
        cameras={view.name: _camera(view, robot.working_size) for view in robot.views},
        base='' if robot.base_frame == _root(robot.description) else robot.base_frame,
    )


def bent_px(lens: Lens, working_size: tuple[int, int]) -> float:
    """Return how far a lens bends the picture where it does so most, px at working size (height, width)."""
    width, height = lens.size
    across, down = np.linspace(0, width - 1, BORDER_POINTS), np.linspace(0, height - 1, BORDER_POINTS)
    edges = [np.stack([across, np.full_like(across, row)], axis=1) for row in (0, height - 1)]
    edges += [np.stack([np.full_like(down, column), down], axis=1) for column in (0, width - 1)]
    seen = np.concatenate(edges)
    matrix = np.array([[lens.focal_px[0], 0, lens.centre_px[0]], [0, lens.focal_px[1], lens.centre_px[1]], [0, 0, 1]])
    straight = cv2.undistortPoints(seen[:, None], matrix, np.array(lens.distortion), P=matrix)[:, 0]
    scale = np.array([working_size[1] / width, working_size[0] / height])
    return float(np.linalg.norm((straight - seen) * scale, axis=1).max())


def _camera(view: View, working_size: tuple[int, int]) -> CameraCalibration:
    assert view.lens is not None and view.place is not None
    bent = bent_px(view.lens, working_size)
    if bent > BENT_PX:
        raise ConfigError(
            f"the lens of view {view.name} bends its picture by up to {bent:.1f} px at working size (limit {BENT_PX:g} px) and field 'analytic' "
            'means a pinhole: give the view the topic of rectified pictures (image_proc) and calibrate those'
        )
    return CameraCalibration(
        fx=view.lens.focal_px[0],
        fy=view.lens.focal_px[1],
        cx=view.lens.centre_px[0],
        cy=view.lens.centre_px[1],
        position=view.place.position,
        quat_xyzw=view.place.quat_xyzw,
        size=(view.lens.size[1], view.lens.size[0]),
    )


def _root(description: Path) -> str:
    """Return the link of a URDF that has no parent; MuJoCo makes it part of the world, where it has no name of its own.

    Raises:
        ConfigError: If the file is no URDF.
    """
    try:
        document = ElementTree.parse(description).getroot()
        children = {str(child.get('link')) for child in document.findall('joint/child')}
        return next(str(link.get('name')) for link in document.findall('link') if link.get('name') not in children)
    except (OSError, ElementTree.ParseError, StopIteration) as error:
        raise ConfigError(f'{description} is no URDF with a root link: {error}') from error
