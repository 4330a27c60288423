# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a fixed camera stands, from pictures of a board: one the gripper holds in many poses, or one that lies at a known place.

With a held board two things are unknown, T_base_camera and T_link_board: base -> link -> board has to meet base -> camera -> board in every picture.
A closed form gives the start (the rotations first, linear in their entries; then the translations), and all corners of all pictures together
the end: least squares of their distances in the picture, with a robust loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import least_squares

from vera_bringup.cameras.board import Board, BoardView, refuse_few
from vera_bringup.cameras.intrinsics import Intrinsics
from vera_bringup.cameras.transforms import angle_rad, apply, from_vector, inverse, to_vector, transform
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray

FEWEST_POSES = 8
SMALLEST_TURN_RAD = np.deg2rad(20.0)
"""The board has to be turned at least so much between some pictures, about more than one axis."""
LARGEST_ERROR_PX = 2.0
ROBUST_PX = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Extrinsics:
    """Where a camera stands. Camera frame: optical, x right, y down, z forward."""

    T_base_camera: FloatArray
    """Shape (4, 4)."""
    T_link_board: FloatArray
    """Shape (4, 4): the board in the frame of the link that holds it, or in the base frame where it lies."""
    rms_px: float
    pictures: int


def extrinsics_of_held_board(
    views: Mapping[str, BoardView], links: Mapping[str, FloatArray], board: Board, lens: Intrinsics, *, pictures: int
) -> Extrinsics:
    """Find the camera from pictures of a board that is fixed to a link of the robot.

    Args:
        views: What the pictures show of the board, by picture.
        links: T_base_link when the picture was taken, shape (4, 4), by picture.
        board: The board.
        lens: The camera's lens.
        pictures: How many there were, for the error text.

    Raises:
        ConfigError: If there are too few pictures, they are too much alike, or do not fit together.
    """
    refuse_few(list(views), FEWEST_POSES, pictures, 'the place of a camera')
    names = list(views)
    T_base_link = [links[name] for name in names]
    _refuse_alike(T_base_link)
    T_camera_board = [board_in_camera(views[name], board, lens) for name in names]
    camera, held = _closed_form(T_base_link, T_camera_board)
    seen = [views[name] for name in names]

    def misses(unknown: FloatArray) -> FloatArray:
        T_camera_base, T_link_board = inverse(from_vector(unknown[:6])), from_vector(unknown[6:])
        parts = [
            lens.project(apply(T_camera_base @ link @ T_link_board, board.corners[view.ids])) - view.pixels
            for link, view in zip(T_base_link, seen, strict=True)
        ]
        return np.concatenate(parts).ravel()

    start = np.concatenate([to_vector(camera), to_vector(held)])
    found = least_squares(misses, start, loss='soft_l1', f_scale=ROBUST_PX, x_scale='jac', max_nfev=200)
    rms = _rms(misses(found.x))
    _refuse_bad(rms, 'are the joint positions those of the picture, is the board rigidly in the gripper, are the squares measured?')
    return Extrinsics(T_base_camera=from_vector(found.x[:6]), T_link_board=from_vector(found.x[6:]), rms_px=rms, pictures=len(names))


def extrinsics_of_lying_board(view: BoardView | None, T_base_board: FloatArray, board: Board, lens: Intrinsics) -> Extrinsics:
    """Find the camera from one picture of a board at a known place.

    Raises:
        ConfigError: If the picture does not show the board, or does not fit the lens.
    """
    refuse_few([view] if view else [], 1, 1, 'the place of a camera')
    assert view is not None
    T_camera_board = board_in_camera(view, board, lens)
    rms = _rms((lens.project(apply(T_camera_board, board.corners[view.ids])) - view.pixels).ravel())
    _refuse_bad(rms, 'is the lens file that of this camera at this picture size, and the board flat?')
    return Extrinsics(T_base_camera=T_base_board @ inverse(T_camera_board), T_link_board=T_base_board, rms_px=rms, pictures=1)


