# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a known object is in a picture that shows part of it: the place at which its cut-out, laid over the background, best explains what the robot leaves free.

What tells the place are the edges that are still in sight. Grounding answers with the middle of what it sees, which for a cube between two fingers is
pixels beside the middle of the cube.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vera_core.shapes import Array, FloatArray, RgbArray

COARSE_PX = 1.0
FINE_PX = (0.5, 0.25)
SEARCH_PX = 4.0
"""How far from the places that are expected an object is looked for."""
WIDEST_PX = 14.0
"""Half of the largest area that is searched."""
NOISE = 22.0
"""Standard deviation of a pixel that is explained rightly, 0..255: a held object turns, grows and is lit otherwise than on its cut-out."""
CAP = 3.0
"""Standard deviations from which on a pixel tells no more than that it is not explained."""
PIXELS_ALIKE = 6.0
"""So many neighbouring pixels are wrong together, and tell as much as one."""
ENOUGH = 2.0
"""Log likelihood by which a picture with the object must be likelier than one without for its place to be read there."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Expected:
    """A place where the object may well be."""

    uv: FloatArray
    """Its pixel, shape (2,)."""
    std_px: float
    """How exactly."""
    doubt: float = 0.0
    """By how much less likely it is there than at another place, as a logarithm."""

    def cost(self, uv: FloatArray) -> float:
        """Return the negative log likelihood of a pixel, up to a constant."""
        return float(np.sum((uv - self.uv) ** 2)) / (2 * self.std_px**2) + self.doubt


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Template:
    """What an object looks like where nothing covers it: the part of a picture round it."""

    colour: FloatArray
    """Colour times alpha, shape (h, w, 3), 0..255."""
    alpha: FloatArray
    """Shape (h, w), 0..1."""
    middle: FloatArray
    """The object's pixel in that part, shape (2,)."""


def register(
    template: Template, picture: RgbArray, background: RgbArray, robot: Array, expected: Sequence[Expected]
) -> tuple[FloatArray, float]:
    """Return the object's likeliest pixel (2,), and the log likelihood of what is seen there against a picture without it.

    Args:
        template: The object.
        picture: Shape (H, W, 3).
        background: The same without robot and object, shape (H, W, 3).
        robot: Where the robot is, shape (H, W), bool; nothing is read there.
        expected: Places where it may be, at least one.
    """
    rows, cols = robot.shape
    places = np.stack([place.uv for place in expected])
    centre = np.round(places.mean(axis=0))
    half = np.minimum(np.ceil(np.abs(places - centre).max(axis=0)) + SEARCH_PX, WIDEST_PX)
    margin = max(template.alpha.shape)
    left, top = np.maximum(0, centre - half - margin).astype(int)
    right, bottom = np.minimum([cols, rows], centre + half + margin + 1).astype(int)
    area = (slice(top, bottom), slice(left, right))
    free = ~robot[area]
    if free.size == 0:
        return places[0], 0.0
    here, behind = picture[area].astype(np.float32), background[area].astype(np.float32)
    corner = np.array([left, top], dtype=np.float64)
    nothing = _misfit(here - behind, free)

    def score(uv: FloatArray) -> float:
        shift = uv - corner - template.middle
        move = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
        size = (right - left, bottom - top)
        colour = cv2.warpAffine(template.colour, move, size, flags=cv2.INTER_LINEAR)
        alpha = cv2.warpAffine(template.alpha, move, size, flags=cv2.INTER_LINEAR)
        seen = nothing - _misfit(here - colour - (1.0 - alpha[..., None]) * behind, free)
        return seen - min(place.cost(uv) for place in expected)

    steps_u, steps_v = (np.arange(-reach, reach + COARSE_PX / 2, COARSE_PX) for reach in half)
    best = max((*places, *(centre + np.array([u, v]) for u in steps_u for v in steps_v)), key=score)
    for step in FINE_PX:
        best = max((best + step * np.array([u, v]) for u in (0, -1, 1) for v in (0, -1, 1)), key=score)
    return best, score(best) + min(place.cost(best) for place in expected)


def _misfit(difference: FloatArray, free: Array) -> float:
    """Half the squared error of the free pixels in units of their noise, each bounded, with neighbours that are wrong together counted once."""
    error = np.square(difference / NOISE).mean(axis=2)
    return float(np.minimum(error, CAP**2)[free].sum()) / (2 * PIXELS_ALIKE)
