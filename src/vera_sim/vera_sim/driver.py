# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulated robot's driver: takes JointTrajectory messages the way joint_trajectory_controller does, and watches the robot's limits.

It accepts what the real controller accepts, interpolates as it does (quintic between points with position, velocity and acceleration, from
the current desired state before the first point) and, unlike it, enforces and counts limits, because here nothing else would.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.shapes import FloatArray

TOLERANCE = 1.001
CATCH_UP_S = 0.1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trajectory:
    """Points of one command, joints in the embodiment's order."""

    start_s: float
    """When its time zero is, s."""
    times: FloatArray
    """Time from start of every point, shape (P,), s, rising."""
    positions: FloatArray
    """Shape (P, n), rad."""
    velocities: FloatArray
    """Shape (P, n), rad/s."""
    accelerations: FloatArray
    """Shape (P, n), rad/s²."""

    @property
    def begins_s(self) -> float:
        """When its first point is due, s."""
        return self.start_s + float(self.times[0])


@dataclass(slots=True)
class Violations:
    """How often the reference broke a limit of the robot, in driver ticks."""

    position: int = 0
    velocity: int = 0
    acceleration: int = 0
    jerk: int = 0


@dataclass(slots=True, eq=False)
class _State:
    position: FloatArray
    velocity: FloatArray
    acceleration: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Accepted:
    """A trajectory, and where the reference was when it was accepted."""

    trajectory: Trajectory
    before: _State
    accepted_s: float


