# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The one way a camera picture becomes a working-size picture: area averaging, the same in training and at run time."""

from __future__ import annotations

import cv2
import numpy as np

from vera_core.shapes import RgbArray


def to_working_size(rgb: RgbArray, size: tuple[int, int]) -> RgbArray:
    """Return the picture at (height, width) `size`, averaged over source pixels; the same array if it already has that size."""
    height, width = size
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
