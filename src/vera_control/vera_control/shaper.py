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

from vera_control.clearance import Clearance
from vera_control.limits import JointLimits, stopping_speed
from vera_control.trajectory import JointMotion
from vera_core.errors import VeraError
from vera_core.shapes import Array, FloatArray

ATTEMPTS = 5
"""Speeds tried in one call before the motion is given up; the next call tries again."""
LOOKS_AHEAD = 12
"""At so many points of the whole way to a pose the speed of links is looked at before it is entered on."""
BLOCKED_SHARE = 0.05
"""Motion of which less than this share is possible counts as blocked."""
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
    """Makes the next points from a start state. Keeps its Ruckig objects; holds no memory of earlier calls but why the last one was blocked."""

    def __init__(self, limits: JointLimits, clearance: Clearance | None = None) -> None:
        self.limits = limits
        self.blocked: str | None = None
        """Why the last wanted motion was not possible, in one sentence; None when it was, if slower."""
        self._clearance = clearance
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

    def towards_velocity(self, start: JointMotion, velocity: FloatArray, steps: int) -> Points | None:
        """Ramp towards a velocity for some steps, then to rest; None when no such motion keeps the links clear and slow, which `blocked` tells.

        Then the trajectory in force is to go on: its whole way to rest was looked at when it was made. A ramp to rest from here would be another
        way, on which joints that cancelled each other's motion do so no longer, and may be too fast or too near.

        A velocity above the limit is scaled down as a whole, which keeps its direction; so is one that brings links too near to the table
        or each other, or moves one of them too fast. Near a position limit only the joint concerned is slowed: slowing all would leave an
        arm with one joint at its limit unable to move any other.

        Args:
            start: Where the motion takes over.
            velocity: Wanted, shape (n,), rad/s, finite.
            steps: Active grid steps before the ramp to rest, >= 1.

        Raises:
            ShapingError: If Ruckig finds no motion.
        """
        target = self.bound_velocity(start, velocity, steps)
        if self._clearance is None:
            return self._bounded_points(start, target, steps)
        share = self._clearance.share(start.position, target)
        for _ in range(ATTEMPTS):
            points = self._bounded_points(start, target * share, steps)
            permitted = self._clearance.permitted(start, points.position, points.velocity)
            if permitted == 1.0:
                self.blocked = self._clearance.text if share < BLOCKED_SHARE else None
                return points
            share *= permitted
        self.blocked = self._clearance.text
        return None

    def towards_position(self, start: JointMotion, goal: FloatArray, steps: int, *, speed_scale: float) -> Points | None:
        """Move towards a joint pose for some steps, then ramp to rest. All joints arrive together where Ruckig finds such a motion.

        Slower than asked where the way there is near a limit of the velocity or to the table, and None, as in `towards_velocity`, where it would
        go too near.

        Args:
            start: Where the motion takes over.
            goal: Wanted pose, shape (n,), rad.
            steps: Active grid steps before the ramp to rest, >= 1.
            speed_scale: Share of the velocity limit to use, (0, 1].

        Raises:
            ShapingError: If Ruckig finds no motion.
        """
        speed_scale = self._cruise_scale(start, goal, speed_scale)
        for _ in range(ATTEMPTS):
            points = self._position_points(start, goal, steps, speed_scale=speed_scale)
            permitted = 0.4 if np.any(self._breaks_velocity_window(points)) else 1.0
            if self._clearance is not None:
                permitted = min(permitted, self._clearance.permitted(start, points.position, points.velocity))
            if permitted == 1.0:
                self.blocked = None
                return points
            speed_scale *= permitted
        if self._clearance is None:
            return self.to_rest(start)
        self.blocked = self._clearance.text
        return None

    def _cruise_scale(self, start: JointMotion, goal: FloatArray, speed_scale: float) -> float:
        """Return the share of the velocity limit at which no link is too fast anywhere on the way to a goal, at most the one given.

        Looking at the next steps alone would let the arm speed up to the limit, where only a ramp to rest is left once levers grow.
        """
        if self._clearance is None:
            return speed_scale
        self._solve_position(start, goal, speed_scale)
        looks = [self._active.at_time(time_s)[:2] for time_s in np.linspace(0.0, self._active.duration, LOOKS_AHEAD + 2)[1:-1]]
        positions, velocities = np.array(looks).swapaxes(0, 1)
        share = self._clearance.speed_share(positions, velocities)
        used = float(np.max(np.abs(velocities) / self.limits.shaped_velocity))
        return speed_scale if share == 1.0 else min(speed_scale, share * used)

    def _position_points(self, start: JointMotion, goal: FloatArray, steps: int, *, speed_scale: float) -> Points:
        self._solve_position(start, goal, speed_scale)
        return self._with_tail(steps)

    def _solve_position(self, start: JointMotion, goal: FloatArray, speed_scale: float) -> None:
        """Put the whole motion to a goal into `_active`."""
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

    def to_rest(self, start: JointMotion) -> Points:
        """Ramp to rest at once: for stops, which do not wait for distances and speeds in space to be looked at."""
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
        if limits.has_velocity_window:
            ahead = start.position + np.where(target * start.velocity > 0, reach, 0.0) + self._period_s * steps * target
            slowest, fastest = limits.velocity_window(ahead)
            down, up = np.minimum(down, -slowest), np.minimum(up, fastest)
        return np.asarray(np.clip(target, -down, up))

    def _bounded_points(self, start: JointMotion, target: FloatArray, steps: int) -> Points:
        """Ramp towards a bounded velocity and to rest; a joint that would still pass a limit of its position or velocity ramps to rest."""
        points = self._velocity_points(start, target, steps)
        too_fast = self._breaks_velocity_window(points)
        if np.any(too_fast):
            target = np.where(too_fast, 0.5 * target, target)
            points = self._velocity_points(start, target, steps)
            too_fast = self._breaks_velocity_window(points)
        outward = self._leaves_soft_limits(start, points) | too_fast
        return self._velocity_points(start, np.where(outward, 0.0, target), steps) if np.any(outward) else points

    def _breaks_velocity_window(self, points: Points) -> Array:
        """Return which joints pass the velocity limit that depends on their position, shape (n,), bool."""
        limits = self.limits
        if not limits.has_velocity_window:
            return np.zeros(len(limits.names), bool)
        slowest, fastest = limits.velocity_window(points.position)
        slack = np.minimum(limits.velocity_slack, 0.5 * fastest), np.minimum(limits.velocity_slack, -0.5 * slowest)
        return np.asarray(np.any((points.velocity > fastest - slack[0]) | (points.velocity < slowest + slack[1]), axis=0))

    def _leaves_soft_limits(self, start: JointMotion, points: Points) -> Array:
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
