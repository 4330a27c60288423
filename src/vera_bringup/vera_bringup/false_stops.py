# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Holds and stops in tasks in which nothing was wrong, read from what the controller said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

import numpy as np

from vera_control.safety import Reason
from vera_msgs.msg import SafetyStatus

REST_RAD_S = 0.02
"""Joints slower than this, all together, count as at rest."""
BEFORE_S = 0.6
"""An arm that was moved within this time before a hold was in motion: speed fades before the hold is told."""


class Kind(StrEnum):
    """What a hold did to the arm."""

    STOP = 'stop'
    """It brought an arm in motion to rest, or was latched."""
    SLOWDOWN = 'slowdown'
    """The arm was in motion and went on before it had come to rest."""
    WAIT = 'wait'
    """The arm was at rest, for example until its next plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The arm was held, or stopped for good, while it carried out a task."""

    reason: str
    text: str
    """The controller's first sentence."""
    is_latched: bool
    seconds: float
    """Until it went on or the recording ended."""
    speed_before_rad_s: float
    """Largest speed commanded to all joints together within BEFORE_S before."""
    speed_least_rad_s: float
    """Smallest speed commanded to all joints together from its beginning to its end."""

    @property
    def kind(self) -> Kind:
        """What it did to the arm."""
        if self.is_latched:
            return Kind.STOP
        if self.speed_before_rad_s <= REST_RAD_S:
            return Kind.WAIT
        return Kind.STOP if self.speed_least_rad_s <= REST_RAD_S else Kind.SLOWDOWN


def holds_in(statuses: Iterable[tuple[int, SafetyStatus]]) -> list[Hold]:
    """Return all holds and latched stops in what the controller said, by time of arrival in ns, rising."""
    holds: list[Hold] = []
    seen: list[tuple[int, SafetyStatus, float]] = [
        (at_ns, status, float(np.linalg.norm(status.commanded_velocity))) for at_ns, status in statuses
    ]
    groups = [list(group) for _, group in groupby(range(len(seen)), key=lambda row: (seen[row][1].state, seen[row][1].reason))]
    for rows in groups:
        since_ns, first, _ = seen[rows[0]]
        if first.state not in (SafetyStatus.HOLDING, SafetyStatus.STOPPED_LATCHED):
            continue
        end = min(rows[-1] + 1, len(seen) - 1)
        before = [speed for at_ns, _, speed in seen[: rows[0]] if at_ns >= since_ns - BEFORE_S * 1e9]
        holds.append(
            Hold(
                reason=Reason(first.reason).name,
                text=first.text,
                is_latched=first.state == SafetyStatus.STOPPED_LATCHED,
                seconds=(seen[end][0] - since_ns) * 1e-9,
                speed_before_rad_s=max(before, default=0.0),
                speed_least_rad_s=min(speed for _, _, speed in seen[rows[0] : end + 1]),
            )
        )
    return holds


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodEpisode:
    """A task into which nothing was injected, so that a stop in it is a false one."""

    seed: int
    success: bool
    """The simulator's own check of the task."""
    outcome: str
    """How the task ended, and in words why if it did not succeed."""
    holds: tuple[Hold, ...]

    def held(self, kind: Kind) -> tuple[Hold, ...]:
        """Return its holds of one kind."""
        return tuple(hold for hold in self.holds if hold.kind is kind)


def summarise(good: Sequence[GoodEpisode]) -> dict[str, Any]:
    """Return how many tasks that nobody stopped succeeded, and how many were stopped, slowed or kept waiting by a hold all the same, by reason."""
    found: dict[str, Any] = {
        'episodes': len(good),
        'successes': sum(episode.success for episode in good),
        'outcomes': dict(Counter(episode.outcome.partition(':')[0] for episode in good)),
        'latched_stops': sum(hold.is_latched for episode in good for hold in episode.holds),
    }
    for kind in Kind:
        found[f'with_a_{kind}'] = sum(bool(episode.held(kind)) for episode in good)
        found[f'{kind}_reasons'] = dict(Counter(reason for episode in good for reason in {hold.reason for hold in episode.held(kind)}))
    return found
