# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Markers for a 3-D viewer, without ROS: the ghost of the posture the arm is led to, and the way of its tips. In the robot's base frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vera_bringup.viewing.body import Body, Shape
from vera_bringup.viewing.prediction import Prediction, named, tip_paths
from vera_core.shapes import FloatArray

GHOST_COLOUR = (1.0, 0.72, 0.25, 0.45)
PATH_COLOUR = (0.25, 0.8, 1.0, 0.95)
PATH_WIDTH_M = 0.008


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Marker:
    """One marker."""

    group: str
    """ghost or path."""
    kind: str
    """box, cylinder, sphere or line."""
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """m"""
    quat_xyzw: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    scale: tuple[float, float, float]
    """Edges or diameters along x, y, z; of a line its width first, m."""
    colour: tuple[float, float, float, float]
    """Red, green, blue, opacity, each 0..1."""
    points: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    """Of a line, shape (K, 3), m."""


def make_markers(body: Body, joint_names: tuple[str, ...], prediction: Prediction) -> list[Marker]:
    """Return one line per tip and the ghost's solids; nothing while the robot is led nowhere."""
    if not prediction.is_moving:
        return []
    lines = [
        Marker(group='path', kind='line', scale=(PATH_WIDTH_M, 0.0, 0.0), colour=PATH_COLOUR, points=points)
        for points in tip_paths(body, joint_names, prediction.path).values()
    ]
    poses = body.link_poses(named(prediction.goal, joint_names))
    return lines + [marker for shape in body.shapes for marker in _solid(shape, poses[shape.link])]


def _solid(shape: Shape, link_pose: FloatArray) -> list[Marker]:
    """Return the markers of one solid; viewers know no capsule, so that is a cylinder between two spheres."""
    pose = link_pose @ shape.origin
    if shape.kind == 'box':
        return [_ghost('box', pose, shape.size)]
    width = 2 * shape.radius
    ball = (width, width, width)
    if shape.kind == 'sphere':
        return [_ghost('sphere', pose, ball)]
    barrel = _ghost('cylinder', pose, (width, width, shape.size[2]))
    if shape.kind == 'cylinder':
        return [barrel]
    ends = []
    for sign in (-0.5, 0.5):
        end = pose.copy()
        end[:3, 3] += sign * shape.size[2] * pose[:3, 2]
        ends.append(_ghost('sphere', end, ball))
    return [barrel, *ends]


def _ghost(kind: str, pose: FloatArray, scale: tuple[float, float, float]) -> Marker:
    x, y, z = pose[:3, 3].tolist()
    return Marker(group='ghost', kind=kind, position=(x, y, z), quat_xyzw=quaternion(pose[:3, :3]), scale=scale, colour=GHOST_COLOUR)


def quaternion(rotation: FloatArray) -> tuple[float, float, float, float]:
    """Return the quaternion (x, y, z, w) of a rotation of shape (3, 3), w >= 0.

    The largest of the four squared components is divided by, so that no small number is (Shepperd 1978).
    """
    trace = float(np.trace(rotation))
    squares = np.array([*(1 - trace + 2 * np.diag(rotation)), 1 + trace])
    best = int(np.argmax(squares))
    sums = rotation + rotation.T
    differences = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    if best == 3:
        components = np.append(differences, squares[3])
    else:
        components = np.append(sums[best], differences[best])
        components[best] = squares[best]
    components = components / np.linalg.norm(components) * (1 if components[3] >= 0 else -1)
    x, y, z, w = components.tolist()
    return x, y, z, w
