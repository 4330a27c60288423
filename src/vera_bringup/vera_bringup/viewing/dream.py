# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The dream as a picture: the planned frame of every view side by side, the one the robot is following now or any other."""

from __future__ import annotations

import cv2
import numpy as np

from vera_core.shapes import RgbArray
from vera_core.types import VideoPlan

SCALE = 2


def due_step(plan: VideoPlan, now_ns: int) -> int:
    """Return the index of the plan frame that is due now, 0..horizon; the last one afterwards."""
    elapsed_s = (now_ns - plan.stamp_ns) * 1e-9
    return int(np.clip(round(elapsed_s / plan.step_dt_s), 0, plan.horizon))


def dream_picture(plan: VideoPlan, step: int) -> RgbArray:
    """Return frame `step` of all views side by side, enlarged, with its place in the plan written on it; a step outside is brought inside."""
    step = int(np.clip(step, 0, plan.horizon))
    pictures = [cv2.resize(frames[step], None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_LINEAR) for frames in plan.frames.values()]
    canvas = np.hstack(pictures)
    text = f'plan {plan.plan_id}  frame {step}/{plan.horizon}'
    cv2.putText(canvas, text, (6, canvas.shape[0] - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(canvas, dtype=np.uint8)
