# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms as shape (4, 4), m: `T_a_b` maps coordinates in b to coordinates in a."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from vera_core.shapes import FloatArray


def transform(rotation: FloatArray, translation: FloatArray) -> FloatArray:
    """Make a transform of a rotation, shape (3, 3), and a translation, shape (3,), m."""
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = rotation, np.ravel(translation)
    return made


def from_vector(vector: FloatArray) -> FloatArray:
    """Make a transform of a rotation vector (rad) and a translation (m), shape (6,)."""
    return transform(np.asarray(cv2.Rodrigues(vector[:3])[0], dtype=np.float64), vector[3:])


def to_vector(matrix: FloatArray) -> FloatArray:
    """Return rotation vector (rad) and translation (m) of a transform, shape (6,)."""
    return np.concatenate([np.ravel(cv2.Rodrigues(matrix[:3, :3])[0]), matrix[:3, 3]])


def inverse(matrix: FloatArray) -> FloatArray:
    """Return the inverse of a transform."""
    turned = matrix[:3, :3].T
    return transform(turned, -turned @ matrix[:3, 3])


def apply(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Map points of shape (n, 3), m."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def angle_rad(matrix: FloatArray) -> float:
    """Return by how much a transform turns, rad."""
    return float(Rotation.from_matrix(matrix[:3, :3]).magnitude())


def quat_xyzw(matrix: FloatArray) -> FloatArray:
    """Return the rotation of a transform as a unit quaternion, shape (4,), w last and not negative."""
    quaternion = np.asarray(Rotation.from_matrix(matrix[:3, :3]).as_quat(), dtype=np.float64)
    return -quaternion if quaternion[3] < 0 else quaternion
