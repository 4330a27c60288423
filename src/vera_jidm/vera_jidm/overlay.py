# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: flow as arrows, the Jacobian field as colours."""

from __future__ import annotations

import cv2
import numpy as np

from vera_core.errors import ShapeError
from vera_core.shapes import FloatArray, RgbArray, check_shapes
from vera_core.types import JacobianField

ARROW_STEP_PX = 6
"""One arrow per this many pixels of the working picture."""
STRONG_FLOW_PX = 6.0
"""Flow that gets the warmest arrow."""
TRUSTED = 0.3
MOSAIC_COLUMNS = 4
MOSAIC_BYTES = 400_000
"""A picture that is larger than half a megabyte does not fit in the shared memory of Fast DDS, and sent otherwise pieces of it get lost."""


def draw_flow(rgb: RgbArray, flow: FloatArray, confidence: FloatArray | None = None, *, scale: int = 2, least_px: float = 0.5) -> RgbArray:
    """Return the picture, enlarged, with an arrow wherever something should move.

    Args:
        rgb: Shape (H, W, 3), uint8.
        flow: Shape (H, W, 2), px.
        confidence: Shape (H, W), 0..1; without trust there is no arrow.
        scale: Enlargement, >= 1.
        least_px: Flow below this gets no arrow, px.

    Returns:
        Shape (H * scale, W * scale, 3), uint8.
    """
    sizes = check_shapes(rgb=(rgb, 'H W 3'), flow=(flow, 'H W 2'))
    canvas = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    length = np.linalg.norm(flow, axis=-1)
    for row in range(ARROW_STEP_PX // 2, sizes['H'], ARROW_STEP_PX):
        for column in range(ARROW_STEP_PX // 2, sizes['W'], ARROW_STEP_PX):
            if length[row, column] < least_px or (confidence is not None and confidence[row, column] < TRUSTED):
                continue
            start = np.array([column, row]) * scale
            end = start + flow[row, column] * scale
            colour = _arrow_colour(float(length[row, column]))
            cv2.arrowedLine(canvas, tuple(start.tolist()), tuple(np.rint(end).astype(int).tolist()), colour, 1, cv2.LINE_AA, tipLength=0.35)
    return np.asarray(canvas, dtype=np.uint8)


def _arrow_colour(length_px: float) -> tuple[int, int, int]:
    share = min(length_px / STRONG_FLOW_PX, 1.0)
    return 255, round(230 - 170 * share), round(80 - 60 * share)


def draw_field(rgb: RgbArray, field: JacobianField, joint: int, *, scale: int = 2) -> RgbArray:
    """Return the picture with the image motion of one joint over it: hue is the direction a pixel goes, strength how far per rad.

    Args:
        rgb: Shape (H, W, 3), uint8.
        field: Jacobian of the same view.
        joint: Index of the joint.
        scale: Enlargement, >= 1.
    """
    height, width = rgb.shape[:2]
    rows, columns, _, joints = field.jacobian.shape
    if not 0 <= joint < joints:
        raise ShapeError(f'joint {joint} is not one of the {joints} joints of the field')
    if (rows * field.stride, columns * field.stride) != (height, width):
        raise ShapeError(f'field covers {rows * field.stride} x {columns * field.stride} px but the picture is {height} x {width} px')
    motion = field.jacobian[..., joint]
    strongest = max(float(np.percentile(np.linalg.norm(motion, axis=-1), 99)), 1e-6)
    size = (width * scale, height * scale)
    colours = cv2.resize(_direction_colours(motion, strongest), size, interpolation=cv2.INTER_NEAREST)
    strength = np.clip(np.linalg.norm(motion, axis=-1) / strongest, 0, 1).astype(np.float32)
    share = 0.75 * cv2.resize(strength, size, interpolation=cv2.INTER_NEAREST)[..., None]
    picture = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.rint(picture * (1 - share) + colours * share), dtype=np.uint8)


def _direction_colours(motion: FloatArray, strongest: float) -> RgbArray:
    hue = (np.arctan2(motion[..., 1], motion[..., 0]) / (2 * np.pi) % 1.0) * 180
    value = 120 + 135 * np.clip(np.linalg.norm(motion, axis=-1) / strongest, 0, 1)
    hsv = np.stack([hue, np.full_like(hue, 230), value], axis=-1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def field_mosaic(rgb: RgbArray, field: JacobianField, *, columns: int = MOSAIC_COLUMNS, shrink: float = 1.0) -> RgbArray:
    """Return all joints of a field side by side, each with its number, shape (rows * H * shrink, columns * W * shrink, 3), uint8."""
    height, width = (int(side * shrink) for side in rgb.shape[:2])
    joints = field.jacobian.shape[3]
    tiles = -(-joints // columns) * columns
    mosaic = np.zeros((tiles // columns * height, columns * width, 3), np.uint8)
    for joint in range(joints):
        tile = cv2.resize(draw_field(rgb, field, joint, scale=1), (width, height), interpolation=cv2.INTER_AREA)
        cv2.putText(tile, str(joint + 1), (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
        row, column = divmod(joint, columns)
        mosaic[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return mosaic


def mosaic_shrink(tiles: int, size: tuple[int, int]) -> float:
    """Return how much smaller the tiles of `size` (height, width) have to be for all of them to fit in one message, 0..1."""
    return float(min(1.0, np.sqrt(MOSAIC_BYTES / (3 * tiles * size[0] * size[1]))))


def mosaic_tile(mosaic: RgbArray, *, view: int, views: int, joint: int, joints: int, columns: int = MOSAIC_COLUMNS) -> RgbArray:
    """Return one tile of the mosaics of all views stacked on each other, shape (H, W, 3), uint8.

    Args:
        mosaic: `field_mosaic` of every view, one above the other.
        view: Index of the view.
        views: Number of views.
        joint: Index of the joint.
        joints: Number of joints.
        columns: As given to `field_mosaic`.
    """
    rows = -(-joints // columns)
    height, width = mosaic.shape[0] // (views * rows), mosaic.shape[1] // columns
    row, column = divmod(joint, columns)
    top = (view * rows + row) * height
    return np.ascontiguousarray(mosaic[top : top + height, column * width : (column + 1) * width])
