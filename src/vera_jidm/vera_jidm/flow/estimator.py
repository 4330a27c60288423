# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What an optical flow estimator has to answer."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from vera_core.shapes import FloatArray, RgbArray


@runtime_checkable
class FlowEstimator(Protocol):
    """Anything that finds where the pixels of one picture are in another."""

    def estimate(self, source: RgbArray, target: RgbArray) -> tuple[FloatArray, FloatArray]:
        """Return flow and confidence.

        Args:
            source: Picture whose pixels are followed, shape (H, W, 3), uint8.
            target: Picture they are looked for in, same shape.

        Returns:
            Flow of shape (H, W, 2), px, +u right, +v down: source pixel p is at p + flow(p) in the target.
            Confidence of shape (H, W), 0..1.

        Raises:
            ShapeError: If the pictures differ in shape or are not RGB uint8.
        """
        ...
