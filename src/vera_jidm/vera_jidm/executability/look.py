# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What two neighbouring pictures of a plan say: how far things move, what appears from nowhere, what flickers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from vera_core.shapes import Array, FloatArray, RgbArray
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.flow.pictures import to_grey
from vera_jidm.following.motion import MOVING_PX, SHARE, SMALLEST_PART

APPEARED_LEVELS = 20.0
"""A pixel that still differs by more than this once motion is taken off was not brought there by it, grey levels."""

EVERY = 3
"""For a median every third pixel of every third row is enough."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Step:
    """One view of two neighbouring pictures."""

    flow: FloatArray
    """Motion from the first to the second, shape (H, W, 2), px."""
    error: FloatArray
    """What motion does not explain of the change, shape (H, W), grey levels."""
    jump_px: float
    """95th percentile of the motion of what moves, px."""
    appeared_share: float
    """Share of the pixels with an error above APPEARED_LEVELS."""


def brightness(rgb: RgbArray) -> FloatArray:
    """Return a picture as it is compared: grey, smoothed by 3 x 3, shape (H, W), float32."""
    return np.asarray(cv2.blur(to_grey(rgb).astype(np.float32), (3, 3)))


def look_at_step(source: RgbArray, target: RgbArray, before: FloatArray, after: FloatArray, estimator: FlowEstimator) -> Step:
    """Measure one step of one view.

    Args:
        source: First picture, shape (H, W, 3).
        target: Second picture.
        before: Brightness of the first, shape (H, W).
        after: Brightness of the second.
        estimator: Finds the motion; a rough one will do.
    """
    flow = estimator.estimate(source, target)[0]
    u, v = _grid(*source.shape[:2])
    came = cv2.remap(after, u + flow[..., 0], v + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    error = np.abs(came - before)
    return Step(
        flow=flow,
        error=error,
        jump_px=_moving_px(np.asarray(cv2.magnitude(flow[..., 0], flow[..., 1]))),
        appeared_share=float(np.count_nonzero(error > APPEARED_LEVELS)) / error.size,
    )


def _moving_px(length: FloatArray) -> float:
    """Return the 95th percentile of what moves, px; 0 where that is next to nothing."""
    moving = length[length > MOVING_PX]
    rank = max(SMALLEST_PART, int(SHARE * len(moving)))
    return float(np.partition(moving, -rank)[-rank]) if len(moving) >= rank else 0.0


def flicker_levels(before: FloatArray, now: FloatArray, after: FloatArray) -> float:
    """Return the median over the picture of |before - 2 now + after|, grey levels: most of a picture stands still or moves evenly."""
    before, now, after = (levels[::EVERY, ::EVERY] for levels in (before, now, after))
    return float(np.median(np.abs(before + after - 2.0 * now)))


@cache
def _grid(height: int, width: int) -> tuple[Array, Array]:
    v, u = np.mgrid[:height, :width].astype(np.float32)
    return u, v
