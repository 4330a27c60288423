# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Dense inverse search flow [Kroeger 2016] at full resolution, checked by going there and back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vera_core.errors import ConfigError
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_jidm.flow.consistency import round_trip_confidence
from vera_jidm.flow.pictures import check_pictures, known_answer, shrink_flow, to_grey
from vera_jidm.flow.sharpness import match_sharpness

SMALLEST_PICTURE_PX = 32
"""Smaller pictures have no pyramid to search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisSettings:
    """Chosen by benchmarks/flow_estimators.py: what recovers the joint motion best per millisecond, not what has the lowest pixel error.

    Figures below: simulated Panda, exact field, median relative error of the joint step and ms per two views there and back, one thread.
    The defaults give .30 in 12 ms.
    """

    finest_scale: int = 0
    """Finest pyramid level worked on; 0 is the picture itself. The presets of OpenCV stop at 1 or 2 and lose the wrist: .50 in 5 ms at 1."""
    patch_size: int = 8
    """Edge of the patches, px."""
    patch_stride: int = 4
    """Distance between patches, px. Every 2 px: .30 in 32 ms."""
    gradient_steps: int = 25
    """Gradient descent steps per patch."""
    refinement_steps: int = 0
    """Variational smoothing steps. They lower the pixel error but smear motion over the arm's outline: 5 give .35 in 26 ms."""
    upsample: int = 1
    """1, or 2 to search pictures of twice the size, made by cubic interpolation: .24 in 42 ms."""
    matched_sharpness: bool = True
    """Blur the sharper of the two pictures first (see sharpness.py)."""
    checked: bool = True
    """Go back as well and trust what comes back; without it every pixel is trusted, at half the cost."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ('finest_scale', 0, 3),
            ('patch_size', 4, 16),
            ('patch_stride', 1, 16),
            ('gradient_steps', 1, 256),
            ('refinement_steps', 0, 50),
            ('upsample', 1, 2),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f'{name} is {getattr(self, name)}; it must be between {low} and {high}')


QUICK = DisSettings(finest_scale=1, gradient_steps=12, matched_sharpness=False)
"""Rough and cheap: enough to tell how much motion there is between two frames of a plan."""


ONE_WAY = DisSettings(finest_scale=1, gradient_steps=12, matched_sharpness=False, checked=False)
"""The cheapest: for two real pictures shortly after each other, where hardly anything is hidden in between."""


FINE_ONE_WAY = DisSettings(gradient_steps=12, matched_sharpness=False, checked=False)
"""The same down to the pixel, for small parts that move by fractions of one: 2.2 instead of 0.6 ms for 128 x 128 px."""


class DisFlow:
    """OpenCV's DIS on grey pictures, with mean normalisation of patches (a brighter dream is no motion)."""

    def __init__(self, settings: DisSettings | None = None) -> None:
        self.settings = settings or DisSettings()
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(self.settings.finest_scale)
        self._dis.setPatchSize(self.settings.patch_size)
        self._dis.setPatchStride(self.settings.patch_stride)
        self._dis.setGradientDescentIterations(self.settings.gradient_steps)
        self._dis.setVariationalRefinementIterations(self.settings.refinement_steps)
        self._dis.setUseMeanNormalization(True)

    def estimate(self, source: RgbArray, target: RgbArray) -> tuple[FloatArray, FloatArray]:
        """Return flow (H, W, 2), px, and confidence (H, W), 0..1, from `source` to `target`; see FlowEstimator."""
        check_pictures(source, target, smallest_px=SMALLEST_PICTURE_PX)
        known = known_answer(source, target)
        if known is not None:
            return known
        first, second = to_grey(source), to_grey(target)
        if self.settings.matched_sharpness:
            first, second = match_sharpness(first, second)
        if self.settings.upsample > 1:
            first, second = (_enlarge(grey, self.settings.upsample) for grey in (first, second))
        forward = shrink_flow(self._search(first, second), source.shape[:2])
        if not self.settings.checked:
            return forward, np.ones(source.shape[:2], np.float32)
        return forward, round_trip_confidence(forward, shrink_flow(self._search(second, first), source.shape[:2]))

    def _search(self, first: Array, second: Array) -> FloatArray:
        # OpenCV's stubs do not know that None means: no first guess.
        return np.asarray(self._dis.calc(first, second, None))  # type: ignore[call-overload]


def _enlarge(grey: Array, factor: int) -> Array:
    return np.asarray(cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC))
