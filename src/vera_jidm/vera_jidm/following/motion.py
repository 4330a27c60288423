# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How much motion a flow holds, whether it still knows where things went, and how much motion a plan holds at each of its frames."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from vera_core.shapes import Array, FloatArray, RgbArray
from vera_core.types import VideoPlan
from vera_jidm.flow.estimator import FlowEstimator

MOVING_PX = 0.5
"""A pixel with less flow than this counts as at rest."""
SMALLEST_PART = 16
"""A part of the arm has to cover this many pixels to be told from noise."""
TRUSTED = 0.3
"""Pixels with less confidence than this are not asked."""
DIRECT_PX = 6.0
"""Up to a path of this length, flow between two planned frames is measured in one go; beyond, it is added up frame by frame."""
ENTRY_PX = 1.0
"""A robot this near to where a plan says that it should be is there."""
ENTRY_LOOKS = 4
"""Planned frames that are compared with the real picture when a plan is taken over, at most."""
SHARE = 0.05
CHANGED_GREY = 12.0
"""Pixels that differ by more than this after a 3 x 3 blur have changed, 0..255."""


def moving_px(flow: Mapping[str, FloatArray], confidence: Mapping[str, FloatArray]) -> float:
    """Return the 95th percentile of the flow of the pixels that move, the largest of all views, px.

    Percentiles over whole pictures would miss a hand that covers one pixel in a hundred; so only moving pixels are ranked, and at least
    `SMALLEST_PART` of them have to agree.
    """
    return max(_moving_px_of_view(flow[view], confidence[view]) for view in flow)


def _moving_px_of_view(flow: FloatArray, confidence: FloatArray) -> float:
    length = np.linalg.norm(flow, axis=-1)[confidence > TRUSTED]
    moving = length[length > MOVING_PX]
    rank = max(SMALLEST_PART, int(SHARE * len(moving)))
    ranked = moving if len(moving) >= rank else length  # much of a picture stands still, and ranking equal numbers takes long
    return float(np.partition(ranked, -rank)[-rank]) if len(ranked) >= rank else 0.0


def lost_share(source: Mapping[str, RgbArray], target: Mapping[str, RgbArray], confidence: Mapping[str, FloatArray]) -> float:
    """Return the share of the changed pixels that flow cannot be trusted at, the largest of all views, 0..1.

    Where motion uncovers and hides background a part of them is always untrusted. Measured on simulated robots and on dreamt plans: up to
    0.45 while flow is right, 0.55 and more once it has lost the robot, whose remaining trusted motion then looks small.
    """
    return max(_lost_share_of_view(source[view], target[view], confidence[view]) for view in confidence)


def _lost_share_of_view(source: RgbArray, target: RgbArray, confidence: FloatArray) -> float:
    changed = np.abs(_blurred_grey(source) - _blurred_grey(target)) > CHANGED_GREY
    count = int(np.count_nonzero(changed))
    # A handful of changed pixels is the rim of something that hardly moves.
    return np.count_nonzero(changed & (confidence <= TRUSTED)) / count if count >= 4 * SMALLEST_PART else 0.0


def _blurred_grey(rgb: RgbArray) -> Array:
    return np.asarray(cv2.blur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), (3, 3)))


def entry_s(plan: VideoPlan, pictures: Mapping[str, RgbArray], due_s: float, estimator: FlowEstimator) -> float:
    """Return the time on a plan at which to begin to follow it, 0..due_s, s: where the robot is, not where the clock says that it should be.

    A plan says where the robot would be by now had it done as dreamt since the real picture of frame 0. Meanwhile it followed another plan, or
    waited. To begin further on than it has come would ask it to catch up at once: a jump of the wanted velocity.

    Args:
        plan: The plan.
        pictures: View name to the newest real picture, shape (H, W, 3).
        due_s: Time since frame 0, s.
        estimator: Rough is enough.
    """
    last = int(np.ceil(due_s / plan.step_dt_s - 1e-6))
    if last == 0:
        return due_s
    frames = sorted({round(share * last) for share in np.linspace(0.0, 1.0, min(last + 1, ENTRY_LOOKS))})
    times = np.minimum(np.array(frames) * plan.step_dt_s, plan.duration_s)
    ways = [_way_to(plan, pictures, frame, estimator) for frame in frames]
    shortest = min(ways)
    if np.interp(due_s, times, ways) <= shortest + ENTRY_PX:
        return due_s
    # The last moment before it is due at which the plan is near to where the robot is.
    near = [time_s for time_s, way in zip(times, ways, strict=True) if way <= shortest + ENTRY_PX / 2]
    return float(min(max(near), due_s))


def _way_to(plan: VideoPlan, pictures: Mapping[str, RgbArray], frame: int, estimator: FlowEstimator) -> float:
    pairs = {view: estimator.estimate(pictures[view], film[frame]) for view, film in plan.frames.items()}
    return moving_px({view: pair[0] for view, pair in pairs.items()}, {view: pair[1] for view, pair in pairs.items()})


def motion_to_end(plan: VideoPlan, estimator: FlowEstimator) -> FloatArray:
    """Return how far each frame of a plan is from its last one, shape (horizon + 1,), px.

    Near the end this is flow measured to the last frame. Further away flow over long distances cannot be trusted (what it loses does not
    count as moving, so it comes out too short), and the path is added up from frame to frame; steps that are smaller than a moving pixel
    count as none, or flicker would add up to a motion.
    """
    result = np.zeros(plan.horizon + 1)
    path = 0.0
    for index in range(plan.horizon - 1, -1, -1):
        step = _between(plan, index, index + 1, estimator)
        path += step if step > MOVING_PX else 0.0
        result[index] = _between(plan, index, plan.horizon, estimator) if path < DIRECT_PX else path
    return result


def _between(plan: VideoPlan, first: int, second: int, estimator: FlowEstimator) -> float:
    pairs = {view: estimator.estimate(frames[first], frames[second]) for view, frames in plan.frames.items()}
    return moving_px({view: pair[0] for view, pair in pairs.items()}, {view: pair[1] for view, pair in pairs.items()})