@dataclass(slots=True, eq=False)
class TrajectoryDriver:
    """Turns trajectories into a joint reference, one tick at a time. Time comes in as an argument."""

    robot: Embodiment
    tick_s: float
    violations: Violations = field(default_factory=Violations)
    rejected: int = 0
    _trajectories: deque[_Accepted] = field(default_factory=deque)
    _last: _State | None = None
    _wanted: _State = field(init=False)
    _limits: dict[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for quantity in ('lower', 'upper', 'velocity', 'acceleration', 'jerk'):
            # The manufacturer's own limits, not the share of them our commands are meant to keep.
            self._limits[quantity] = np.array([getattr(joint, quantity) for joint in self.robot.joints])

    def reset(self, position: FloatArray) -> None:
        """Hold `position`, shape (n,), rad, forget the trajectory and the counts."""
        zero = np.zeros(len(self.robot.joints))
        self._last = _State(np.array(position, float), zero, zero.copy())
        self._wanted = self._last
        self._trajectories.clear()
        self.violations = Violations()
        self.rejected = 0

    def accept(
        self,
        names: list[str],
        stamp_s: float,
        times: FloatArray,
        positions: FloatArray,
        velocities: FloatArray,
        accelerations: FloatArray,
        now_s: float,
    ) -> Refusal | None:
        """Take a trajectory over from now on, or return why it is refused (the running one goes on)."""
        refusal = self._check(names, stamp_s, times, positions, velocities, accelerations, now_s)
        if refusal is not None:
            self.rejected += 1
            return refusal
        if self._last is None:
            raise RuntimeError('reset() gives the driver its first position')
        order = [names.index(name) for name in self.robot.joint_names]
        trajectory = Trajectory(
            start_s=stamp_s or now_s,
            times=times,
            positions=positions[:, order],
            velocities=velocities[:, order],
            accelerations=accelerations[:, order],
        )
        # A rolling command repeats points of the one before it: that one stays in force until the first of them is due, so nothing jumps when the
        # driver lags. Any other command takes over at once, from the current desired state, as joint_trajectory_controller does.
        if not self._shares_first_point(trajectory):
            self._trajectories.clear()
        self._trajectories.append(_Accepted(trajectory, self._last, now_s))
        return None

    def _shares_first_point(self, trajectory: Trajectory) -> bool:
        if not self._trajectories:
            return False
        there = self._at(self._trajectories[-1], trajectory.begins_s)
        return bool(
            np.abs(there.position - trajectory.positions[0]).max() < 1e-5 and np.abs(there.velocity - trajectory.velocities[0]).max() < 1e-3
        )

    def _check(
        self,
        names: list[str],
        stamp_s: float,
        times: FloatArray,
        positions: FloatArray,
        velocities: FloatArray,
        accelerations: FloatArray,
        now_s: float,
    ) -> Refusal | None:
        expected = self.robot.joint_names
        if sorted(names) != sorted(expected):
            return Refusal('wrong_joint_names', f'trajectory names {names} but the robot has {list(expected)}; send every joint once')
        shape = (len(times), len(expected))
        for label, array in (('positions', positions), ('velocities', velocities), ('accelerations', accelerations)):
            if array.shape != shape or not len(times):
                return Refusal('wrong_length', f'{label} have shape {array.shape} but {shape} was expected, with at least one point')
            if not np.isfinite(array).all():
                return Refusal(
                    'not_finite',
                    f'{label} hold {int((~np.isfinite(array)).sum())} values that are not finite; the whole trajectory is refused',
                )
        if (np.diff(times) <= 0).any() or times[0] < 0:
            return Refusal('times', f'time_from_start must rise strictly from 0 on; got {np.round(times[:5], 4).tolist()} ...')
        if np.abs(velocities[-1]).max() > 1e-6:
            return Refusal(
                'moving_end', f'the last point moves at up to {np.abs(velocities[-1]).max():.3f} rad/s; a trajectory must end at rest'
            )
        if stamp_s and stamp_s + times[-1] <= now_s:
            return Refusal('ended', f'the trajectory ended {now_s - stamp_s - times[-1]:.3f} s ago; check the clocks of sender and driver')
        return None

    def tick(self, now_s: float) -> tuple[FloatArray, FloatArray]:
        """Return the reference for `now_s`: joint positions and velocities, shape (n,) each, inside the robot's limits."""
        if self._last is None:
            raise RuntimeError('reset() gives the driver its first position')
        wanted = self._sample(now_s)
        self._count(wanted)
        limits, last = self._limits, self._last
        # Inside the limits this is the reference itself. After a jump the arm catches up over CATCH_UP_S instead of chattering.
        velocity = (wanted.position - last.position) / self.tick_s
        if not self._allowed(velocity, last):
            velocity = wanted.velocity + (wanted.position - last.position) / CATCH_UP_S
        change = limits['acceleration'] * self.tick_s
        velocity = np.clip(np.clip(velocity, -limits['velocity'], limits['velocity']), last.velocity - change, last.velocity + change)
        # The joint's own end stop, should an abrupt command leave no room to brake.
        reached = np.clip(last.position + velocity * self.tick_s, limits['lower'], limits['upper'])
        self._last = _State(reached, velocity, (velocity - last.velocity) / self.tick_s)
        return self._last.position, velocity

    def _allowed(self, velocity: FloatArray, last: _State) -> bool:
        change = TOLERANCE * self._limits['acceleration'] * self.tick_s + 1e-6
        return bool((np.abs(velocity) <= TOLERANCE * self._limits['velocity']).all() and (np.abs(velocity - last.velocity) <= change).all())

    def _count(self, wanted: _State) -> None:
        """Hold the reference as it was asked for, by differences from tick to tick, against the robot's limits."""
        before, limits, counts = self._wanted, self._limits, self.violations
        velocity = (wanted.position - before.position) / self.tick_s
        acceleration = (velocity - before.velocity) / self.tick_s
        jerk = (acceleration - before.acceleration) / self.tick_s
        counts.position += int(((wanted.position < limits['lower'] - 1e-9) | (wanted.position > limits['upper'] + 1e-9)).any())
        counts.velocity += int((np.abs(velocity) > TOLERANCE * limits['velocity']).any())
        counts.acceleration += int((np.abs(acceleration) > TOLERANCE * limits['acceleration']).any())
        counts.jerk += int((np.abs(jerk) > TOLERANCE * limits['jerk']).any())
        self._wanted = _State(wanted.position, velocity, acceleration)

    def _sample(self, now_s: float) -> _State:
        last = self._last
        assert last is not None
        while len(self._trajectories) > 1 and self._trajectories[1].trajectory.begins_s <= now_s:
            self._trajectories.popleft()
        if not self._trajectories:
            return _State(last.position, np.zeros_like(last.velocity), np.zeros_like(last.velocity))
        return self._at(self._trajectories[0], now_s)

    def _at(self, accepted: _Accepted, now_s: float) -> _State:
        trajectory = accepted.trajectory
        elapsed = now_s - trajectory.start_s
        if elapsed >= trajectory.times[-1]:
            return _State(trajectory.positions[-1], trajectory.velocities[-1], trajectory.accelerations[-1])
        index = int(np.searchsorted(trajectory.times, elapsed, side='right'))
        end = _State(trajectory.positions[index], trajectory.velocities[index], trajectory.accelerations[index])
        if index > 0:
            start_s = float(trajectory.times[index - 1])
            begin = _State(trajectory.positions[index - 1], trajectory.velocities[index - 1], trajectory.accelerations[index - 1])
        else:
            begin = accepted.before
            start_s = min(accepted.accepted_s - trajectory.start_s, float(trajectory.times[0]) - 1e-6)
        return quintic(begin, end, float(trajectory.times[index]) - start_s, elapsed - start_s)


def quintic(begin: _State, end: _State, duration_s: float, elapsed_s: float) -> _State:
    """Fifth-order segment through position, velocity and acceleration at both ends, evaluated at `elapsed_s`."""
    h, t = duration_s, elapsed_s
    q0, v0, a0, q1, v1, a1 = begin.position, begin.velocity, begin.acceleration, end.position, end.velocity, end.acceleration
    gap = q1 - q0
    c3 = (20 * gap - (8 * v1 + 12 * v0) * h - (3 * a0 - a1) * h**2) / (2 * h**3)
    c4 = (-30 * gap + (14 * v1 + 16 * v0) * h + (3 * a0 - 2 * a1) * h**2) / (2 * h**4)
    c5 = (12 * gap - 6 * (v1 + v0) * h + (a1 - a0) * h**2) / (2 * h**5)
    return _State(
        q0 + v0 * t + a0 / 2 * t**2 + c3 * t**3 + c4 * t**4 + c5 * t**5,
        v0 + a0 * t + 3 * c3 * t**2 + 4 * c4 * t**3 + 5 * c5 * t**4,
        a0 + 6 * c3 * t + 12 * c4 * t**2 + 20 * c5 * t**3,
    )
