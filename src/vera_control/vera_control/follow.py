# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From an estimate about an old picture to a velocity for the near future.

An estimate says: from where the arm was in the picture, go delta_q within dt. By the time it arrives part of that has been done already,
because earlier estimates asked for it. Feeding delta_q / dt back unchanged would count that part twice and oscillate; so the reference
motion made since the picture is taken off (a Smith predictor whose model is the reference itself).
"""

from __future__ import annotations

from collections import deque

import numpy as np

from vera_core.shapes import FloatArray
from vera_core.types import JointVelocity


class ReferenceHistory:
    """Where the reference was in the last seconds."""

    def __init__(self, *, span_s: float = 2.0) -> None:
        self._span_ns = int(span_s * 1e9)
        self._entries: deque[tuple[int, FloatArray]] = deque()

    def clear(self) -> None:
        """Forget everything, for example after the arm was put elsewhere."""
        self._entries.clear()

    def add(self, time_ns: int, position: FloatArray) -> None:
        """Remember where the reference is now; times must rise."""
        while self._entries and self._entries[-1][0] >= time_ns:
            self._entries.pop()
        self._entries.append((time_ns, position))
        while self._entries[0][0] < time_ns - self._span_ns:
            self._entries.popleft()

    def since(self, time_ns: int) -> FloatArray:
        """Return every remembered reference from a time on, shape (k, n), rad; k may be 0."""
        return np.array([position for when, position in self._entries if when >= time_ns])

    def at(self, time_ns: int) -> FloatArray | None:
        """Return the reference at a time, shape (n,), rad, the nearest end outside the span; None when nothing is known."""
        if not self._entries:
            return None
        later = None
        for earlier in reversed(self._entries):
            if earlier[0] <= time_ns:
                if later is None:
                    return earlier[1]
                share = (time_ns - earlier[0]) / (later[0] - earlier[0])
                return np.asarray(earlier[1] + share * (later[1] - earlier[1]))
            later = earlier
        return self._entries[0][1]


def velocity_towards(
    estimate: JointVelocity,
    reference_then: FloatArray,
    reference_start: FloatArray,
    *,
    start_ns: int,
    tracking_delay_s: float = 0.0,
    shortest_share: float = 0.6,
) -> FloatArray:
    """Return the velocity from the start on that completes the estimated joint step in time, shape (n,), rad/s.

    With the time left ``T = stamp + dt - tracking_delay - start``, stretched by ``x = max(0, shortest_share dt - T)``:

    ``v = (delta_q (1 + x / dt) - (reference_start - reference_then)) / (T + x)``

    The stretch bounds the feedback gain when the estimate is nearly used up, and assumes that the motion goes on at its speed, so that an
    arm that keeps up with a steady plan gets exactly the plan's speed. At the end of a plan nothing goes on: there delta_q is not
    stretched.

    Args:
        estimate: Joint step wanted from its picture on.
        reference_then: Reference that the arm was at in the picture, shape (n,), rad.
        reference_start: Reference where the new motion takes over, shape (n,), rad.
        start_ns: When the new motion takes over, ns.
        tracking_delay_s: How long the arm lags its reference, s.
        shortest_share: The time left is taken as at least this share of dt.
    """
    left_s = (estimate.stamp_ns - start_ns) * 1e-9 + estimate.dt_s - tracking_delay_s
    stretch_s = max(0.0, shortest_share * estimate.dt_s - left_s)
    goes_on = 0.0 if estimate.at_plan_end else stretch_s / estimate.dt_s
    todo = estimate.delta_q * (1.0 + goes_on) - (reference_start - reference_then)
    return np.asarray(todo / (left_s + stretch_s))
