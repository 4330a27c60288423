# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the analytic field is told: a robot model, and where each camera is and how it projects. One YAML file, see `AnalyticSetup`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vera_core.errors import ConfigError, ShapeError
from vera_core.shapes import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraCalibration:
    """A pinhole camera in the robot's base frame, lens distortion already taken out of its pictures.

    Camera axes are those of a ROS optical frame: x right, y down, z into the picture. Pixel centres are whole numbers, so the middle of a
    picture W px wide is (W - 1) / 2.
    """

    fx: float
    """px"""
    fy: float
    """px"""
    cx: float
    """px"""
    cy: float
    """px"""
    position: tuple[float, float, float]
    """Optical centre in the base frame, m."""
    quat_xyzw: tuple[float, float, float, float]
    """Turns camera coordinates into base coordinates; any length but 0."""
    size: tuple[int, int]
    """(height, width) of the pictures the intrinsics belong to, px."""

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.position, *self.quat_xyzw)
        if len(numbers) != 11 or not all(math.isfinite(number) for number in numbers):
            raise ConfigError(f'a camera needs finite intrinsics, a position of 3 and a quaternion of 4 numbers; got {self}')
        if min(self.fx, self.fy) <= 0 or min(self.size) < 1 or math.hypot(*self.quat_xyzw) < 1e-6:
            raise ConfigError(f'a camera needs positive focal lengths and size and a quaternion that is not zero; got {self}')

    @property
    def matrix(self) -> FloatArray:
        """Intrinsic matrix K, shape (3, 3), px."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def rotation(self) -> FloatArray:
        """Rotation from camera to base, shape (3, 3): its columns are the camera's axes in the base frame."""
        x, y, z, w = np.asarray(self.quat_xyzw) / math.hypot(*self.quat_xyzw)
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )

    def at_size(self, size: tuple[int, int]) -> CameraCalibration:
        """Return the camera after its pictures are brought to another (height, width): edges stay, so both axes may scale differently."""
        down, across = size[0] / self.size[0], size[1] / self.size[1]
        return CameraCalibration(
            fx=self.fx * across,
            fy=self.fy * down,
            cx=(self.cx + 0.5) * across - 0.5,
            cy=(self.cy + 0.5) * down - 0.5,
            position=self.position,
            quat_xyzw=self.quat_xyzw,
            size=size,
        )

    def project(self, points: FloatArray) -> FloatArray:
        """Return pixels (u, v), shape (N, 2), of points in the base frame, shape (N, 3), m, in front of the camera."""
        x, y, z = ((points - np.array(self.position)) @ self.rotation).T
        return np.stack([self.fx * x / z + self.cx, self.fy * y / z + self.cy], axis=1)

    def to_document(self) -> dict[str, Any]:
        """Return plain values for the YAML file."""
        return {
            'K': [[float(value) for value in row] for row in self.matrix],
            'position': [float(value) for value in self.position],
            'quaternion': [float(value) for value in self.quat_xyzw],
            'size': [int(value) for value in self.size],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CameraCalibration:
        """Read one camera: K (3x3 or the 9 numbers of a CameraInfo), position, quaternion (x y z w) or rotation (3x3), size.

        Raises:
            ConfigError: If a value is missing or makes no pinhole camera.
        """
        try:
            matrix = np.asarray(document['K'], dtype=np.float64).reshape(3, 3)
            quaternion = document['quaternion'] if 'quaternion' in document else _quaternion(document['rotation'])
            x, y, z, w = (float(value) for value in quaternion)
            px, py, pz = (float(value) for value in document['position'])
            height, width = (int(value) for value in document['size'])
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f'a camera needs K, position, quaternion or rotation, and size: {type(error).__name__}: {error}') from error
        rest = matrix - np.array([[matrix[0, 0], 0, matrix[0, 2]], [0, matrix[1, 1], matrix[1, 2]], [0, 0, 1]])
        if np.abs(rest).max() > 1e-6:
            raise ConfigError(f'K is {matrix.tolist()}; a pinhole without skew, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], is needed')
        return cls(
            fx=float(matrix[0, 0]),
            fy=float(matrix[1, 1]),
            cx=float(matrix[0, 2]),
            cy=float(matrix[1, 2]),
            position=(px, py, pz),
            quat_xyzw=(x, y, z, w),
            size=(height, width),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticSetup:
    """What makes an analytic field.

    As YAML, with a top level `analytic:` or without::

        model: robot.urdf          # URDF, MJCF or .mjb; a path relative to this file
        base: link0                # body of the base frame; left out: the model's world
        joints: {panda_joint1: j1} # robot's name: model's name, where they differ
        cameras:
          front: {K: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], position: [x, y, z], quaternion: [x, y, z, w], size: [height, width]}
    """

    model: Path
    cameras: Mapping[str, CameraCalibration]
    joints: Mapping[str, str] = field(default_factory=dict)
    base: str = ''


def load_setup(path: Path) -> AnalyticSetup:
    """Read the setup of an analytic field.

    Raises:
        ConfigError: If the file is missing or incomplete; names the camera.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
        document = document.get('analytic', document)
        model, entries = path.parent / str(document['model']), dict(document['cameras'])
        joints = {str(name): str(other) for name, other in dict(document.get('joints', {})).items()}
        base = str(document.get('base', ''))
    except (OSError, KeyError, TypeError, AttributeError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(
            f'{path} does not set up an analytic field: {type(error).__name__}: {error}; model and cameras are needed'
        ) from error
    cameras = {}
    for name, entry in entries.items():
        try:
            cameras[str(name)] = CameraCalibration.from_document(entry)
        except ConfigError as error:
            raise ConfigError(f'{path}, camera {name}: {error}') from error
    return AnalyticSetup(model=model, cameras=cameras, joints=joints, base=base)


def save_setup(path: Path, setup: AnalyticSetup) -> None:
    """Write the setup so that `load_setup` reads it; a model below the file's folder is named relative to it."""
    folder, model = path.parent.resolve(), setup.model.resolve()
    document = {
        'model': str(model.relative_to(folder) if model.is_relative_to(folder) else model),
        'base': setup.base,
        'joints': dict(setup.joints),
        'cameras': {name: camera.to_document() for name, camera in setup.cameras.items()},
    }
    path.write_text(yaml.safe_dump({'analytic': document}, sort_keys=False, default_flow_style=None), encoding='utf-8')


def _quaternion(rotation: object) -> tuple[float, float, float, float]:
    """Return x y z w of a rotation matrix [Shepperd 1978: start from the largest component]."""
    matrix = np.asarray(rotation, dtype=np.float64).reshape(3, 3)
    if np.abs(matrix @ matrix.T - np.eye(3)).max() > 1e-3 or np.linalg.det(matrix) < 0:
        raise ShapeError(f'rotation {matrix.tolist()} is not a rotation matrix')
    squares = (
        1 + np.array([1, -1, -1, 1]) * matrix[0, 0] + np.array([-1, 1, -1, 1]) * matrix[1, 1] + np.array([-1, -1, 1, 1]) * matrix[2, 2]
    )
    a, b, c = matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]
    d, e, f = matrix[0, 1] + matrix[1, 0], matrix[0, 2] + matrix[2, 0], matrix[1, 2] + matrix[2, 1]
    products = np.array([[squares[0], d, e, a], [d, squares[1], f, b], [e, f, squares[2], c], [a, b, c, squares[3]]])
    row = products[int(np.argmax(squares))]
    x, y, z, w = (float(value) for value in row / np.linalg.norm(row))
    return x, y, z, w
