# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a wanted motion to points a driver can run: one active step towards it, then a ramp to rest, both by Ruckig within velocity, acceleration and jerk.

The joints are shaped independently (no synchronisation). Then, with the same jerk and acceleration limits in every call, a joint that ramps
towards a velocity within its limit can always turn around without passing that limit, whatever is asked of it next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import ruckig

from vera_control.limits import JointLimits, stopping_speed
from vera_control.trajectory import JointMotion
from vera_core.errors import VeraError
from vera_core.shapes import FloatArray

MAX_TAIL_POINTS = 500
"""More points than any stop needs; a guard against a run-away loop, not a tuning number."""


class ShapingError(VeraError):
    """Ruckig found no motion from a state; the present trajectory, which ends at rest, stays in force."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Joint states after a start state, one per grid step, the last one at rest. Each array has shape (K, n)."""

    position: FloatArray
    velocity: FloatArray
    acceleration: FloatArray


class Shaper:
    """Makes the next points from a start state. Keeps its Ruckig objects; holds no memory of earlier calls."""

    def __init__(self, limits: JointLimits) -> None:
        self.limits = limits
        size = len(limits.names)
        self._period_s = limits.period_s
        self._otg = ruckig.Ruckig(size)
        self._active = ruckig.Trajectory(size)
        self._tail = ruckig.Trajectory(size)
        self._velocity_input = ruckig.InputParameter(size)
        self._velocity_input.control_interface = ruckig.ControlInterface.Velocity
        self._velocity_input.synchronization = ruckig.Synchronization.No
        self._position_input = ruckig.InputParameter(size)
        for request in (self._velocity_input, self._position_input):
            request.max_velocity = limits.shaped_velocity.tolist()
            request.max_acceleration = limits.shaped_acceleration.tolist()
            request.max_jerk = limits.shaped_jerk.tolist()
            request.target_acceleration = [0.0] * size
        self._rest = [0.0] * size

    def towards_velocity(self, start: JointMotion, velocity: FloatArray, steps: int) -> Points:
        """Ramp towards a velocity for some steps, then to rest.

        A velocity above the limit is scaled down as a whole, which keeps its direction. Near a position limit only the joint concerned is
        slowed: slowing all would leave an arm with one joint at its limit unable to move any other.

        Args:
            start: Where the motion takes over.
            velocity: Wanted, shape (n,), rad/s, finite.
            steps: Active grid steps before the ramp to rest, >= 1.

        Raises:
            ShapingError: If Ruckig finds no motion.
        """
        target = self.bound_velocity(start, velocity, steps)
        points = self._velocity_points(start, target, steps)
        outward = self._leaves_soft_limits(start, points)
        if np.any(outward):
            points = self._velocity_points(start, np.where(outward, 0.0, target), steps)
        return points

    def towards_position(self, start: JointMotion, goal: FloatArray, steps: int, *, speed_scale: float) -> Points:
        """Move towards a joint pose for some steps, then ramp to rest. All joints arrive together where Ruckig finds such a motion.

        Args:
            start: Where the motion takes over.
            goal: Wanted pose, shape (n,), rad.
            steps: Active grid steps before the ramp to rest, >= 1.
            speed_scale: Share of the velocity limit to use, (0, 1].

        Raises:
            ShapingError: If Ruckig finds no motion.
        """
        request = self._position_input
        request.max_velocity = (self.limits.shaped_velocity * speed_scale).tolist()
        request.target_position = goal.tolist()
        request.target_velocity = self._rest
        try:
            request.synchronization = ruckig.Synchronization.Time
            self._solve(request, start, self._active)
        except ShapingError:
            # Synchronising joints fails for rare states (Ruckig's step 2); each joint on its own always finds its way.
            request.synchronization = ruckig.Synchronization.No
            self._solve(request, start, self._active)
        return self._with_tail(steps)

    def to_rest(self, start: JointMotion) -> Points:
        """Ramp to rest at once."""
        return self._velocity_points(start, np.zeros(len(self.limits.names)), 1)

    def bound_velocity(self, start: JointMotion, velocity: FloatArray, steps: int) -> FloatArray:
        """Return the wanted velocity within the velocity limits (uniformly scaled) and the room to the position limits, shape (n,), rad/s."""
        limits = self.limits
        over = float(np.max(np.abs(velocity) / limits.shaped_velocity))
        target = velocity / max(over, 1.0)
        # Two active steps of reserve: the joint moves on while the next tick is computed.
        reach = (2 * steps * self._period_s) * start.velocity
        up = stopping_speed(limits.soft_upper - start.position - np.maximum(reach, 0.0), limits.shaped_acceleration, limits.shaped_jerk)
        down = stopping_speed(start.position - limits.soft_lower - np.maximum(-reach, 0.0), limits.shaped_acceleration, limits.shaped_jerk)
        return np.asarray(np.clip(target, -down, up))

    def _leaves_soft_limits(self, start: JointMotion, points: Points) -> FloatArray:
        highest = np.maximum(self.limits.soft_upper, start.position)
        lowest = np.minimum(self.limits.soft_lower, start.position)
        return np.asarray((points.position.max(axis=0) > highest) | (points.position.min(axis=0) < lowest))

    def _velocity_points(self, start: JointMotion, target: FloatArray, steps: int) -> Points:
        self._velocity_input.target_velocity = target.tolist()
        self._solve(self._velocity_input, start, self._active)
        return self._with_tail(steps)

    def _with_tail(self, steps: int) -> Points:
        rows = [self._active.at_time(index * self._period_s) for index in range(1, steps + 1)]
        position, velocity, acceleration = rows[-1]
        self._velocity_input.target_velocity = self._rest
        end = JointMotion(position=np.array(position), velocity=np.array(velocity), acceleration=np.array(acceleration))
        self._solve(self._velocity_input, end, self._tail)
        count = int(np.ceil(self._tail.duration / self._period_s))
        if count > MAX_TAIL_POINTS:
            raise ShapingError(f'the ramp to rest would take {self._tail.duration:.2f} s; the start state is not one this shaper made')
        rows += [self._tail.at_time(index * self._period_s) for index in range(1, count + 1)]
        states = np.array(rows)
        # Ruckig reaches rest to about 1e-16; JTC refuses a last velocity that is not exactly zero.
        states[-1, 1:] = 0.0
        return Points(position=states[:, 0], velocity=states[:, 1], acceleration=states[:, 2])

    def _solve(self, request: ruckig.InputParameter, start: JointMotion, into: ruckig.Trajectory) -> None:
        request.current_position = start.position.tolist()
        request.current_velocity = start.velocity.tolist()
        request.current_acceleration = start.acceleration.tolist()
        try:
            self._otg.calculate(request, into)
        except ruckig.RuckigError as error:
            state = f'velocity {start.velocity.round(3)} and acceleration {start.acceleration.round(3)}'
            raise ShapingError(f'ruckig finds no way from {state}: {str(error).strip().splitlines()[0]}') from error
