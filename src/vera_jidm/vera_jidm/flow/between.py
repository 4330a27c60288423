# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Flow between two moments as the inversion takes it, outside of any plan: for training, measuring and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping

from vera_core.shapes import FloatArray
from vera_core.types import FlowField


def flow_between(flow: Mapping[str, FloatArray], confidence: Mapping[str, FloatArray]) -> FlowField:
    """Return a FlowField of no plan and no task that spans one second.

    Args:
        flow: View name to image motion, shape (H, W, 2), px.
        confidence: View name to confidence, shape (H, W), 0..1.
    """
    return FlowField(
        stamp_ns=0, plan_id=0, task_id=0, step=1, dt_s=1.0, flow=flow, confidence=confidence, remaining_px=0.0, at_plan_end=False
    )
