# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One move to a named joint pose: its goal, its patience and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from vera_control.checks import Checks
from vera_control.limits import JointLimits
from vera_control.params import ControllerParams
from vera_control.safety import SafetyMachine
from vera_control.trajectory import JointMotion
from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal, nearest_name_hint
from vera_core.shapes import FloatArray

SLOWEST_SHARE = 0.02
"""A move slower than this share of the velocity limit would hardly end."""
Pose = str | FloatArray
"""Name of a pose, empty for home, or joint positions of shape (n,), rad."""
LED_ELSEWHERE_S = 30.0
"""A move that the driver leads, or MoveIt has to plan first, may take this much longer."""


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

    def __init__(
        self, pose: str, goal: FloatArray, *, speed_scale: float, tolerance: float, timeout_s: float, start_ns: int, is_led: bool = True
    ) -> None:
        self.pose = pose
        self.is_led = is_led
        """True: the controller leads the arm. False: a mover does, and nothing is sent meanwhile."""
        self.is_driven = False
        """True once the mover of a move that is not led says that it has arrived."""
        self._failure = ''
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
        return reference.rests_at(self.goal)

    def on_mover_end(self, failure: str) -> None:
        """Take in that the mover has arrived, or with a text that it gave up."""
        self.is_driven, self._failure = not failure, failure

    def outcome(self, measured: FloatArray, reference: JointMotion, now_ns: int) -> HomeOutcome | None:
        """Return how the move ended, or None while it goes on."""
        error = np.abs(measured - self.goal)
        self.max_error = float(error.max())
        if self._failure:
            return HomeOutcome(HomeCode.STOPPED, self._failure, self.max_error)
        has_arrived = self.has_reference_arrived(reference) if self.is_led else self.is_driven
        if has_arrived and self.max_error <= self._tolerance:
            return HomeOutcome(HomeCode.SUCCEEDED, f'at pose {self.pose}, largest joint error {self.max_error:.4f} rad', self.max_error)
        if self.elapsed_s(now_ns) > self._timeout_s:
            joint = int(np.argmax(error)) + 1
            text = f'pose {self.pose} not reached in {self._timeout_s:.1f} s: joint {joint} is {self.max_error:.3f} rad away; is the arm blocked?'
            return HomeOutcome(HomeCode.TIMED_OUT, text, self.max_error)
        return None


def home_refusal(safety: SafetyMachine, checks: Checks, home: HomeMove | None, now_ns: int) -> Refusal | None:
    """Return why no move to a pose can begin now; None when one can."""
    if not safety.is_armed:
        return Refusal('not_armed', f'the arm is {safety.state.name}: {safety.text}')
    if home is not None:
        return Refusal('busy', f'already moving to pose {home.pose}; cancel that first')
    if safety.may_move:
        return Refusal('busy', 'a task is being followed; cancel it first')
    if checks.is_dry:
        return Refusal('dry_run', 'dry_run is on: the arm is not moved; set dry_run to false to go anywhere')
    obstacle = checks.motion_obstacle(now_ns)
    return None if obstacle is None else Refusal('not_ready', obstacle.text)


def plan_home(
    robot: Embodiment,
    limits: JointLimits,
    params: ControllerParams,
    pose: Pose,
    speed_scale: float,
    *,
    measured: FloatArray,
    now_ns: int,
    is_led: bool = True,
) -> HomeMove | Refusal:
    """Return the move to a pose, or why the request cannot be done.

    Args:
        robot: Whose poses are meant.
        limits: Its limits.
        params: Default speed, tolerance.
        pose: Where to.
        speed_scale: Share of the velocity limit, 0..1, 0 for the default.
        measured: Where the arm is, shape (n,), rad.
        now_ns: Time, ns.
        is_led: Whether the controller leads the arm there.
    """
    named = _goal(robot, limits, pose)
    if isinstance(named, Refusal):
        return named
    name, goal = named
    if not 0.0 <= speed_scale <= 1.0:
        text = f'speed_scale is {speed_scale}; it must be between 0 (the default of {params.home_speed_scale}) and 1'
        return Refusal('bad_speed_scale', text)
    scale = max(speed_scale or params.home_speed_scale, SLOWEST_SHARE)
    fastest_s = float(np.max(np.abs(goal - measured) / limits.shaped_velocity)) / scale
    timeout_s = 5.0 + 2.0 * fastest_s + (0.0 if is_led else LED_ELSEWHERE_S)
    tolerance = params.home_tolerance_rad
    return HomeMove(name, goal, speed_scale=scale, tolerance=tolerance, timeout_s=timeout_s, start_ns=now_ns, is_led=is_led)


def _goal(robot: Embodiment, limits: JointLimits, pose: Pose) -> tuple[str, FloatArray] | Refusal:
    """Return a pose and what it is called, or why there is no such pose."""
    if isinstance(pose, str):
        name = pose or 'home'
        if name not in robot.poses:
            return Refusal('unknown_pose', f"unknown pose '{name[:40]}' of robot {robot.name}; {nearest_name_hint(name[:40], robot.poses)}")
        return name, np.array(robot.poses[name])
    if pose.shape != limits.lower.shape or not np.all(np.isfinite(pose)):
        return Refusal('bad_pose', f'the position must be {len(limits.names)} finite numbers; it has {pose.size}, or some are not finite')
    low, high = limits.lower + limits.position_margin, limits.upper - limits.position_margin
    outside = np.flatnonzero((pose < low) | (pose > high))
    if len(outside):
        joint = int(outside[0])
        return Refusal(
            'bad_pose',
            f'joint {limits.names[joint]} would go to {pose[joint]:.3f} rad; its range is {low[joint]:.3f} .. {high[joint]:.3f} rad',
        )
    return 'of its own', pose.copy()
