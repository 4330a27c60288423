# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The door of every flow estimator: which pictures are refused, which need no search, and flow at another size."""

from __future__ import annotations

import cv2
import numpy as np

from vera_core.errors import ShapeError
from vera_core.shapes import Array, FloatArray, RgbArray, check_shapes

BLANK_LEVELS = 2.0
"""A picture whose grey values spread by less than this (standard deviation) shows one colour: a covered lens, a dead stream, an empty dream."""


def check_pictures(source: RgbArray, target: RgbArray, *, smallest_px: int) -> None:
    """Refuse anything but two RGB uint8 pictures of one size.

    Raises:
        ShapeError: Names the picture, what it is and what was expected.
    """
    for name, rgb in (('source', source), ('target', target)):
        check_shapes(**{name: (rgb, 'H W 3')})
        if rgb.dtype != np.uint8:
            raise ShapeError(f'{name} has dtype {rgb.dtype} but uint8 was expected')
        if min(rgb.shape[:2]) < smallest_px:
            raise ShapeError(f'{name} is {rgb.shape[0]} x {rgb.shape[1]} px; at least {smallest_px} px are needed')
    if source.shape != target.shape:
        raise ShapeError(f'source is {source.shape[0]} x {source.shape[1]} px but target is {target.shape[0]} x {target.shape[1]} px')


def known_answer(source: RgbArray, target: RgbArray) -> tuple[FloatArray, FloatArray] | None:
    """Return flow and confidence of pairs that need no search, which would only add its own noise; None for all others.

    A picture of one colour shows no motion at all: confidence 0 everywhere. Of two pictures that are the same, every pixel stays: confidence 1.
    """
    still = np.zeros((*source.shape[:2], 2), np.float32)
    if is_blank(source) or is_blank(target):
        return still, np.zeros(source.shape[:2], np.float32)
    if np.array_equal(source, target):
        return still, np.ones(source.shape[:2], np.float32)
    return None


def is_blank(rgb: RgbArray) -> bool:
    """Whether a picture shows one colour."""
    return float(cv2.meanStdDev(to_grey(rgb))[1][0, 0]) < BLANK_LEVELS


def to_grey(rgb: RgbArray) -> Array:
    """Return the brightness of a picture, shape (H, W), uint8."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


def shrink_flow(flow: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Return flow between two pictures as flow between the same pictures made smaller.

    Args:
        flow: Shape (H, W, 2), px of the large pictures.
        size: Height and width of the small pictures, px; the same whole factor in both directions.

    Returns:
        Shape (*size, 2), px of the small pictures: the mean over the pixels that become one, divided by the factor.
    """
    return np.asarray(shrink_map(flow, size) / np.float32(flow.shape[0] // size[0]), dtype=np.float32)


def shrink_map(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Return the mean over the pixels that become one, shape (*size, ...).

    Raises:
        ShapeError: If the sizes are not one whole factor apart.
    """
    height, width = values.shape[:2]
    factor = height // size[0]
    if factor < 1 or (size[0] * factor, size[1] * factor) != (height, width):
        raise ShapeError(f'{height} x {width} px is no whole multiple of {size[0]} x {size[1]} px')
    if factor == 1:
        return np.asarray(values, dtype=np.float32)
    return np.asarray(cv2.resize(np.asarray(values, np.float32), (size[1], size[0]), interpolation=cv2.INTER_AREA))
