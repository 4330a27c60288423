# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Carries what the decoder misses of the real robot (texture, edges) along the dreamt motion into the first frames of a plan.

The flow is taken between decoded pictures, which are alike in their softness, so it is good where a flow between a real and a decoded
picture would not be. Where decoded pictures disagree along the flow, nothing is carried.
"""

from __future__ import annotations

import cv2
import numpy as np

from vera_core.shapes import Array, FloatArray, RgbArray

AGREE = 18.0
"""Colour difference along the flow at which the carried share has fallen to 1/e, 0..255."""


def carry_residual(
    real: RgbArray, decoded_now: RgbArray, alpha_now: FloatArray, dreamt: RgbArray, alpha: FloatArray, *, count: int, fades: bool = True
) -> RgbArray:
    """Return the dreamt frames with the residual added to the first `count` of them.

    Args:
        real: The real picture, shape (H, W, 3).
        decoded_now: The same moment as the decoder sees it, shape (H, W, 3).
        alpha_now: The robot in it, shape (H, W), 0..1.
        dreamt: Decoded frames, shape (T, H, W, 3).
        alpha: The robot in them, shape (T, H, W), 0..1.
        count: How many frames get it.
        fades: Whether it gets less towards the last of these.
    """
    out = np.array(dreamt)
    residual = (real.astype(np.float32) - decoded_now.astype(np.float32)) * (alpha_now[..., None] > 0.3)
    flow_finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow_finder.setFinestScale(1)
    rows, cols = real.shape[:2]
    v, u = np.mgrid[0:rows, 0:cols].astype(np.float32)
    grey_now = cv2.cvtColor(decoded_now, cv2.COLOR_RGB2GRAY)
    flow: Array = np.zeros((rows, cols, 2), np.float32)
    for k in range(min(count, len(out))):
        grey = cv2.cvtColor(dreamt[k], cv2.COLOR_RGB2GRAY)
        flow = flow_finder.calc(grey, grey_now, flow)  # where each dreamt pixel came from; the last frame's answer is the first guess
        map_u, map_v = u + flow[..., 0], v + flow[..., 1]
        carried = cv2.remap(residual, map_u, map_v, cv2.INTER_LINEAR)
        source = cv2.remap(decoded_now, map_u, map_v, cv2.INTER_LINEAR)
        difference = np.abs(source.astype(np.float32) - dreamt[k]).mean(axis=2)
        share = np.exp(-((difference / AGREE) ** 2)) * alpha[k] * (1.0 - k / (count + 1) if fades else 1.0)
        out[k] = np.clip(np.rint(dreamt[k] + share[..., None] * carried), 0, 255).astype(np.uint8)
    return out
