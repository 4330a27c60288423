# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulated robot's driver: takes JointTrajectory messages the way joint_trajectory_controller does, and watches the robot's limits.

It accepts what the real controller accepts, joins points as it does (from the current desired state before the first one) and, unlike it,
enforces and counts limits, because here nothing else would. A command that comes when the driver has already left the curve it continues makes
any driver jump, however well its points are shaped: such commands are counted apart (`late_commands`), and so is what limits are broken by the jump.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.shapes import FloatArray
from vera_sim.joint_trajectory import JointTrajectory, Motion, check
from vera_sim.limit_watch import TOLERANCE, LimitWatch, Violations

CATCH_UP_S = 0.1
ON_CURVE_RAD = 1e-5
"""A driver this close to a trajectory's own curve is on it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Accepted:
    """A trajectory, and where the reference was when it was accepted."""

    trajectory: JointTrajectory
    start_s: float
    """When its time zero is, s."""
    before: Motion
    accepted_s: float

    @property
    def begins_s(self) -> float:
        """When its first point is due, s."""
        return self.start_s + float(self.trajectory.times[0])

    def at(self, now_s: float) -> Motion:
        """Return the reference at a time."""
        before_s = min(self.accepted_s - self.start_s, float(self.trajectory.times[0]) - 1e-6)
        return self.trajectory.at(now_s - self.start_s, self.before, before_s)


@dataclass(slots=True, eq=False)
class TrajectoryDriver:
    """Turns trajectories into a joint reference, one tick at a time. Time comes in as an argument."""

    robot: Embodiment
    tick_s: float
    rejected: int = 0
    late_commands: int = 0
    """Commands that came after the driver had run past the point where they leave the one before."""
    _trajectories: deque[_Accepted] = field(default_factory=deque)
    _sampled: tuple[float, FloatArray] | None = None
    """When the reference was last read, s, and what it was, shape (n,), rad."""
    _last: Motion | None = None
    _speed: FloatArray | None = None
    _watch: LimitWatch = field(init=False)
    _limits: dict[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._watch = LimitWatch(self.robot, self.tick_s)
        for quantity in ('lower', 'upper', 'velocity', 'acceleration', 'jerk'):
            # The manufacturer's own limits, not the share of them our commands are meant to keep.
            self._limits[quantity] = np.array([getattr(joint, quantity) for joint in self.robot.joints])

    @property
    def violations(self) -> Violations:
        """How often the reference, as it was asked for, broke a limit since the reset."""
        return self._watch.violations

    @property
    def late_ticks(self) -> int:
        """Ticks outside a limit because of `late_commands`; they are not among `violations`."""
        return self._watch.late_ticks

    def reset(self, position: FloatArray) -> None:
        """Hold `position`, shape (n,), rad, forget the trajectory and the counts."""
        self._last = Motion.at_rest(position)
        self._watch.reset(position)
        self._trajectories.clear()
        self._speed = self._sampled = None
        self.rejected = self.late_commands = 0

    def accept(
        self,
        names: list[str],
        stamp_s: float,
        times: FloatArray,
        positions: FloatArray,
        velocities: FloatArray | None,
        accelerations: FloatArray | None,
        now_s: float,
    ) -> Refusal | None:
        """Take a trajectory given as arrays; see `take`."""
        trajectory = JointTrajectory(
            names=tuple(names), times=times, positions=positions, velocities=velocities, accelerations=accelerations
        )
        return self.take(trajectory, stamp_s, now_s)

    def take(self, trajectory: JointTrajectory, stamp_s: float, now_s: float) -> Refusal | None:
        """Take a trajectory over from now on, or return why it is refused (the running one goes on)."""
        times = trajectory.times
        ended_s = now_s - stamp_s - float(times[-1]) if stamp_s and len(times) else None
        refusal = check(trajectory, self.robot.joint_names, ended_s=ended_s)
        if refusal is not None:
            return self.refuse(refusal)
        if self._last is None:
            raise RuntimeError('reset() gives the driver its first position')
        ordered = trajectory.in_order(self.robot.joint_names)
        accepted = _Accepted(trajectory=ordered, start_s=stamp_s or now_s, before=self._last, accepted_s=now_s)
        if self._is_late(accepted):
            self.late_commands += 1
            if not self._breaks_limits(ordered):
                self._watch.expect_jump()
        # A rolling command repeats points of the one before it: that one stays in force until the first of them is due, so nothing jumps when the
        # driver lags. Any other command takes over at once, from the current desired state, as joint_trajectory_controller does.
        if not self._shares_first_point(accepted):
            self._trajectories.clear()
        self._trajectories.append(accepted)
        self._speed = None
        return None

    def take_velocity(self, velocity: FloatArray) -> Refusal | None:
        """Go on with a velocity, shape (n,), rad/s, until told otherwise, as a forwarding velocity controller does; or say why not."""
        if not np.isfinite(velocity).all():
            return self.refuse(Refusal('not_finite', f'velocities {velocity.tolist()} are not all finite; they are refused'))
        self._trajectories.clear()
        self._speed = np.array(velocity, dtype=np.float64)
        return None

    def refuse(self, refusal: Refusal) -> Refusal:
        """Count a command that was refused, here or before it got here."""
        self.rejected += 1
        return refusal

    def _is_late(self, accepted: _Accepted) -> bool:
        """Whether a trajectory has begun without the driver: where it should have been at its last tick, it was not."""
        if self._sampled is None or self._sampled[0] < accepted.begins_s:
            return False
        then_s, reference = self._sampled
        return bool(np.abs(accepted.at(then_s).position - reference).max() > ON_CURVE_RAD)

    def _breaks_limits(self, trajectory: JointTrajectory) -> bool:
        """Whether a trajectory's own points break a limit, looked at from its first point on: how it is reached is another matter."""
        return self._watch.breaks(trajectory.ticks(self.tick_s))

    def _shares_first_point(self, accepted: _Accepted) -> bool:
        if not self._trajectories:
            return False
        there, first = self._trajectories[-1].at(accepted.begins_s), accepted.trajectory.point(0)
        return bool(np.abs(there.position - first.position).max() < 1e-5 and np.abs(there.velocity - first.velocity).max() < 1e-3)

    def tick(self, now_s: float) -> tuple[FloatArray, FloatArray]:
        """Return the reference for `now_s`: joint positions and velocities, shape (n,) each, inside the robot's limits."""
        if self._last is None:
            raise RuntimeError('reset() gives the driver its first position')
        wanted = self._sample(now_s)
        self._sampled = (now_s, wanted.position)
        self._watch.look(wanted.position)
        limits, last = self._limits, self._last
        # Inside the limits this is the reference itself. After a jump the arm catches up over CATCH_UP_S instead of chattering.
        velocity = (wanted.position - last.position) / self.tick_s
        if not self._allowed(velocity, last):
            velocity = wanted.velocity + (wanted.position - last.position) / CATCH_UP_S
        change = limits['acceleration'] * self.tick_s
        velocity = np.clip(np.clip(velocity, -limits['velocity'], limits['velocity']), last.velocity - change, last.velocity + change)
        # The joint's own end stop, should an abrupt command leave no room to brake.
        reached = np.clip(last.position + velocity * self.tick_s, limits['lower'], limits['upper'])
        self._last = Motion(reached, velocity, (velocity - last.velocity) / self.tick_s)
        return self._last.position, velocity

    def _allowed(self, velocity: FloatArray, last: Motion) -> bool:
        change = TOLERANCE * self._limits['acceleration'] * self.tick_s + 1e-6
        return bool((np.abs(velocity) <= TOLERANCE * self._limits['velocity']).all() and (np.abs(velocity - last.velocity) <= change).all())

    def _sample(self, now_s: float) -> Motion:
        last = self._last
        assert last is not None
        while len(self._trajectories) > 1 and self._trajectories[1].begins_s <= now_s:
            self._trajectories.popleft()
        if self._speed is not None:
            return Motion(last.position + self._speed * self.tick_s, self._speed, np.zeros_like(self._speed))
        return self._trajectories[0].at(now_s) if self._trajectories else Motion.at_rest(last.position)
