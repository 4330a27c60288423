# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the truth for training and measuring comes from; the simulator's oracle is handed in, this room never imports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vera_core.shapes import FloatArray
from vera_core.types import JacobianField
from vera_jidm.training.recording import Recording


class SceneLabels(Protocol):
    """Exact answers about one recorded scene, for joints the robot was measured at."""

    def jacobian(self, view: str, position: FloatArray) -> JacobianField:
        """Return the exact field at joints of shape (n,), rad; confidence is the share of each cell that shows the robot."""
        ...

    def flow(self, view: str, start: FloatArray, end: FloatArray) -> FloatArray:
        """Return the exact flow between two joint positions at working size, shape (H, W, 2), px."""
        ...


LabelSource = Callable[[Recording], SceneLabels]
"""Opens the exact labels of a recording, usually by rebuilding its scene from the metadata."""
