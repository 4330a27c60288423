# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where self-play goes next: random poses about home inside part of the joints' ranges, along straight ways that are clear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_control.clearance import Clearance
from vera_control.homing.path import timed_path
from vera_control.limits import JointLimits
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, Refusal
from vera_core.shapes import FloatArray

FEW_SHARE = 0.5
"""Share of the motions that are of one to three joints: what always moves together cannot be told apart."""
TRIES = 60
SHORTEST_RAD = 0.1
"""A motion in which no joint goes this far shows too little."""
ROOM = 0.05
"""Share of a joint's range that is kept from its limits."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bounds:
    """Where self-play may go."""

    lower: FloatArray
    """Shape (n,), rad."""
    upper: FloatArray
    """Shape (n,), rad."""


def bounds_of(robot: Embodiment, limits: JointLimits, reach: float) -> Bounds:
    """Return the box about home that takes up a share of the way to the limits.

    Raises:
        ConfigError: If the share is not in (0, 1], or home is not inside the limits.
    """
    if not 0.0 < reach <= 1.0:
        raise ConfigError(f'reach is {reach}; it is the share of the way from home to the limits of the joints, above 0 and up to 1')
    home, room = np.array(robot.home), ROOM * (limits.upper - limits.lower)
    low, high = limits.lower + room, limits.upper - room
    outside = np.flatnonzero((home < low) | (home > high))
    if len(outside):
        name = limits.names[int(outside[0])]
        raise ConfigError(
            f'the home pose of {robot.name} has joint {name} at a limit of its range; self-play is about home, move it inside'
        )
    return Bounds(lower=home - reach * (home - low), upper=home + reach * (high - home))


class Motions:
    """Draws goals; same seed, same goals."""

    def __init__(
        self, robot: Embodiment, limits: JointLimits, clearance: Clearance | None, *, reach: float, speed_scale: float, seed: int
    ) -> None:
        """Prepare.

        Args:
            robot: Whose home is the middle of everything.
            limits: Of its joints.
            clearance: Of its links from each other and the table; None where they are not known.
            reach: Share of the way from home to the limits of the joints, (0, 1].
            speed_scale: Share of the velocity limit the motions are made with.
            seed: Same seed, same goals.
        """
        self.bounds = bounds_of(robot, limits, reach)
        self._limits, self._clearance, self._speed_scale = limits, clearance, speed_scale
        self._home = np.array(robot.home)
        self._rng = np.random.default_rng(seed)

    def next(self, position: FloatArray) -> tuple[FloatArray, float]:
        """Return the next goal from a pose, shape (n,), rad, and how long the way takes, s.

        Raises:
            ConfigError: If no clear way was found in many tries.
        """
        refusal = Refusal('no_way', 'nothing was tried')
        for attempt in range(TRIES):
            goal = self._draw(position, share=1.0 - 0.8 * attempt / TRIES)
            if float(np.max(np.abs(goal - position))) < SHORTEST_RAD * (1.0 - attempt / TRIES):
                continue
            way = timed_path(np.stack([position, goal]), self._limits, self._clearance, speed_scale=self._speed_scale)
            if not isinstance(way, Refusal):
                return goal, (way.end_ns - way.start_ns) * 1e-9
            refusal = way
        raise ConfigError(f'no clear motion found in {TRIES} tries; the last one: {refusal.text}; a smaller reach stays nearer to home')

    def _draw(self, position: FloatArray, *, share: float) -> FloatArray:
        """Draw a pose in the box, the middle more often than the edges; the later the try, the nearer to home."""
        rng, bounds, size = self._rng, self.bounds, len(position)
        toward = rng.beta(2.0, 2.0, size)
        drawn = self._home + share * (bounds.lower + toward * (bounds.upper - bounds.lower) - self._home)
        if size == 1 or rng.random() >= FEW_SHARE:
            return np.asarray(drawn)
        moved = rng.choice(size, size=int(rng.integers(1, min(3, size - 1) + 1)), replace=False)
        goal = np.clip(position, bounds.lower, bounds.upper)
        goal[moved] = drawn[moved]
        return goal
