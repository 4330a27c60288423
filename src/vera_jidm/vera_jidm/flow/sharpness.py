# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A planned picture is softer than a real one: blur the sharper of two pictures until both show the same detail."""

from __future__ import annotations

import cv2
import numpy as np

from vera_core.shapes import Array

SIGMAS_PX = (0.0, 0.4, 0.6, 0.8, 1.0, 1.3)
"""Blurs tried, px. Softer targets than the last one are matched as far as it goes."""


def detail(grey: Array) -> float:
    """Mean absolute Laplacian: how much fine structure a picture shows, grey levels."""
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_16S)).mean())


def match_sharpness(first: Array, second: Array) -> tuple[Array, Array]:
    """Return both grey pictures, shape (H, W), uint8, the sharper one blurred so that its detail comes closest to the other's."""
    if detail(first) >= detail(second):
        return _soften(first, detail(second)), second
    return first, _soften(second, detail(first))


def _soften(grey: Array, wanted: float) -> Array:
    candidates = [grey if sigma == 0 else cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in SIGMAS_PX]
    return min(candidates, key=lambda candidate: abs(detail(candidate) - wanted))
