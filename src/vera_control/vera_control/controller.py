# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The heart of this room: estimates and measured joints in, a trajectory that always ends at rest out, fifty times a second.

It holds no clock and no ROS: every method gets the time. The node around it only stores messages, calls `tick` and publishes what comes
back.
"""

from __future__ import annotations

import contextlib

import numpy as np

from vera_control import verdicts
from vera_control.checks import Checks
from vera_control.clearance import clearance_of, describe
from vera_control.driver_mode import DriverMode
from vera_control.follow import velocity_towards
from vera_control.home import HomeCode, HomeMove, HomeOutcome, Pose, home_refusal, plan_home
from vera_control.journal import Journal, journaled
from vera_control.limits import JointLimits, limits_of
from vera_control.params import ControllerParams
from vera_control.reference import RollingReference
from vera_control.safety import Reason, SafetyMachine, SafetyState, Verdict
from vera_control.shaper import Points, Shaper, ShapingError
from vera_control.status import ControllerStatus
from vera_control.tracking import Tracking
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.shapes import FloatArray
from vera_core.types import JointVelocity, RobotState

NO_MOTION_RAD_S = 1e-4
"""Wanted speeds below this are no motion."""


class Controller:
    """Decides every tick whether the arm moves, how, and why not."""

    def __init__(self, robot: Embodiment, params: ControllerParams) -> None:
        self.robot = robot
        self.params = params
        self.journal = Journal()
        self.limits: JointLimits = limits_of(
            robot, period_s=params.point_period_s, position_margin=params.position_margin_rad, stop_time_s=params.stop_time_s
        )
        self.safety = SafetyMachine()
        self.reference = RollingReference(self.limits, lead_s=params.lead_s, stop_lead_s=params.stop_lead_s)
        self.tracking = Tracking(self.reference, params)
        self.checks = Checks(robot, params, self.limits, self.tracking)
        self.home: HomeMove | None = None
        clearance = clearance_of(robot, max_speed_m_s=params.max_speed_m_s, reaction_s=params.active_s + params.stop_time_s)
        self.body_note = describe(clearance, robot)
        """What is kept clear of what, in one sentence for the log."""
        self._shaper = Shaper(self.limits, clearance)
        self._running_since_ns: int | None = None
        self._home_outcome: HomeOutcome | None = None
        self._was_dry = self.checks.is_dry

    # What comes in.

    @journaled
    def on_estimate(self, estimate: JointVelocity, now_ns: int) -> Refusal | None:
        """Take in an estimate, or refuse it whole."""
        return self.checks.on_estimate(estimate, now_ns)

    @journaled
    def on_state(self, state: RobotState, now_ns: int) -> Refusal | None:
        """Take in measured joints, or refuse them whole."""
        return self.checks.on_state(state, now_ns)

    @journaled
    def refuse(self, stream: str, refusal: Refusal, now_ns: int) -> Refusal:
        """Count and remember a message of a stream that was refused, here or before it got here."""
        return self.checks.refuse(stream, refusal, now_ns)

    @journaled
    def on_node(self, node: str, *, is_alive: bool) -> None:
        """Take in that a watched node is alive or gone."""
        self.checks.nodes.report(node, is_alive=is_alive)

    @journaled
    def on_task(self, task_id: int, now_ns: int, *, is_active: bool, is_dry: bool = False) -> None:
        """Take in which task is in force, and whether it is only to be tried without moving the arm."""
        self.checks.tasks.report(task_id, now_ns, is_active=is_active, is_dry=is_dry)

    @journaled
    def on_deadman(self, now_ns: int, *, is_held: bool) -> None:
        """Take in whether the enabling button is held."""
        self.checks.deadman.report(now_ns, is_held=is_held)

    @journaled
    def on_mode(self, mode: DriverMode, now_ns: int) -> None:
        """Take in what the driver reports about the robot itself."""
        self.checks.mode.report(mode, now_ns)

    @journaled
    def on_publisher_count(self, count: int) -> None:
        """Take in how many publishers the command topic has, this controller included."""
        self.checks.other_publishers = max(0, count - 1)

    @journaled
    def on_driver(self, refusal: Refusal | None) -> None:
        """Take in why the driver would not move the robot; None when it would."""
        self.checks.driver_refusal = refusal

    @journaled
    def on_params(self, params: ControllerParams) -> None:
        """Take over live parameters."""
        self.params = self.checks.params = params

    # What people ask for.

    @journaled
    def arm(self, now_ns: int) -> Refusal | None:
        """Arm, or say what stands in the way."""
        return self.safety.arm(self.checks.arming_obstacle(now_ns))

    @journaled
    def stop(self, text: str, *, reason: Reason = Reason.OPERATOR_STOP) -> None:
        """Stop and latch."""
        self._end_home(HomeCode.STOPPED, text)
        self.safety.stop(reason, text)

    @journaled
    def reset(self, now_ns: int) -> Refusal | None:
        """Release a latched stop; the arm stays disarmed."""
        refusal = self.safety.reset(is_at_rest=not self.reference.is_moving(now_ns))
        if refusal is None:
            self.tracking.acknowledge()
            self.checks.acknowledge()
        return refusal

    @journaled
    def start_home(self, pose: Pose, speed_scale: float, now_ns: int, *, is_led: bool = True) -> Refusal | None:
        """Begin a move to a pose, or say why not; one that is not led is a mover's, which tells by `on_mover_end` how it ended."""
        refusal = home_refusal(self.safety, self.checks, self.home, now_ns)
        if refusal is not None or self.checks.state is None:
            return refusal
        measured = self.checks.state.position  # home_refusal() saw fresh joints
        move = plan_home(self.robot, self.limits, self.params, pose, speed_scale, measured=measured, now_ns=now_ns, is_led=is_led)
        if isinstance(move, Refusal):
            return move
        self.home, self._home_outcome = move, None
        self._shaper.blocked = None
        return None

    @journaled
    def on_mover_end(self, failure: str) -> None:
        """Take in that the mover says it has arrived, or with a text that it gave up."""
        if self.home is not None:
            self.home.on_mover_end(failure)

    @journaled
    def cancel_home(self) -> None:
        """End the move; the arm ramps to rest."""
        self._end_home(HomeCode.CANCELED, 'canceled; the arm ramps to rest')

    @journaled
    def take_home_outcome(self) -> HomeOutcome | None:
        """Return how the last move ended, once."""
        outcome, self._home_outcome = self._home_outcome, None
        return outcome

    # What happens every tick.

    @journaled
    def tick(self, now_ns: int) -> ShapedTrajectory | None:
        """Judge, and return the trajectory to publish, or None when the arm rests (or the one in force brings it there)."""
        self._begin_anew_after_jumps(now_ns)
        state = self.checks.fresh_state(now_ns)
        if state is not None:
            self.tracking.update(state, now_ns, is_dry=self.checks.is_dry)
        stop = self.checks.stop(is_armed=self.safety.is_armed, now_ns=now_ns)
        if stop is not None:
            self.stop(stop[1], reason=stop[0])
        self.safety.judge(self._verdict(now_ns))
        self._conclude_home(now_ns)
        if not self.safety.may_move:
            self._running_since_ns = None
        elif self._running_since_ns is None:
            self._running_since_ns = now_ns
        if not self.reference.is_anchored or (self.home is not None and not self.home.is_led):
            return None
        index, start = self.reference.takeover(now_ns, joining_s=self.tracking.joining_s(now_ns), is_stop=not self.safety.may_move)
        try:
            points = self._points(index, start, now_ns)
            if points is None:
                return None
            trajectory = self.reference.extend(now_ns, index, start, points)
        except ShapingError as error:
            self.stop(f'no motion found: {error}', reason=Reason.OVER_LIMIT)
            return None
        if trajectory is None:
            self.stop('a shaped command would break a limit and was not sent; please report this', reason=Reason.OVER_LIMIT)
        return trajectory

    @journaled
    def may_send(self, tick_ns: int, now_ns: int) -> bool:
        """Return whether what the tick at `tick_ns` made can still reach the driver in time; if not it is withdrawn."""
        return self.reference.may_send(tick_ns, now_ns)

    @journaled
    def status(self, now_ns: int) -> ControllerStatus:
        """Return what is to be reported now."""
        commanded = self.reference.at(now_ns).velocity if self.reference.is_anchored else np.zeros(len(self.limits.names))
        return ControllerStatus(
            state=self.safety.state,
            reason=self.safety.reason,
            text=self.safety.text,
            stream_names=self.checks.streams.names,
            stream_ages=self.checks.streams.ages_s(now_ns),
            lost_nodes=self.checks.nodes.lost,
            speed_scale=self.params.speed_scale,
            commanded_velocity=commanded,
            refused_messages=self.checks.refused_messages,
            violations=self.reference.violations,
            is_dry=self.checks.is_dry,
            start_obstacle=self.checks.start_obstacle(now_ns),
        )

    # How it decides.

    def _verdict(self, now_ns: int) -> Verdict:
        verdict = self.checks.verdict(now_ns, pose=None if self.home is None else self.home.pose)
        estimate = self.checks.estimate
        if verdict.state is not SafetyState.RUNNING:
            return verdict
        blocked = self._blocked(None if self.home is not None or estimate is None else estimate.velocity, now_ns)
        return verdict if blocked is None else verdicts.hold(Reason.TOO_CLOSE, blocked)

    def _blocked(self, velocity: FloatArray | None, now_ns: int) -> str | None:
        """Return why the last motion was not possible, if what is wanted now is not possible either: a velocity, or with None the move home."""
        if self._shaper.blocked is None:
            return None
        start = self.reference.takeover(now_ns)[1]
        with contextlib.suppress(ShapingError):
            if velocity is not None:
                self._shaper.towards_velocity(start, velocity, self._active_steps)
            elif self.home is not None and start.is_at_rest:  # what was not possible in motion may be from rest
                self._shaper.towards_position(start, self.home.goal, self._active_steps, speed_scale=self.home.speed_scale)
            else:
                return None
        return self._shaper.blocked

    @property
    def _active_steps(self) -> int:
        return max(1, round(self.params.active_s / self.params.point_period_s))

    def _points(self, index: int, start: JointMotion, now_ns: int) -> Points | None:
        """Return the points after a takeover; None when it rests and nothing is wanted, or what is in force is to go on to its rest."""
        steps, home = self._active_steps, self.home if self.safety.may_move else None
        goal = home.goal if home is not None else self.tracking.way_back
        if goal is not None:
            scale = 1.0 if home is None else home.speed_scale
            return None if start.rests_at(goal) else self._shaper.towards_position(start, goal, steps, speed_scale=scale)
        velocity = self._wanted_velocity(index, start, now_ns) if self.safety.may_move else None
        if velocity is not None and float(np.max(np.abs(velocity))) > NO_MOTION_RAD_S:
            return self._shaper.towards_velocity(start, velocity, steps)
        # What is in force was looked at to its rest; a ramp to rest from its middle would be another way.
        goes_on = start.is_at_rest or self.safety.reason is Reason.TOO_CLOSE
        return None if goes_on else self._shaper.to_rest(start)

    def _wanted_velocity(self, index: int, start: JointMotion, now_ns: int) -> FloatArray | None:
        estimate = self.checks.estimate
        if estimate is None or self._running_since_ns is None:
            return None
        velocity = estimate.velocity
        then = self.tracking.reference_behind(estimate.stamp_ns)
        if self.params.compensate_latency and then is not None:
            start_ns, delay_s = index * self.reference.period_ns, self.params.tracking_delay_s
            velocity = velocity_towards(estimate, then, start.position, start_ns=start_ns, tracking_delay_s=delay_s)
        running_s = (now_ns - self._running_since_ns) * 1e-9 + 1.0 / self.params.tick_hz
        blend = min(1.0, running_s / self.params.blend_in_s) if self.params.blend_in_s > 0 else 1.0
        return np.asarray(velocity * (blend * self.params.speed_scale * self.checks.speed_share(now_ns)))

    # What it watches.

    def _begin_anew_after_jumps(self, now_ns: int) -> None:
        """A clock that jumped, or a dry run that begins or ends: the reference is no longer where the driver is. Rest, and begin where the arm is."""
        jump = self.checks.pass_time(now_ns)
        is_dry = self.checks.is_dry
        if jump is not None or is_dry is not self._was_dry:
            self.tracking.forget()
        self._was_dry = is_dry

    def _conclude_home(self, now_ns: int) -> None:
        if self.home is None:
            return
        if not self.safety.may_move or self.checks.state is None:
            self._end_home(HomeCode.STOPPED, f'stopped on the way to pose {self.home.pose}: {self.safety.text}')
            return
        outcome = self.home.outcome(self.checks.state.position, self.reference.at(now_ns), now_ns) if self.reference.is_anchored else None
        if outcome is not None:
            self._end_home(outcome.code, outcome.text)

    def _end_home(self, code: HomeCode, text: str) -> None:
        if self.home is not None:
            self._home_outcome = HomeOutcome(code, text, self.home.max_error)
            if not self.home.is_led:
                self.tracking.forget()  # where the arm is now is for the measured joints to say
            self.home = None
