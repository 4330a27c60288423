# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The planned pictures a flow leads to, for those who have only the flow."""

from __future__ import annotations

from collections.abc import Mapping

from vera_core.shapes import RgbArray
from vera_core.types import FlowField, VideoPlan

REMEMBERED = 2
"""Flow to the plan before the newest one may still be on its way."""


class RecentPlans:
    """The newest plans by number."""

    def __init__(self) -> None:
        self._plans: list[VideoPlan] = []

    def put(self, plan: VideoPlan) -> None:
        """Remember a plan; the oldest is forgotten."""
        self._plans = [*(known for known in self._plans if known.plan_id != plan.plan_id), plan][-REMEMBERED:]

    def pictures(self, flow: FlowField) -> Mapping[str, RgbArray] | None:
        """Return view name to the planned picture a flow leads to, shape (H, W, 3); None when its plan is not here or does not fit it."""
        for plan in self._plans:
            if plan.plan_id == flow.plan_id and flow.step <= plan.horizon and set(flow.flow) <= set(plan.frames):
                return {view: plan.frames[view][flow.step] for view in flow.flow}
        return None
