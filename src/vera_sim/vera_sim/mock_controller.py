# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for ros2_control's joint_trajectory_controller on an arm that does exactly what it is told: the same rules, no physics, no clock.

The rules are those of joint_trajectory_controller on Jazzy with `interpolation_method: splines` and without partial goals, tolerances or speed
scaling. Like the real one it enforces no limit; unlike it, it measures what an arm would have felt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.shapes import FloatArray
from vera_sim.joint_trajectory import JointTrajectory, Motion, check
from vera_sim.limit_watch import LimitWatch


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Running:
    trajectory: JointTrajectory
    start_ns: int
    before: Motion
    before_ns: int

    @property
    def end_ns(self) -> int:
        return self.start_ns + round(float(self.trajectory.times[-1]) * 1e9)

    def at(self, time_ns: int) -> Motion | None:
        if time_ns < self.before_ns:  # a clock set back: the real one has no point to give either
            return None
        return self.trajectory.at((time_ns - self.start_ns) * 1e-9, self.before, (self.before_ns - self.start_ns) * 1e-9)


class MockController:
    """Turns trajectories into one command per update. A new trajectory replaces the running one at the next update."""

    def __init__(
        self,
        robot: Embodiment,
        *,
        update_ns: int = 1_000_000,
        interpolate_from_desired_state: bool = True,
        allow_nonzero_velocity_at_trajectory_end: bool = False,
    ) -> None:
        """Make a controller that holds the robot's home pose.

        Args:
            robot: Whose joints and limits.
            update_ns: Period of `update`, ns.
            interpolate_from_desired_state: A new trajectory begins from the last command; false: from the measured joints, whose acceleration
                nobody measures.
            allow_nonzero_velocity_at_trajectory_end: Take trajectories that do not end at rest.
        """
        self.robot = robot
        self.update_ns = update_ns
        self.accepted = self.refused = 0
        self.last_refusal: Refusal | None = None
        self.watch = LimitWatch(robot, update_ns * 1e-9)
        self._from_desired = interpolate_from_desired_state
        self._allow_moving_end = allow_nonzero_velocity_at_trajectory_end
        self.reset(robot.home)

    def reset(self, position: FloatArray) -> None:
        """Rest at a position, shape (n,), rad, without a trajectory."""
        self.command = Motion.at_rest(position)
        self.watch.reset(position)
        self._command_ns: int | None = None
        self._waiting: tuple[JointTrajectory, int] | None = None
        self._running: _Running | None = None

    @property
    def measured(self) -> Motion:
        """Where the arm is: an ideal one is at the last command. Its acceleration is not measured."""
        return replace(self.command, acceleration=np.zeros(len(self.command.position)))

    def receive(self, trajectory: JointTrajectory, stamp_ns: int, now_ns: int) -> Refusal | None:
        """Take a trajectory over at the next update, or return why it is refused (the running one goes on).

        Args:
            trajectory: What came.
            stamp_ns: Its start; 0: it starts at the next update.
            now_ns: Time, ns.
        """
        ended_s = (now_ns - stamp_ns - round(float(trajectory.times[-1]) * 1e9)) * 1e-9 if stamp_ns and len(trajectory.times) else None
        refusal = check(trajectory, self.robot.joint_names, ended_s=ended_s, allow_moving_end=self._allow_moving_end)
        if refusal is not None:
            self.refuse(refusal)
            return refusal
        self.accepted += 1
        self._waiting = (trajectory.in_order(self.robot.joint_names), stamp_ns)
        return None

    def refuse(self, refusal: Refusal) -> None:
        """Count a message that was refused, here or before it got here."""
        self.refused += 1
        self.last_refusal = refusal

    def update(self, now_ns: int) -> Motion:
        """Return the command that this update gives to the arm: where the trajectory is one period later, when the command takes effect."""
        if self._waiting is not None:
            trajectory, stamp_ns = self._waiting
            # With interpolate_from_desired_state the real one keeps the last command with the time of the update that gave it.
            last_ns = now_ns if self._command_ns is None else self._command_ns
            before, before_ns = (self.command, last_ns) if self._from_desired else (self.measured, now_ns)
            self._running = _Running(trajectory=trajectory, start_ns=stamp_ns or now_ns, before=before, before_ns=before_ns)
            self._waiting = None
        if self._running is not None:
            self.command = self._running.at(now_ns + self.update_ns) or self.command
        self._command_ns = now_ns
        self.watch.look(self.command.position)
        return self.command

    def is_running(self, now_ns: int) -> bool:
        """Return whether a trajectory is still on its way."""
        return self._running is not None and now_ns < self._running.end_ns
