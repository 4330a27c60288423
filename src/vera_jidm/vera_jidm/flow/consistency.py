# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Confidence from going there and back: a pixel that does not come home is not trusted. The same for every estimator."""

from __future__ import annotations

import cv2
import numpy as np

from vera_core.shapes import FloatArray, check_shapes

TOLERANCE_PX = 0.5
"""Error of the round trip at which confidence falls to 1/e, for a pixel at rest."""
TOLERANCE_SHARE = 0.1
"""How much the tolerance grows per px of flow: long flows are estimated less finely."""


def round_trip_confidence(forward: FloatArray, backward: FloatArray) -> FloatArray:
    """Return exp(-(e / tolerance)²) with e = |forward(p) + backward(p + forward(p))|, shape (H, W), 0..1.

    Pixels that are hidden or out of the picture in the target do not come back and get almost none.

    Args:
        forward: Flow from source to target, shape (H, W, 2), px.
        backward: Flow from target to source, shape (H, W, 2), px.
    """
    sizes = check_shapes(forward=(forward, 'H W 2'), backward=(backward, 'H W 2'))
    rows, columns = np.mgrid[: sizes['H'], : sizes['W']].astype(np.float32)
    there_u, there_v = columns + forward[..., 0], rows + forward[..., 1]
    back = cv2.remap(np.asarray(backward, np.float32), there_u, there_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    error = np.linalg.norm(forward + back, axis=-1)
    tolerance = TOLERANCE_PX + TOLERANCE_SHARE * np.linalg.norm(forward, axis=-1)
    inside = (there_u >= -0.5) & (there_u <= sizes['W'] - 0.5) & (there_v >= -0.5) & (there_v <= sizes['H'] - 0.5)
    return np.asarray(np.exp(-((error / tolerance) ** 2)) * inside, dtype=np.float32)
