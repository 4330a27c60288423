# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures painted on table, wall and robot links: soft noise, because optical flow needs something to hold on to."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

EDGE_PX = 256


@cache
def texture_files() -> dict[str, bytes]:
    """PNG files by name: `table.png` and `wall.png` for what stands still, `link.png`, nearly white, to be tinted by a link's own colour."""
    rng = np.random.default_rng(7)
    return {
        'table.png': _noise(rng, (150, 128, 104), 34, (8, 24, 64)),
        'wall.png': _noise(rng, (96, 104, 116), 22, (8, 24, 64)),
        'link.png': _noise(rng, (196, 196, 196), 76, (4, 8, 16)),
    }


def _noise(rng: np.random.Generator, tone: tuple[int, int, int], contrast: float, cells_per_edge: tuple[int, ...]) -> bytes:
    picture = np.zeros((EDGE_PX, EDGE_PX))
    for cells in cells_per_edge:
        coarse = rng.standard_normal((cells, cells))
        picture += cv2.resize(coarse, (EDGE_PX, EDGE_PX), interpolation=cv2.INTER_CUBIC) / np.sqrt(3)
    rgb = np.clip(np.array(tone) + contrast * 0.5 * picture[..., None], 0, 255).astype(np.uint8)
    ok, png = cv2.imencode('.png', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    assert ok
    return png.tobytes()
