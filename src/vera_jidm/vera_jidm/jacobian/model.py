# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a Jacobian field has to answer: pictures and measured joints in, one field per view out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from vera_core.shapes import FloatArray, RgbArray
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
