# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One dream with what the check may know about it: real pictures and measured joints of the moment it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import VideoPlan


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sample:
    """A dream, good or spoiled."""

    kind: str
    """How it was made."""
    plan: VideoPlan
    real: Mapping[str, RgbArray]
    """View name to the newest real picture, shape (H, W, 3)."""
    position: FloatArray
    """Joints measured in it, shape (n,), rad."""
    age_s: float = 0.0
    """How much later than frame 0 of the plan it was taken, s."""
    may_rest: bool = False
    """Little was missing of the plan before, so that this one need not move."""

    def with_frames(self, kind: str, frames: Mapping[str, RgbArray]) -> Sample:
        """Return the same moment with other planned frames, shape (T, H, W, 3) per view; frame 0 stays the real one."""
        kept = {view: np.concatenate([self.plan.frames[view][:1], planned[1:]]) for view, planned in frames.items()}
        return replace(self, kind=kind, plan=replace(self.plan, frames=kept))


def plan_of(frames: Mapping[str, RgbArray], *, prompt: str, step_dt_s: float, model: str, seed: int) -> VideoPlan:
    """Return a first plan of a task with these frames, shape (T, H, W, 3) per view."""
    return VideoPlan(plan_id=1, task_id=1, prompt=prompt, stamp_ns=0, step_dt_s=step_dt_s, frames=frames, model=model, seed=seed)
