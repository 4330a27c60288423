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
    """rad; inside the manufacturer's limit where the velocity limit reaches zero before it."""
    upper: FloatArray
    """rad; the same at the other end."""
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
    velocity_offset: FloatArray
    """Of the velocity limit near the position limits, unscaled, rad/s."""
    deceleration: FloatArray
    """Of the velocity limit near the position limits, unscaled, rad/s²; infinite where the limit is the same everywhere."""
    shaped_velocity: FloatArray = field(init=False)
    """Velocity the shaper aims at most for, rad/s."""
    shaped_acceleration: FloatArray = field(init=False)
    """Acceleration of the shaper, rad/s²."""
    shaped_jerk: FloatArray = field(init=False)
    """Jerk of the shaper, rad/s³."""
    velocity_slack: FloatArray = field(init=False)
    """What a driver's interpolation may add to the velocity of a joint whose limit depends on its position, rad/s; 0 for the others."""
    soft_lower: FloatArray = field(init=False)
    """Lowest position the shaper aims for, rad."""
    soft_upper: FloatArray = field(init=False)
    """Highest position the shaper aims for, rad."""
    has_velocity_window: bool = field(init=False)
    """True when the velocity limit of some joint depends on its position."""
    _window_terms: tuple[FloatArray, FloatArray, FloatArray] = field(init=False, repr=False)
    """Of the velocity limit near the position limits: constant and slope of its square, and scale. The constant is infinite where there is none."""

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
        has_window = np.isfinite(self.deceleration)
        slack = np.where(has_window, QUINTIC_VELOCITY * jerk * self.period_s**2, 0.0)
        for name, array in (
            ('velocity_slack', slack),
            ('shaped_jerk', jerk),
            ('shaped_acceleration', acceleration),
            ('shaped_velocity', velocity),
            ('soft_lower', self.lower + self.position_margin),
            ('soft_upper', self.upper - self.position_margin),
        ):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, 'has_velocity_window', bool(np.any(has_window)))
        constant, slope = np.where(has_window, self.velocity_offset**2, np.inf), 2 * np.where(has_window, self.deceleration, 0.0)
        object.__setattr__(self, '_window_terms', (constant, slope, self.velocity / self.robot_velocity))

    def velocity_window(self, position: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the lowest and the highest velocity that a command may have at positions of shape (..., n), rad/s, shape (..., n) each.

        Franka's rule for the FR3: towards a limit that is x away a joint may move at most ``sqrt(2 deceleration x) - velocity_offset``,
        never less than 0 and never more than its `velocity`. Scaled like `velocity`.
        """
        if not self.has_velocity_window:
            return np.broadcast_to(-self.velocity, position.shape), np.broadcast_to(self.velocity, position.shape)
        return np.asarray(-self._window(position - self.lower)), self._window(self.upper - position)

    def _window(self, room: FloatArray) -> FloatArray:
        """Return the largest speed towards an end of the range that is `room` away, shapes (..., n), rad and rad/s."""
        constant, slope, scale = self._window_terms
        braking = scale * (np.sqrt(constant + slope * np.maximum(room, 0.0)) - self.velocity_offset)
        return np.asarray(np.minimum(braking, self.velocity))


def limits_of(robot: Embodiment, *, period_s: float = 0.01, position_margin: float = 0.02, stop_time_s: float = 0.17) -> JointLimits:
    """Return the limits of a robot, scaled by its `limit_scale`.

    A joint whose velocity limit depends on its position may not move towards a limit at all from v² / (2 a) before it on, with v its
    `velocity_offset` and a its `deceleration`. Nothing is commanded there, so the range ends at that point.
    """
    offset = np.array([joint.velocity_offset for joint in robot.joints])
    deceleration = np.array([np.inf if joint.deceleration is None else joint.deceleration for joint in robot.joints])
    standstill = offset**2 / (2 * deceleration)
    return JointLimits(
        names=robot.joint_names,
        lower=robot.limits('lower') + standstill,
        upper=robot.limits('upper') - standstill,
        velocity=robot.limits('velocity'),
        acceleration=robot.limits('acceleration'),
        jerk=robot.limits('jerk'),
        robot_velocity=np.array([joint.velocity for joint in robot.joints]),
        period_s=period_s,
        position_margin=position_margin,
        stop_time_s=stop_time_s,
        velocity_offset=offset,
        deceleration=deceleration,
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
