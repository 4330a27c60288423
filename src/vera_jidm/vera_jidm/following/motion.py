# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How much motion a flow holds, and how much a plan still holds at each of its frames."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vera_core.shapes import FloatArray
from vera_core.types import VideoPlan
from vera_jidm.flow.estimator import FlowEstimator

MOVING_PX = 0.5
"""A pixel with less flow than this counts as at rest."""
SMALLEST_PART = 16
"""A part of the arm has to cover this many pixels to be told from noise."""
TRUSTED = 0.3
"""Pixels with less confidence than this are not asked."""
DIRECT_PX = 6.0
"""Up to this much motion, flow between two planned frames is measured in one go; beyond, it is added up frame by frame."""
SHARE = 0.05


def moving_px(flow: Mapping[str, FloatArray], confidence: Mapping[str, FloatArray]) -> float:
    """Return the 95th percentile of the flow of the pixels that move, the largest of all views, px.

    Percentiles over whole pictures would miss a hand that covers one pixel in a hundred; so only moving pixels are ranked, and at least
    `SMALLEST_PART` of them have to agree.
    """
    return max(_moving_px_of_view(flow[view], confidence[view]) for view in flow)


def _moving_px_of_view(flow: FloatArray, confidence: FloatArray) -> float:
    length = np.linalg.norm(flow, axis=-1)[confidence > TRUSTED]
    rank = max(SMALLEST_PART, int(SHARE * np.count_nonzero(length > MOVING_PX)))
    return float(np.partition(length, -rank)[-rank]) if len(length) >= rank else 0.0


def motion_to_end(plan: VideoPlan, estimator: FlowEstimator) -> FloatArray:
    """Return how far each frame of a plan is from its last one, shape (horizon + 1,), px.

    Near the end this is flow measured to the last frame. Further away flow over long distances cannot be trusted, so the path is added up
    from frame to frame; steps that are smaller than a moving pixel count as none, or flicker would add up to a motion.
    """
    result = np.zeros(plan.horizon + 1)
    for index in range(plan.horizon - 1, -1, -1):
        if result[index + 1] < DIRECT_PX:
            result[index] = _between(plan, index, plan.horizon, estimator)
        if result[index + 1] >= DIRECT_PX or result[index] >= DIRECT_PX:
            step = _between(plan, index, index + 1, estimator)
            result[index] = result[index + 1] + (step if step > MOVING_PX else 0.0)
    return result


def _between(plan: VideoPlan, first: int, second: int, estimator: FlowEstimator) -> float:
    pairs = {view: estimator.estimate(frames[first], frames[second]) for view, frames in plan.frames.items()}
    return moving_px({view: pair[0] for view, pair in pairs.items()}, {view: pair[1] for view, pair in pairs.items()})
