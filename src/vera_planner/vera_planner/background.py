# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The picture without the robot: what was last seen where the robot is not, and the clean plate where nothing was ever seen."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from torch import Tensor

from vera_core.shapes import Array, FloatArray, RgbArray, check_shapes

HIDDEN = 0.02
"""Alpha above which a pixel counts as covered by the robot."""
GROW_PX = 2
"""How far the robot's outline is widened before pixels are believed to be background."""


class BackgroundMemory:
    """Remembers background per view within one task, so that a cube the arm hides now comes back in the dream."""

    def __init__(self, plates: Mapping[str, RgbArray]) -> None:
        self._plates = {view: np.asarray(plate) for view, plate in plates.items()}
        self._memory: dict[str, RgbArray] = {}
        self._task_id: int | None = None

    def begin(self, task_id: int) -> None:
        """Forget everything when the task is a new one: objects may have been moved in between."""
        if task_id != self._task_id:
            self._task_id = task_id
            self._memory = {view: plate.copy() for view, plate in self._plates.items()}

    def update(self, view: str, picture: RgbArray, alpha: FloatArray) -> RgbArray:
        """Take in a picture (H, W, 3) with the robot's alpha (H, W) and return the background, (H, W, 3)."""
        check_shapes(picture=(picture, 'H W 3'), alpha=(alpha, 'H W'))
        memory = self._memory.setdefault(view, self._plates[view].copy())
        free = ~covered(alpha)
        memory[free] = picture[free]
        return memory.copy()

    def recall(self, view: str) -> RgbArray:
        """Return the background of a view as it is remembered, (H, W, 3)."""
        return self._memory.get(view, self._plates[view]).copy()


def covered(alpha: FloatArray) -> Array:
    """Return where the robot is or nearly is, (H, W) bool."""
    return grown(np.asarray(alpha) > HIDDEN)


def grown(mask: Array) -> Array:
    """Return a mask (H, W), bool, widened by GROW_PX."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * GROW_PX + 1, 2 * GROW_PX + 1), np.uint8)) > 0)


def paint(layer: tuple[Tensor, Tensor], background: RgbArray) -> RgbArray:
    """Lay decoded robot layers, colour (T, 3, H, W) and alpha (T, 1, H, W), over a background (H, W, 3); returns (T, H, W, 3)."""
    colour, alpha = layer
    return composite(colour.permute(0, 2, 3, 1).numpy(), alpha.permute(0, 2, 3, 1).numpy(), background)


def composite(colour: FloatArray, alpha: FloatArray, background: Array) -> RgbArray:
    """Lay robot layers over one background, or each over its own.

    Args:
        colour: Shape (T, H, W, 3), 0..1.
        alpha: Shape (T, H, W, 1), 0..1.
        background: Shape (H, W, 3) or (T, H, W, 3), 0..255.

    Returns:
        Pictures (T, H, W, 3), uint8, rounded.
    """
    check_shapes(
        colour=(colour, 'T H W 3'), alpha=(alpha, 'T H W 1'), background=(background, 'H W 3' if background.ndim == 3 else 'T H W 3')
    )
    mixed = alpha * colour * 255.0 + (1.0 - alpha) * background.astype(np.float32)
    return np.asarray(np.clip(np.rint(mixed), 0, 255), dtype=np.uint8)
