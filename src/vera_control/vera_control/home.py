# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One move to a named joint pose: its goal, its patience and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from vera_control.limits import JointLimits
from vera_control.params import ControllerParams
from vera_control.trajectory import JointMotion
from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal, nearest_name_hint
from vera_core.shapes import FloatArray

SLOWEST_SHARE = 0.02
"""A move slower than this share of the velocity limit would hardly end."""


class HomeCode(IntEnum):
    """Result codes of GoHome.action."""

    SUCCEEDED = 0
    REJECTED = 1
    CANCELED = 2
    TIMED_OUT = 3
    STOPPED = 4


@dataclass(frozen=True, slots=True)
class HomeOutcome:
    """How a move ended."""

    code: HomeCode
    text: str
    max_error: float
    """Largest joint error at the end, rad."""


class HomeMove:
    """A move that is under way."""

    def __init__(self, pose: str, goal: FloatArray, *, speed_scale: float, tolerance: float, timeout_s: float, start_ns: int) -> None:
        self.pose = pose
        self.goal = goal
        self.speed_scale = speed_scale
        self._tolerance = tolerance
        self._timeout_s = timeout_s
        self._start_ns = start_ns
        self.max_error = float('inf')

    def elapsed_s(self, now_ns: int) -> float:
        """Time since the start, s."""
        return (now_ns - self._start_ns) * 1e-9

    def has_reference_arrived(self, reference: JointMotion) -> bool:
        """True when the reference rests at the goal, so that nothing is left to send."""
        return reference.is_at_rest and bool(np.all(np.abs(reference.position - self.goal) < 1e-6))

    def outcome(self, measured: FloatArray, reference: JointMotion, now_ns: int) -> HomeOutcome | None:
        """Return how the move ended, or None while it goes on."""
        error = np.abs(measured - self.goal)
        self.max_error = float(error.max())
        if self.has_reference_arrived(reference) and self.max_error <= self._tolerance:
            return HomeOutcome(HomeCode.SUCCEEDED, f'at pose {self.pose}, largest joint error {self.max_error:.4f} rad', self.max_error)
        if self.elapsed_s(now_ns) > self._timeout_s:
            joint = int(np.argmax(error)) + 1
            text = f'pose {self.pose} not reached in {self._timeout_s:.1f} s: joint {joint} is {self.max_error:.3f} rad away; is the arm blocked?'
            return HomeOutcome(HomeCode.TIMED_OUT, text, self.max_error)
        return None


def plan_home(
    robot: Embodiment, limits: JointLimits, params: ControllerParams, pose: str, speed_scale: float, *, measured: FloatArray, now_ns: int
) -> HomeMove | Refusal:
    """Return the move to a named pose, or why the request cannot be done.

    Args:
        robot: Whose poses are meant.
        limits: Its limits.
        params: Default speed, tolerance.
        pose: Name of the pose, empty for home.
        speed_scale: Share of the velocity limit, 0..1, 0 for the default.
        measured: Where the arm is, shape (n,), rad.
        now_ns: Time, ns.
    """
    name = pose or 'home'
    if name not in robot.poses:
        return Refusal('unknown_pose', f"unknown pose '{name[:40]}' of robot {robot.name}; {nearest_name_hint(name[:40], robot.poses)}")
    if not 0.0 <= speed_scale <= 1.0:
        text = f'speed_scale is {speed_scale}; it must be between 0 (the default of {params.home_speed_scale}) and 1'
        return Refusal('bad_speed_scale', text)
    scale = max(speed_scale or params.home_speed_scale, SLOWEST_SHARE)
    goal = np.array(robot.poses[name])
    fastest_s = float(np.max(np.abs(goal - measured) / limits.shaped_velocity)) / scale
    timeout_s = 5.0 + 2.0 * fastest_s
    return HomeMove(name, goal, speed_scale=scale, tolerance=params.home_tolerance_rad, timeout_s=timeout_s, start_ns=now_ns)
