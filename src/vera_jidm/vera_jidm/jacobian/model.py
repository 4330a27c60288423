# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a Jacobian field has to answer: pictures and measured joints in, one field per view out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from vera_core.errors import ShapeError
from vera_core.shapes import FloatArray, RgbArray, check_finite
from vera_core.types import JacobianField


@runtime_checkable
class JacobianModel(Protocol):
    """Anything that predicts the image Jacobian of every view: learned, analytic or a test double."""

    def predict(self, frames: Mapping[str, RgbArray], position: FloatArray) -> Mapping[str, JacobianField]:
        """Return the field of every view.

        Args:
            frames: View name to picture at working size, shape (H, W, 3), uint8.
            position: Measured joints, shape (n,), rad.

        Raises:
            ShapeError: If a view is missing, or a picture or the joints do not fit the model.
        """
        ...


def checked_position(position: FloatArray, joints: int) -> FloatArray:
    """Return the joints as float64.

    Raises:
        ShapeError: If they are too few, too many or not finite.
    """
    position = np.asarray(position, dtype=np.float64)
    if position.shape != (joints,):
        raise ShapeError(f'position has shape {position.shape} but the field was made for {joints} joints')
    check_finite(position=position)
    return position


def checked_picture(frames: Mapping[str, RgbArray], view: str, size: tuple[int, int]) -> RgbArray:
    """Return the picture of a view.

    Raises:
        ShapeError: If there is none or it is of another size or type.
    """
    if view not in frames:
        raise ShapeError(f"the field needs view '{view}' but got {sorted(frames)}")
    rgb = frames[view]
    if rgb.dtype != np.uint8 or rgb.shape != (*size, 3):
        raise ShapeError(f'picture of view {view} is {rgb.dtype} {rgb.shape} but uint8 {(*size, 3)} was expected')
    return rgb