def board_pose_from_touch(points: Sequence[FloatArray]) -> FloatArray:
    """Return T_base_board of a lying board from three places the fingertip touched: outer corners top left, top right, bottom left, m.

    Raises:
        ConfigError: If the three are not about at a right angle.
    """
    origin, right, down = (np.asarray(point, dtype=np.float64) for point in points)
    x, y = right - origin, down - origin
    cosine = float(x @ y) / max(float(np.linalg.norm(x) * np.linalg.norm(y)), 1e-12)
    if abs(cosine) > 0.05:
        raise ConfigError(f'the three corners make an angle of {np.degrees(np.arccos(cosine)):.0f} degrees instead of 90; touch them again')
    x = x / np.linalg.norm(x)
    z = np.cross(x, y)
    z /= np.linalg.norm(z)
    return transform(np.stack([x, np.cross(z, x), z], axis=1), origin)


def board_in_camera(view: BoardView, board: Board, lens: Intrinsics) -> FloatArray:
    """Return T_camera_board from one picture."""
    objects = board.corners[view.ids]
    _, turn, place = cv2.solvePnP(objects, view.pixels, lens.matrix, lens.distortion, flags=cv2.SOLVEPNP_IPPE)
    turn, place = cv2.solvePnPRefineLM(objects, view.pixels, lens.matrix, lens.distortion, turn, place)
    return from_vector(np.concatenate([np.ravel(turn), np.ravel(place)]))


def _closed_form(T_base_link: Sequence[FloatArray], T_camera_board: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Solve T_base_link Y = X T_camera_board for X = T_base_camera and Y = T_link_board.

    Rotations: vec(A Y) = (I kron A) vec Y and vec(X B) = (B^T kron I) vec X, so that (vec Y, vec X) is the null vector of the stacked rows.
    """
    rows = [
        np.hstack([np.kron(np.eye(3), a[:3, :3]), -np.kron(b[:3, :3].T, np.eye(3))])
        for a, b in zip(T_base_link, T_camera_board, strict=True)
    ]
    null = np.linalg.svd(np.concatenate(rows))[2][-1]
    held, camera = _nearest_rotations(null[:9].reshape(3, 3, order='F'), null[9:].reshape(3, 3, order='F'))
    # Translations: A t_Y + t_A = X t_B + t_X.
    left = np.concatenate([np.hstack([a[:3, :3], -np.eye(3)]) for a in T_base_link])
    right = np.concatenate([camera @ b[:3, 3] - a[:3, 3] for a, b in zip(T_base_link, T_camera_board, strict=True)])
    places = np.linalg.lstsq(left, right, rcond=None)[0]
    return transform(camera, places[3:]), transform(held, places[:3])


def _nearest_rotations(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the rotations nearest to two matrices known up to one common factor, whose sign their determinants tell."""
    sign = np.sign(np.linalg.det(first))
    nearest = []
    for matrix in (sign * first, sign * second):
        u, _, v = np.linalg.svd(matrix)
        nearest.append(u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v)
    return nearest[0], nearest[1]


def _refuse_alike(poses: Sequence[FloatArray]) -> None:
    turns = [inverse(poses[0]) @ pose for pose in poses[1:]]
    vectors = np.array([to_vector(turn)[:3] for turn in turns])
    second = float(np.linalg.svd(vectors)[1][1]) if len(vectors) > 1 else 0.0
    largest = max(angle_rad(turn) for turn in turns)
    if largest < SMALLEST_TURN_RAD or second < SMALLEST_TURN_RAD:
        raise ConfigError(
            f'the board was turned by at most {np.degrees(largest):.0f} degrees, or about one axis alone; turn the wrist by 20 degrees and more about '
            'two axes between the pictures'
        )


def _rms(misses: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.sum(misses.reshape(-1, 2) ** 2, axis=1))))


def _refuse_bad(rms_px: float, hint: str) -> None:
    if not rms_px <= LARGEST_ERROR_PX:
        raise ConfigError(f'corners are {rms_px:.1f} px from where they should be, more than {LARGEST_ERROR_PX} px: {hint}')
