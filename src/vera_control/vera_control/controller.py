# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The heart of this room: estimates and measured joints in, a trajectory that always ends at rest out, fifty times a second.

It holds no clock and no ROS: every method gets the time. The node around it only stores messages, calls `tick` and publishes what comes
back.
"""

from __future__ import annotations

import numpy as np

from vera_control import verdicts
from vera_control.confidence import explain_low_confidence, freshness_share, rule_of, speed_share
from vera_control.follow import velocity_towards
from vera_control.gates import gate_estimate, gate_inside, gate_state
from vera_control.home import HomeCode, HomeMove, HomeOutcome, plan_home
from vera_control.limits import JointLimits, limits_of
from vera_control.params import ControllerParams
from vera_control.reference import RollingReference
from vera_control.safety import Reason, SafetyMachine, Verdict
from vera_control.shaper import Points, Shaper, ShapingError
from vera_control.status import ControllerStatus
from vera_control.task_gate import TaskGate
from vera_control.tracking import SECOND_LOSS_S, Tracking
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_control.watchdog import NodeWatch, StreamWatch, explain_lost
from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.shapes import FloatArray
from vera_core.types import JointVelocity, RobotState

ESTIMATE = 'joint_velocity'
STATE = 'joint_states'

REFUSAL_MEMORY_S = 1.0
"""For this long after a refused message the status speaks of it."""
NO_MOTION_RAD_S = 1e-4
"""Wanted speeds below this are no motion."""


class Controller:
    """Decides every tick whether the arm moves, how, and why not."""

    def __init__(self, robot: Embodiment, params: ControllerParams) -> None:
        self.robot = robot
        self.params = params
        self.limits: JointLimits = limits_of(
            robot, period_s=params.point_period_s, position_margin=params.position_margin_rad, stop_time_s=params.stop_time_s
        )
        self.safety = SafetyMachine()
        self.reference = RollingReference(self.limits, lead_s=params.lead_s)
        self.tracking = Tracking(self.reference, params)
        self.streams = StreamWatch((ESTIMATE, STATE))
        self.nodes = NodeWatch(params.required_nodes)
        self.tasks = TaskGate(timeout_s=params.task_timeout_s)
        self.home: HomeMove | None = None
        self.refused_messages = 0
        self._shaper = Shaper(self.limits)
        self._rule = rule_of(params)
        self._estimate: JointVelocity | None = None
        self._state: RobotState | None = None
        self._refusals: dict[str, tuple[Refusal, int]] = {}
        self._other_publishers = 0
        self._running_since_ns: int | None = None
        self._home_outcome: HomeOutcome | None = None
        self._tick_ns: int | None = None

    # What comes in.

    def on_estimate(self, estimate: JointVelocity, now_ns: int) -> Refusal | None:
        """Take in an estimate, or refuse it whole."""
        newest = self._estimate.stamp_ns if self._estimate is not None else None
        refusal = gate_estimate(estimate, now_ns, limits=self.limits, newest_ns=newest, max_age_s=self.params.max_latency_s)
        if refusal is not None:
            return self.refuse(ESTIMATE, refusal, now_ns)
        self._estimate = estimate
        self.streams.mark(ESTIMATE, now_ns)
        return None

    def on_state(self, state: RobotState, now_ns: int) -> Refusal | None:
        """Take in measured joints, or refuse them whole."""
        newest = self._state.stamp_ns if self._state is not None else None
        refusal = gate_state(state, now_ns, limits=self.limits, newest_ns=newest, max_age_s=self.params.state_timeout_s)
        if refusal is not None:
            return self.refuse(STATE, refusal, now_ns)
        self._state = state
        self.streams.mark(STATE, now_ns)
        return None

    def refuse(self, stream: str, refusal: Refusal, now_ns: int) -> Refusal:
        """Count and remember a message of a stream that was refused, here or before it got here."""
        self.refused_messages += 1
        self._refusals[stream] = (refusal, now_ns)
        return refusal

    def on_node(self, node: str, *, is_alive: bool) -> None:
        """Take in that a watched node is alive or gone."""
        self.nodes.report(node, is_alive=is_alive)

    def on_task(self, task_id: int, now_ns: int, *, is_active: bool) -> None:
        """Take in which task is in force."""
        self.tasks.report(task_id, now_ns, is_active=is_active)

    def on_publisher_count(self, count: int) -> None:
        """Take in how many publishers the command topic has, this controller included."""
        self._other_publishers = max(0, count - 1)

    # What people ask for.

    def arm(self, now_ns: int) -> Refusal | None:
        """Arm, or say what stands in the way."""
        obstacle = self._obstacle(now_ns)
        if obstacle is None and self._state is not None:
            return self.safety.arm(gate_inside(self._state.position, self.limits))
        return self.safety.arm(None if obstacle is None else Refusal('not_ready', obstacle.text))

    def stop(self, text: str, *, reason: Reason = Reason.OPERATOR_STOP) -> None:
        """Stop and latch."""
        self._end_home(HomeCode.STOPPED, text)
        self.safety.stop(reason, text)

    def reset(self, now_ns: int) -> Refusal | None:
        """Release a latched stop; the arm stays disarmed."""
        refusal = self.safety.reset(is_at_rest=not self.reference.is_moving(now_ns))
        if refusal is None:
            self.tracking.acknowledge()
        return refusal

    def start_home(self, pose: str, speed_scale: float, now_ns: int) -> Refusal | None:
        """Begin a move to a named pose, or say why not."""
        if not self.safety.is_armed:
            return Refusal('not_armed', f'the arm is {self.safety.state.name}: {self.safety.text}')
        if self.home is not None:
            return Refusal('busy', f'already moving to pose {self.home.pose}; cancel that first')
        if self.safety.may_move:
            return Refusal('busy', 'a task is being followed; cancel it first')
        obstacle = self._obstacle(now_ns)
        if obstacle is not None:
            return Refusal('not_ready', obstacle.text)
        assert self._state is not None  # _obstacle() saw fresh joints
        move = plan_home(self.robot, self.limits, self.params, pose, speed_scale, measured=self._state.position, now_ns=now_ns)
        if isinstance(move, Refusal):
            return move
        self.home, self._home_outcome = move, None
        return None

    def cancel_home(self) -> None:
        """End the move; the arm ramps to rest."""
        self._end_home(HomeCode.CANCELED, 'canceled; the arm ramps to rest')

    def take_home_outcome(self) -> HomeOutcome | None:
        """Return how the last move ended, once."""
        outcome, self._home_outcome = self._home_outcome, None
        return outcome

    # What happens every tick.

    def tick(self, now_ns: int) -> ShapedTrajectory | None:
        """Judge, and return the trajectory to publish, or None when the arm rests (or the one in force brings it there)."""
        self._notice_clock_jump(now_ns)
        if self.streams.is_fresh(STATE, now_ns, self.params.state_timeout_s) and self._state is not None:
            self.tracking.update(self._state, now_ns)
            if self.tracking.is_hopeless and self.tracking.lost is not None:
                self.stop(f'twice within {SECOND_LOSS_S:.0f} s: {self.tracking.lost}', reason=Reason.NOT_FOLLOWING)
        self.safety.judge(self._verdict(now_ns))
        self._conclude_home(now_ns)
        if not self.safety.may_move:
            self._running_since_ns = None
        elif self._running_since_ns is None:
            self._running_since_ns = now_ns
        if not self.reference.is_anchored:
            return None
        index, start = self.reference.takeover(now_ns, joining_s=self.tracking.joining_s(now_ns))
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

    def status(self, now_ns: int) -> ControllerStatus:
        """Return what is to be reported now."""
        commanded = self.reference.at(now_ns).velocity if self.reference.is_anchored else np.zeros(len(self.limits.names))
        return ControllerStatus(
            state=self.safety.state,
            reason=self.safety.reason,
            text=self.safety.text,
            stream_names=self.streams.names,
            stream_ages=self.streams.ages_s(now_ns),
            lost_nodes=self.nodes.lost,
            speed_scale=self.params.speed_scale,
            commanded_velocity=commanded,
            refused_messages=self.refused_messages,
            violations=self.reference.violations,
        )

    # How it decides.

    def _obstacle(self, now_ns: int) -> Verdict | None:
        """Return the hold that forbids any motion at all, following or going home."""
        if not self.streams.is_fresh(STATE, now_ns, self.params.state_timeout_s) or self._state is None:
            refusal = self._recent_refusal(STATE, now_ns)
            if refusal is not None:
                return verdicts.refused(refusal)
            age = self.streams.age_s(STATE, now_ns)
            return verdicts.stale_state(self.robot.driver.joint_states_topic, age, self.params.state_timeout_s)
        if self._other_publishers:
            return verdicts.other_publisher(self._other_publishers, self.robot.driver.command_topic)
        if self.tracking.lost is not None:
            return verdicts.hold(Reason.NOT_FOLLOWING, self.tracking.lost)
        return None if self.reference.is_anchored else verdicts.moving_by_itself()

    def _verdict(self, now_ns: int) -> Verdict:
        obstacle = self._obstacle(now_ns)
        if obstacle is not None:
            # A dead driver takes its joint states along: who is gone says more than what is missing.
            return verdicts.hold(Reason.NODE_LOST, explain_lost(self.nodes.lost)) if self.nodes.lost else obstacle
        if self.home is not None:
            return verdicts.going_home(self.home.pose)
        if self.nodes.lost:
            return verdicts.hold(Reason.NODE_LOST, explain_lost(self.nodes.lost))
        estimate, refusal = self._estimate, self._recent_refusal(ESTIMATE, now_ns)
        age = self.streams.age_s(ESTIMATE, now_ns)
        is_fresh = self.streams.is_fresh(ESTIMATE, now_ns, self.params.estimate_timeout_s)
        if refusal is not None and not is_fresh:
            return verdicts.refused(refusal)
        task_id = self.tasks.in_force(now_ns)
        if self.params.require_task and (task_id is None or estimate is None or estimate.task_id != task_id):
            # Nothing to follow, or what is left of a task that has ended.
            return verdicts.ready() if task_id is None else verdicts.waiting_for_task(task_id)
        if estimate is None or age > self.params.idle_after_s:
            return verdicts.ready()
        if not is_fresh:
            return verdicts.stale_estimate(age, self.params.estimate_timeout_s)
        if speed_share(estimate, self._rule) <= 0.0:
            return verdicts.hold(Reason.LOW_CONFIDENCE, explain_low_confidence(estimate, self._rule))
        return verdicts.following(estimate.plan_id, estimate.step, refusal)

    def _points(self, index: int, start: JointMotion, now_ns: int) -> Points | None:
        """Return the points after a takeover; None when it rests and nothing is wanted."""
        steps = max(1, round(self.params.active_s / self.params.point_period_s))
        if self.safety.may_move and self.home is not None:
            if self.home.has_reference_arrived(start):
                return None
            return self._shaper.towards_position(start, self.home.goal, steps, speed_scale=self.home.speed_scale)
        velocity = self._wanted_velocity(index, start, now_ns) if self.safety.may_move else None
        if velocity is not None and float(np.max(np.abs(velocity))) > NO_MOTION_RAD_S:
            return self._shaper.towards_velocity(start, velocity, steps)
        return None if start.is_at_rest else self._shaper.to_rest(start)

    def _wanted_velocity(self, index: int, start: JointMotion, now_ns: int) -> FloatArray | None:
        estimate = self._estimate
        if estimate is None or self._running_since_ns is None:
            return None
        velocity = estimate.velocity
        then = self.tracking.reference_behind(estimate.stamp_ns)
        if self.params.compensate_latency and then is not None:
            start_ns, delay_s = index * self.reference.period_ns, self.params.tracking_delay_s
            velocity = velocity_towards(estimate, then, start.position, start_ns=start_ns, tracking_delay_s=delay_s)
        running_s = (now_ns - self._running_since_ns) * 1e-9 + 1.0 / self.params.tick_hz
        blend = min(1.0, running_s / self.params.blend_in_s) if self.params.blend_in_s > 0 else 1.0
        fading = freshness_share(self.streams.age_s(ESTIMATE, now_ns), self.params.estimate_timeout_s)
        return np.asarray(velocity * (blend * fading * self.params.speed_scale * speed_share(estimate, self._rule)))

    # What it watches.

    def _recent_refusal(self, stream: str, now_ns: int) -> Refusal | None:
        entry = self._refusals.get(stream)
        return entry[0] if entry is not None and (now_ns - entry[1]) * 1e-9 <= REFUSAL_MEMORY_S else None

    def _notice_clock_jump(self, now_ns: int) -> None:
        """A clock set back makes every stored time meaningless: rest, forget, and begin anew from the measured joints."""
        if self._tick_ns is not None and now_ns < self._tick_ns - 50_000_000:
            back_s = (self._tick_ns - now_ns) * 1e-9
            self._estimate = self._state = None
            self.streams = StreamWatch(self.streams.names)
            self.tracking.forget()
            self.refuse(
                STATE, Refusal('clock_jump', f'the clock went back by {back_s:.2f} s; everything received before is dropped'), now_ns
            )
        self._tick_ns = now_ns

    def _conclude_home(self, now_ns: int) -> None:
        if self.home is None:
            return
        if not self.safety.may_move or self._state is None:
            self._end_home(HomeCode.STOPPED, f'stopped on the way to pose {self.home.pose}: {self.safety.text}')
            return
        outcome = self.home.outcome(self._state.position, self.reference.at(now_ns), now_ns) if self.reference.is_anchored else None
        if outcome is not None:
            self._end_home(outcome.code, outcome.text)

    def _end_home(self, code: HomeCode, text: str) -> None:
        if self.home is not None:
            self._home_outcome = HomeOutcome(code, text, self.home.max_error)
            self.home = None
