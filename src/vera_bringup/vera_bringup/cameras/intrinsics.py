# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The lens of a camera from pictures of a board, and its YAML file in the form of ROS camera_info."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from vera_bringup.cameras.board import Board, BoardView, refuse_few
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray

FEWEST_PICTURES = 8
LARGEST_ERROR_PX = 1.0
"""A calibration with a larger error is of no use."""
FIRST_PASS_FACTOR = 3.0
"""Pictures this many times worse than the median are left out of the second pass: blurred, or the board was bent."""


@dataclass(frozen=True, slots=True, eq=False)
class Intrinsics:
    """A pinhole camera with the lens model `plumb_bob`."""

    size: tuple[int, int]
    """Width and height, px."""
    matrix: FloatArray
    """Shape (3, 3): focal lengths and centre, px; integers at pixel centres."""
    distortion: FloatArray
    """k1, k2, p1, p2, k3, shape (5,)."""

    def project(self, points: FloatArray) -> FloatArray:
        """Return the pixels, shape (n, 2), of points in the optical frame of the camera, shape (n, 3), m."""
        pixels, _ = cv2.projectPoints(points.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), self.matrix, self.distortion)
        return np.asarray(pixels, dtype=np.float64).reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class IntrinsicsReport:
    """A calibration and how good it is."""

    intrinsics: Intrinsics
    rms_px: float
    """Root mean square distance between corners found and predicted."""
    used: tuple[str, ...]
    left_out: tuple[str, ...]
    """Pictures that were much worse than the others."""
    coverage: float
    """Share of the picture, in cells of an eighth, where a corner was seen."""


def calibrate_intrinsics(views: Mapping[str, BoardView], board: Board, size: tuple[int, int], *, pictures: int) -> IntrinsicsReport:
    """Find focal lengths, centre and distortion; pictures much worse than the median are left out and named.

    Args:
        views: What the pictures show of the board, by picture.
        board: The board.
        size: Width and height of the pictures, px.
        pictures: How many there were, for the error text.

    Raises:
        ConfigError: If too few pictures show the board, or the result is too bad to be used.
    """
    refuse_few(list(views), FEWEST_PICTURES, pictures, 'a lens')
    names = list(views)
    _, errors, _, _ = _solve([views[name] for name in names], board, size)
    kept = [name for name, error in zip(names, errors, strict=True) if error <= FIRST_PASS_FACTOR * np.median(errors)]
    kept = kept if len(kept) >= FEWEST_PICTURES else names
    rms, _, matrix, distortion = _solve([views[name] for name in kept], board, size)
    if not rms <= LARGEST_ERROR_PX:
        raise ConfigError(
            f'corners are {rms:.2f} px from where the lens found would put them, more than {LARGEST_ERROR_PX} px: take sharp pictures of a flat board '
            'that stands still, near and far, tilted to all sides, over the whole picture'
        )
    seen = {tuple((pixel // (np.array(size) / 8)).astype(int)) for name in kept for pixel in views[name].pixels}
    return IntrinsicsReport(
        intrinsics=Intrinsics(size=size, matrix=matrix, distortion=distortion),
        rms_px=rms,
        used=tuple(kept),
        left_out=tuple(name for name in names if name not in kept),
        coverage=len(seen) / 64,
    )


def _solve(views: list[BoardView], board: Board, size: tuple[int, int]) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    objects = [board.corners[view.ids].astype(np.float32) for view in views]
    pixels = [view.pixels.astype(np.float32) for view in views]
    rms, matrix, distortion, _, _, _, _, errors = cv2.calibrateCameraExtended(objects, pixels, size, None, None)  # type: ignore[call-overload]
    return float(rms), np.ravel(errors), np.asarray(matrix, np.float64), np.ravel(distortion)[:5].astype(np.float64)


def write_camera_info(path: Path, name: str, intrinsics: Intrinsics) -> None:
    """Write a calibration as camera drivers of ROS read it (camera_info_manager)."""
    projection = np.hstack([intrinsics.matrix, np.zeros((3, 1))])
    document = {
        'image_width': intrinsics.size[0],
        'image_height': intrinsics.size[1],
        'camera_name': name,
        'camera_matrix': _matrix(intrinsics.matrix),
        'distortion_model': 'plumb_bob',
        'distortion_coefficients': _matrix(intrinsics.distortion[None]),
        'rectification_matrix': _matrix(np.eye(3)),
        'projection_matrix': _matrix(projection),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False, default_flow_style=None), encoding='utf-8')


def read_camera_info(path: Path) -> Intrinsics:
    """Read a file written by `write_camera_info` or by any camera driver of ROS.

    Raises:
        ConfigError: If it is not there, is not such a file, or has another lens model.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
        if document['distortion_model'] not in ('plumb_bob', 'none'):
            raise ConfigError(f"{path} has the lens model '{document['distortion_model']}'; only plumb_bob can be used")
        data = np.array(document['distortion_coefficients']['data'], dtype=np.float64)
        return Intrinsics(
            size=(int(document['image_width']), int(document['image_height'])),
            matrix=np.array(document['camera_matrix']['data'], dtype=np.float64).reshape(3, 3),
            distortion=np.concatenate([data, np.zeros(5)])[:5],
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f'{path} is not a calibration in the form of camera_info: {error}; make it with `vera cameras calibrate`'
        ) from error


def _matrix(values: FloatArray) -> dict[str, Any]:
    rows, columns = values.shape
    return {'rows': rows, 'cols': columns, 'data': [round(float(value), 9) for value in values.ravel()]}
