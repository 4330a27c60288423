# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The ChArUco board: a chessboard with a marker in every white square, of which a camera may see any part.

Board frame: x to the right along the squares, y down, z into the board, origin at the outer corner of the top left square; m.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray, RgbArray

FEWEST_CORNERS = 8
"""A picture that shows fewer corners is not used."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A printed board. The default fits on A4; measure a square after printing."""

    columns: int = 7
    """Squares along x."""
    rows: int = 5
    """Squares along y."""
    square_m: float = 0.035
    """Side of a square as printed, m."""
    marker_share: float = 0.75
    """Side of a marker by side of a square."""

    def __post_init__(self) -> None:
        if self.columns < 3 or self.rows < 3 or self.columns * self.rows > 100:
            raise ConfigError(
                f'a board of {self.columns} x {self.rows} squares cannot be used; give at least 3 x 3 and at most 100 squares'
            )
        if not 0.002 <= self.square_m <= 1.0:
            raise ConfigError(f'a square of {self.square_m} m cannot be; measure one on the print, in metres, for example 0.035')

    @cached_property
    def _charuco(self) -> cv2.aruco.CharucoBoard:
        dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_100)
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_m, self.square_m * self.marker_share, dictionary)

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height, m."""
        return self.columns * self.square_m, self.rows * self.square_m

    @cached_property
    def corners(self) -> FloatArray:
        """Inner corners by id in the board frame, shape (n, 3), m."""
        return np.asarray(self._charuco.getChessboardCorners(), dtype=np.float64).reshape(-1, 3)

    def picture(self, pixels_per_square: int = 100) -> npt.NDArray[np.uint8]:
        """The board to print, grey, without a border, shape (rows * p, columns * p)."""
        size = (self.columns * pixels_per_square, self.rows * pixels_per_square)
        return np.asarray(self._charuco.generateImage(size, marginSize=0), dtype=np.uint8)

    def find(self, rgb: RgbArray) -> BoardView | None:
        """Return the corners a picture of shape (H, W, 3) shows; None where fewer than FEWEST_CORNERS are found."""
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        detector: Any = cv2.aruco.CharucoDetector(self._charuco)  # its types leave out that there may be nothing
        corners, ids, _, _ = detector.detectBoard(grey)
        if ids is None or len(ids) < FEWEST_CORNERS:
            return None
        points = np.asarray(corners, dtype=np.float32).reshape(-1, 1, 2)
        rule = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 40, 0.001)
        reach = self._reach_px(points.reshape(-1, 2))
        fine = cv2.cornerSubPix(grey, points.copy(), (reach, reach), (-1, -1), rule)
        return BoardView(ids=np.asarray(ids, dtype=np.intp).ravel(), pixels=fine.reshape(-1, 2).astype(np.float64))

    def _reach_px(self, corners: npt.NDArray[np.float32]) -> int:
        """How far around a corner the picture may be looked at before the nearest marker begins, px."""
        apart = np.linalg.norm(corners[:, None] - corners[None], axis=-1) + np.diag(np.full(len(corners), np.inf))
        return int(np.clip(0.5 * (1.0 - self.marker_share) * np.median(apart.min(axis=1)), 2, 5))


@dataclass(frozen=True, slots=True, eq=False)
class BoardView:
    """What one picture shows of the board."""

    ids: npt.NDArray[np.intp]
    """Corner ids, shape (m,)."""
    pixels: FloatArray
    """Where they are, shape (m, 2), px: u right, v down, integers at pixel centres."""


def find_all(pictures: Mapping[str, RgbArray], board: Board) -> dict[str, BoardView]:
    """Return the views of the pictures that show the board, by name.

    Raises:
        ConfigError: If the pictures have different sizes.
    """
    sizes = sorted({picture.shape[:2] for picture in pictures.values()})
    if len(sizes) > 1:
        raise ConfigError(f'the pictures have different sizes (height, width) {sizes}; calibrate at the size the camera is used with')
    found = {name: board.find(picture) for name, picture in pictures.items()}
    return {name: view for name, view in found.items() if view is not None}


def refuse_few(views: Sequence[object], needed: int, of: int, what: str) -> None:
    """Refuse to calibrate from too little.

    Raises:
        ConfigError: If fewer than `needed` pictures show the board.
    """
    if len(views) < needed:
        raise ConfigError(
            f'{what} needs at least {needed} pictures that show {FEWEST_CORNERS} corners of the board or more; {len(views)} of {of} do. '
            'Is it the board that was printed (columns, rows)? Is it sharp, flat and well lit?'
        )
