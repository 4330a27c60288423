# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast each joint may go: the limits nobody may see broken, and the smaller ones the shaper works with.

The shaper computes piecewise constant jerk, but a driver joins the published points with quintics (position, velocity and acceleration at
both ends, as joint_trajectory_controller does). The quintic through two states that a motion with |jerk| <= J passes `period_s` apart stays
within the bounds below of that motion; they are the suprema over all such motions of the Hermite interpolation error kernel, found
numerically (test_limits.py repeats it).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray

QUINTIC_JERK = 2.18
"""|quintic jerk| <= 2.18 J."""
QUINTIC_ACCELERATION = 0.209
"""|quintic acceleration - acceleration| <= 0.209 J period."""
QUINTIC_VELOCITY = 0.0222
"""|quintic velocity - velocity| <= 0.0222 J period²."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JointLimits:
    """Limits of all joints, each an array of shape (n,) in the embodiment's order."""

    names: tuple[str, ...]
    lower: FloatArray
    """rad"""
    upper: FloatArray
    """rad"""
    velocity: FloatArray
    """What a published command may never exceed, rad/s."""
    acceleration: FloatArray
    """What a published command may never exceed, rad/s²."""
    jerk: FloatArray
    """What a published command may never exceed, rad/s³."""
    robot_velocity: FloatArray
    """The manufacturer's velocity limit, unscaled: an estimate above it is refused whole, rad/s."""
    period_s: float
    """Time between two published points, s."""
    position_margin: float
    """The shaper stops this far inside the position limits, rad."""
    stop_time_s: float
    """A stop from full commanded speed takes at most this long, s."""
    shaped_velocity: FloatArray = field(init=False)
    """Velocity the shaper aims at most for, rad/s."""
    shaped_acceleration: FloatArray = field(init=False)
    """Acceleration of the shaper, rad/s²."""
    shaped_jerk: FloatArray = field(init=False)
    """Jerk of the shaper, rad/s³."""

    def __post_init__(self) -> None:
        jerk = self.jerk / QUINTIC_JERK
        acceleration = self.acceleration - QUINTIC_ACCELERATION * jerk * self.period_s
        if np.any(acceleration <= 0.5 * self.acceleration):
            raise ConfigError(f'point_period_s is {self.period_s}; the jerk limits of {self.names} need a shorter one')
        stoppable = acceleration * (self.stop_time_s - acceleration / jerk)
        if np.any(stoppable <= 0):
            raise ConfigError(
                f'stop_time_s is {self.stop_time_s}; the acceleration and jerk limits need more than {float(np.max(acceleration / jerk)):.3f} s'
            )
        velocity = np.minimum(self.velocity - QUINTIC_VELOCITY * jerk * self.period_s**2, stoppable)
        for name, array in (('shaped_jerk', jerk), ('shaped_acceleration', acceleration), ('shaped_velocity', velocity)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def soft_lower(self) -> FloatArray:
        """Lowest position the shaper aims for, shape (n,), rad."""
        return np.asarray(self.lower + self.position_margin)

    @property
    def soft_upper(self) -> FloatArray:
        """Highest position the shaper aims for, shape (n,), rad."""
        return np.asarray(self.upper - self.position_margin)


def limits_of(robot: Embodiment, *, period_s: float = 0.01, position_margin: float = 0.02, stop_time_s: float = 0.17) -> JointLimits:
    """Return the limits of a robot, scaled by its `limit_scale`."""
    return JointLimits(
        names=robot.joint_names,
        lower=robot.limits('lower'),
        upper=robot.limits('upper'),
        velocity=robot.limits('velocity'),
        acceleration=robot.limits('acceleration'),
        jerk=robot.limits('jerk'),
        robot_velocity=np.array([joint.velocity for joint in robot.joints]),
        period_s=period_s,
        position_margin=position_margin,
        stop_time_s=stop_time_s,
    )


def stopping_speed(distance: FloatArray, acceleration: FloatArray, jerk: FloatArray) -> FloatArray:
    """Return the largest speed (no acceleration yet) from which a joint stops within a distance, shape (n,), rad/s.

    A stop from v takes the distance ``v (v / a + a / j) / 2`` when it reaches the acceleration limit (v >= a² / j), else ``v sqrt(v / j)``.

    Args:
        distance: Room left, shape (n,), rad; negative counts as none.
        acceleration: Largest deceleration, shape (n,), rad/s².
        jerk: Largest jerk, shape (n,), rad/s³.
    """
    room = np.maximum(distance, 0.0)
    ramp = acceleration / jerk
    trapezoid = 0.5 * acceleration * (np.sqrt(ramp**2 + 8 * room / acceleration) - ramp)
    triangle = np.cbrt(room**2 * jerk)
    return np.asarray(np.where(trapezoid >= acceleration * ramp, trapezoid, triangle))
