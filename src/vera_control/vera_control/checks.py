# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""All gates in one place: what comes in is let in or refused, and every tick they say whether the arm may move, and why not.

The order of the questions is the order of what helps: who is gone, what the robot itself says, whether a person allows it, whether the
messages are fresh, whether the pictures and the joints tell the same story.
"""

from __future__ import annotations

from vera_control import verdicts
from vera_control.clock_watch import ClockWatch
from vera_control.confidence import explain_low_confidence, freshness_share, rule_of, speed_share
from vera_control.divergence import DivergenceWatch, Doubt, divergence_rule
from vera_control.driver_mode import DriverMode, DriverState, ModeGate
from vera_control.gates import gate_estimate, gate_inside, gate_jump, gate_state
from vera_control.limits import JointLimits
from vera_control.params import ControllerParams
from vera_control.safety import Reason, Verdict
from vera_control.start_gate import Deadman, StartGate, gate_still
from vera_control.task_gate import TaskGate
from vera_control.tracking import Tracking
from vera_control.watchdog import NodeWatch, StreamWatch, explain_lost
from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.types import JointVelocity, RobotState

ESTIMATE = 'joint_velocity'
STATE = 'joint_states'

REFUSAL_MEMORY_S = 1.0
"""For this long after a refused message the status speaks of it."""


class Checks:
    """Everything that is known about the inputs, and what follows from it."""

    def __init__(self, robot: Embodiment, params: ControllerParams, limits: JointLimits, tracking: Tracking) -> None:
        self.params = params
        self.command_topic = robot.driver.command_topic
        self.streams = StreamWatch((ESTIMATE, STATE))
        self.nodes = NodeWatch(params.required_nodes)
        self.tasks = TaskGate(timeout_s=params.task_timeout_s)
        self.deadman = Deadman(is_required=params.deadman, timeout_s=params.deadman_timeout_s)
        self.mode = ModeGate(is_watched=bool(params.driver_state), timeout_s=params.driver_state_timeout_s)
        self.divergence = DivergenceWatch(divergence_rule(params))
        self.estimate: JointVelocity | None = None
        """Newest estimate let in."""
        self.state: RobotState | None = None
        """Newest measured joints let in."""
        self.refused_messages = 0
        self.other_publishers = 0
        self.driver_refusal: Refusal | None = None
        self._robot = robot
        self._limits = limits
        self._tracking = tracking
        self._start = StartGate(robot.home, limits.names, is_required=params.require_home, tolerance_rad=params.start_tolerance_rad)
        self._clock = ClockWatch()
        self._rule = rule_of(params)
        self._refusals: dict[str, tuple[Refusal, int]] = {}
        self._jump: str | None = None

    # What comes in.

    def on_estimate(self, estimate: JointVelocity, now_ns: int) -> Refusal | None:
        """Take in an estimate, or refuse it whole."""
        newest = self.estimate.stamp_ns if self.estimate is not None else None
        refusal = gate_estimate(estimate, now_ns, limits=self._limits, newest_ns=newest, max_age_s=self.params.max_latency_s)
        if refusal is not None:
            return self.refuse(ESTIMATE, refusal, now_ns)
        self.estimate = estimate
        self.streams.mark(ESTIMATE, now_ns)
        # What was seen before or after a task, while somebody resets the scene or moves things, says nothing about it.
        is_ours = not self.params.require_task or estimate.task_id == self.tasks.in_force(now_ns)
        if self.params.watch_divergence and is_ours:
            self.divergence.update(estimate.evidence, task_id=estimate.task_id, plan_id=estimate.plan_id)
        return None

    def on_state(self, state: RobotState, now_ns: int) -> Refusal | None:
        """Take in measured joints, or refuse them whole."""
        newest = self.state.stamp_ns if self.state is not None else None
        refusal = gate_state(state, now_ns, limits=self._limits, newest_ns=newest, max_age_s=self.params.state_timeout_s)
        if refusal is None and self._tracking.is_moving(now_ns):  # one at rest may be put elsewhere, as a simulator does
            refusal = gate_jump(state, self.state, self._limits)
            self._jump = self._jump if refusal is None else refusal.text
        if refusal is not None:
            return self.refuse(STATE, refusal, now_ns)
        self.state = state
        self.streams.mark(STATE, now_ns)
        return None

    def refuse(self, stream: str, refusal: Refusal, now_ns: int) -> Refusal:
        """Count and remember a message of a stream that was refused, here or before it got here."""
        self.refused_messages += 1
        self._refusals[stream] = (refusal, now_ns)
        return refusal

    def acknowledge(self) -> None:
        """An operator reset the stop: what led to it counts no more."""
        self.divergence.forget()
        self._jump = None

    # What happens every tick.

    def pass_time(self, now_ns: int) -> str | None:
        """Let the time of a tick come; return what is wrong with it when the clock jumped. Then all that was received is dropped."""
        jump = self._clock.tick(now_ns)
        if jump is not None:
            self.estimate = self.state = None
            self.streams = StreamWatch(self.streams.names)
            self.refuse(STATE, Refusal('clock_jump', jump), now_ns)
        return jump

    @property
    def is_dry(self) -> bool:
        """True while commands are made but must not reach the driver."""
        return self.params.dry_run or self.tasks.is_dry

    def fresh_state(self, now_ns: int) -> RobotState | None:
        """Return the measured joints, None when they are missing or too old."""
        return self.state if self.streams.is_fresh(STATE, now_ns, self.params.state_timeout_s) else None

    def speed_share(self, now_ns: int) -> float:
        """Return the share of the wanted speed to use by age, confidence and agreement of the estimates, 0..1."""
        if self.estimate is None:
            return 0.0
        fading = freshness_share(self.streams.age_s(ESTIMATE, now_ns), self.params.estimate_timeout_s)
        return fading * speed_share(self.estimate, self._rule) * self.divergence.share()

    def stop(self, *, is_armed: bool, now_ns: int) -> tuple[Reason, str] | None:
        """Return why the arm must be stopped for good, None when it need not."""
        tracking = self._tracking
        if tracking.is_hopeless and tracking.lost is not None and not self.is_dry:
            return Reason.NOT_FOLLOWING, tracking.lost
        if self._jump is not None:
            return Reason.BAD_INPUT, self._jump
        if self.divergence.doubt is Doubt.STOP:
            return Reason.DIVERGED, self.divergence.text
        mode = self.mode.obstacle(now_ns)
        if is_armed and mode is not None and mode.state is DriverState.STOPPED:
            return Reason.DRIVER_NOT_READY, mode.text
        return None

    def arming_obstacle(self, now_ns: int) -> Refusal | None:
        """Return why the arm must not be armed; None when nothing stands in the way."""
        obstacle = self.obstacle(now_ns)
        if obstacle is not None:
            return Refusal('not_ready', obstacle.text)
        if self.state is None:
            return None
        return gate_inside(self.state.position, self._limits) or gate_still(self.state, self._limits.names)

    def start_obstacle(self, now_ns: int) -> str:
        """Return why no task could begin now although the arm is armed; empty when one could. Where the arm is comes last: `home_first` helps."""
        return self.deadman.obstacle(now_ns) or self._start.away(self.state) or ''

    def obstacle(self, now_ns: int) -> Verdict | None:
        """Return the hold that forbids arming and any motion at all, following or going home."""
        if self.fresh_state(now_ns) is None:
            refusal = self._recent_refusal(STATE, now_ns)
            if refusal is not None:
                return verdicts.refused(refusal)
            age = self.streams.age_s(STATE, now_ns)
            return verdicts.stale_state(self._robot.driver.joint_states_topic, age, self.params.state_timeout_s)
        if self.other_publishers:
            return verdicts.other_publisher(self.other_publishers, self.command_topic)
        if self.driver_refusal is not None:
            return verdicts.hold(Reason.DRIVER_NOT_READY, self.driver_refusal.text)
        mode: DriverMode | None = self.mode.obstacle(now_ns)
        if mode is not None:
            return verdicts.hold(Reason.DRIVER_NOT_READY, mode.text)
        if self._tracking.lost is not None:
            return verdicts.hold(Reason.DRY_RUN if self.is_dry else Reason.NOT_FOLLOWING, self._tracking.lost)
        return None if self._tracking.is_anchored else verdicts.moving_by_itself()

    def motion_obstacle(self, now_ns: int) -> Verdict | None:
        """Return the hold that forbids any motion of an armed arm: `obstacle`, and the enabling button."""
        obstacle = self.obstacle(now_ns)
        if obstacle is not None:
            return obstacle
        released = self.deadman.obstacle(now_ns)
        return None if released is None else verdicts.hold(Reason.DEADMAN, released)

    def verdict(self, now_ns: int, *, pose: str | None) -> Verdict:
        """Judge: move, wait for work, or hold and why.

        Args:
            now_ns: Time, ns.
            pose: Named pose the arm is moving to; None when it follows tasks.
        """
        obstacle = self.motion_obstacle(now_ns)
        if obstacle is not None:
            # A dead driver takes its joint states along: who is gone says more than what is missing.
            return verdicts.hold(Reason.NODE_LOST, explain_lost(self.nodes.lost)) if self.nodes.lost else obstacle
        if pose is not None:
            return verdicts.going_home(pose)
        if self.nodes.lost:
            return verdicts.hold(Reason.NODE_LOST, explain_lost(self.nodes.lost))
        return self._verdict_on_estimates(now_ns)

    def _verdict_on_estimates(self, now_ns: int) -> Verdict:
        estimate, refusal = self.estimate, self._recent_refusal(ESTIMATE, now_ns)
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
        return self._verdict_on(estimate, task_id) or verdicts.following(estimate.plan_id, estimate.step, refusal, is_dry=self.is_dry)

    def _verdict_on(self, estimate: JointVelocity, task_id: int | None) -> Verdict | None:
        """Return the hold that a fresh estimate asks for; None when it may be followed."""
        assert self.state is not None  # obstacle() saw fresh joints
        away = self._start.obstacle(task_id, self.state)
        if away is not None:
            return verdicts.hold(Reason.NOT_HOME, away)
        if estimate.evidence is not None and estimate.evidence.frozen_views:
            return verdicts.frozen(estimate.evidence.frozen_views)
        if self.divergence.doubt >= Doubt.HOLD:
            return verdicts.hold(Reason.DIVERGED, self.divergence.text)
        if speed_share(estimate, self._rule) <= 0.0:
            return verdicts.hold(Reason.LOW_CONFIDENCE, explain_low_confidence(estimate, self._rule))
        return None

    def _recent_refusal(self, stream: str, now_ns: int) -> Refusal | None:
        entry = self._refusals.get(stream)
        return entry[0] if entry is not None and (now_ns - entry[1]) * 1e-9 <= REFUSAL_MEMORY_S else None
