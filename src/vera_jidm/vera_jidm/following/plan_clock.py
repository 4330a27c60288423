# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Time on a plan: it runs with the pictures' stamps, waits for an arm that lags, and names the frame to aim at."""

from __future__ import annotations

from dataclasses import dataclass

from vera_core.types import VideoPlan

LONGEST_GAP_S = 0.5
"""Pictures further apart than this do not carry the clock on: nobody saw what happened in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """The planned frame to aim at."""

    step: int
    """Index of the frame, 1..horizon."""
    dt_s: float
    """Time until it is due, s."""


class PlanClock:
    """Seconds since frame 0 of one plan. Pure: time comes in with the pictures."""

    def __init__(self, plan: VideoPlan, now_ns: int) -> None:
        """Start at the time that has passed since frame 0 was taken."""
        self._plan = plan
        self._stamp_ns = now_ns
        self.tau_s = min(max((now_ns - plan.stamp_ns) * 1e-9, 0.0), plan.duration_s)

    def advance(self, now_ns: int, rate: float) -> None:
        """Let the time between two pictures pass, scaled by `rate`, -1..1; a stamp that jumps back moves nothing."""
        passed_s = min(max((now_ns - self._stamp_ns) * 1e-9, 0.0), LONGEST_GAP_S)
        self._stamp_ns = now_ns
        self.tau_s = min(max(self.tau_s + rate * passed_s, 0.0), self._plan.duration_s)

    def aim(self, lookahead_s: float, shortest_dt_s: float) -> Aim:
        """Return the first frame due `lookahead_s` from now or later, the last one if there is none."""
        # The small share keeps a frame that is due exactly then, whatever the rounding of tau.
        step = next(
            (i for i in range(1, self._plan.horizon + 1) if i * self._plan.step_dt_s >= self.tau_s + lookahead_s - 1e-6), self._plan.horizon
        )
        return Aim(step=step, dt_s=max(step * self._plan.step_dt_s - self.tau_s, shortest_dt_s))
