# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The last look before a trajectory leaves: what the driver will interpolate, sampled densely, against the limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_control.limits import JointLimits
from vera_control.trajectory import ShapedTrajectory, quintic_looks

LOOKS = quintic_looks(np.linspace(0.0, 1.0, 9))
"""Nine places in each segment."""
TOLERANCE = 1e-6
"""Relative slack for rounding; eight orders above it, three below anything a robot can feel."""


@dataclass(slots=True)
class Violations:
    """How many trajectories broke a limit."""

    position: int = 0
    velocity: int = 0
    acceleration: int = 0
    jerk: int = 0

    @property
    def total(self) -> int:
        """Sum over all four kinds."""
        return self.position + self.velocity + self.acceleration + self.jerk

    def add(self, other: Violations) -> None:
        """Count another one's violations here too."""
        self.position += other.position
        self.velocity += other.velocity
        self.acceleration += other.acceleration
        self.jerk += other.jerk


def audit(trajectory: ShapedTrajectory, limits: JointLimits) -> Violations:
    """Return which limits a trajectory breaks anywhere between its points (1) or not (0)."""
    if len(trajectory.position) < 2:
        outside = np.any(trajectory.position < limits.lower) or np.any(trajectory.position > limits.upper)
        return Violations(position=int(outside))
    position, velocity, acceleration, jerk = trajectory.look(LOOKS)
    slack = 1.0 + TOLERANCE
    slowest, fastest = limits.velocity_window(position) if limits.has_velocity_window else (-limits.velocity, limits.velocity)
    return Violations(
        position=int(np.any(position < limits.lower - TOLERANCE) or np.any(position > limits.upper + TOLERANCE)),
        velocity=int(np.any(velocity < slowest * slack - TOLERANCE) or np.any(velocity > fastest * slack + TOLERANCE)),
        acceleration=int(np.any(np.abs(acceleration) > limits.acceleration * slack)),
        jerk=int(np.any(np.abs(jerk) > limits.jerk * slack)),
    )
