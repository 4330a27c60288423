# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Dense inverse search flow [Kroeger 2016] at full resolution, checked by going there and back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vera_core.errors import ConfigError, ShapeError
from vera_core.shapes import Array, FloatArray, RgbArray, check_shapes
from vera_jidm.flow.consistency import round_trip_confidence
from vera_jidm.flow.sharpness import match_sharpness

SMALLEST_PICTURE_PX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DisSettings:
    """Chosen by benchmarks/flow_estimators.py: what recovers the joint motion best per millisecond, not what has the lowest pixel error."""

    finest_scale: int = 0
    """Finest pyramid level worked on; 0 is the picture itself. The presets of OpenCV stop at 1 or 2 and lose the wrist."""
    patch_size: int = 8
    """Edge of the patches, px."""
    patch_stride: int = 4
    """Distance between patches, px."""
    gradient_steps: int = 25
    """Gradient descent steps per patch."""
    refinement_steps: int = 0
    """Variational smoothing steps. They lower the pixel error but smear motion over the arm's outline, and the joints come out worse."""
    matched_sharpness: bool = True
    """Blur the sharper of the two pictures first (see sharpness.py)."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ('finest_scale', 0, 3),
            ('patch_size', 4, 16),
            ('patch_stride', 1, 16),
            ('gradient_steps', 1, 256),
            ('refinement_steps', 0, 50),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f'{name} is {getattr(self, name)}; it must be between {low} and {high}')


QUICK = DisSettings(finest_scale=1, gradient_steps=12, matched_sharpness=False)
"""Rough and cheap: enough to tell how much motion there is between two frames of a plan."""


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
        first, second = _grey(source, 'source'), _grey(target, 'target')
        if first.shape != second.shape:
            raise ShapeError(f'source is {first.shape[0]} x {first.shape[1]} px but target is {second.shape[0]} x {second.shape[1]} px')
        if np.array_equal(first, second):
            # Nothing moved: known, and the search would only add its own noise.
            return np.zeros((*first.shape, 2), np.float32), np.ones(first.shape, np.float32)
        if self.settings.matched_sharpness:
            first, second = match_sharpness(first, second)
        forward, backward = self._search(first, second), self._search(second, first)
        return forward, round_trip_confidence(forward, backward)

    def _search(self, first: Array, second: Array) -> FloatArray:
        # OpenCV's stubs do not know that None means: no first guess.
        return np.asarray(self._dis.calc(first, second, None))  # type: ignore[call-overload]


def _grey(rgb: RgbArray, name: str) -> Array:
    check_shapes(**{name: (rgb, 'H W 3')})
    if rgb.dtype != np.uint8:
        raise ShapeError(f'{name} has dtype {rgb.dtype} but uint8 was expected')
    if min(rgb.shape[:2]) < SMALLEST_PICTURE_PX:
        raise ShapeError(f'{name} is {rgb.shape[0]} x {rgb.shape[1]} px; at least {SMALLEST_PICTURE_PX} px are needed')
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
