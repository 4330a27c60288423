# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorded video followed closed loop without ROS: the cores of all rooms around one simulated robot, on simulated time.

It is the walk of the nodes with the messages left out: pictures -> PlanFollower -> invert_flow -> Controller -> TrajectoryDriver -> physics,
and Executive decides when the task is done. Every estimate arrives `latency_s` after its pictures were taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from vera_control.controller import Controller
from vera_control.executive import Executive
from vera_control.params import ControllerParams, ExecutiveParams
from vera_control.safety import Reason, SafetyState
from vera_control.task import SafetyReport, Task, TaskOutcome
from vera_control.trajectory import ShapedTrajectory
from vera_core.errors import Refusal, VeraError
from vera_core.imaging import to_working_size
from vera_core.shapes import FloatArray
from vera_core.types import FlowField, Frame, JointVelocity, RobotState, VideoPlan
from vera_jidm.flow.dis import FINE_ONE_WAY, QUICK, DisFlow
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.following import FollowSettings, PlanFollower
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.pipeline import Inversion, PipelineSettings, invert_flow
from vera_jidm.planned import RecentPlans
from vera_jidm.witness import MotionWitness
from vera_sim.driver import TrajectoryDriver
from vera_sim.limit_watch import Violations
from vera_sim.scenery import TIMESTEP_S
from vera_sim.world import World

STEP_NS = round(TIMESTEP_S * 1e9)
FIRST_NS = 1_000_000_000
STATE_NS = 10_000_000
TICK_NS = 20_000_000
STATUS_NS = 100_000_000
ARMING_NS = 1_000_000_000
"""The controller has to be ready to arm within this time."""
SETTLE_NS = 500_000_000
"""The arm is measured this long after its task has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How the loop runs."""

    picture_period_s: float = 0.1
    """Time between two sets of pictures, s."""
    latency_s: float = 0.07
    """From the pictures to the controller taking in their estimate, s."""
    time_limit_share: float = 2.0
    """A task may take this many times the length of its plan, and 5 s more."""
    follow: FollowSettings = field(default_factory=FollowSettings)
    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    controller: ControllerParams = field(default_factory=ControllerParams)
    executive: ExecutiveParams = field(default_factory=ExecutiveParams)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Followed:
    """What happened while a plan was followed."""

    outcome: TaskOutcome
    position: FloatArray
    """Measured joints at every picture and at the end, shape (T, n), rad."""
    estimates: tuple[JointVelocity, ...]
    refusals: Mapping[str, int]
    """Code of a refusal to how often it was given instead of an estimate."""
    command_violations: int
    """Points of commands outside the limits the controller works with; they are never sent."""
    driver_violations: Violations
    """Ticks in which the driver was asked for more than the robot can do."""
    rejected_commands: int
    reason: Reason
    """Why the controller held or stopped last; OK when it never did."""

    @property
    def violations(self) -> int:
        """Broken limits of any kind."""
        counts = self.driver_violations
        return self.command_violations + counts.position + counts.velocity + counts.acceleration + counts.jerk


class ClosedLoop:
    """One robot in one world, and everything between its cameras and its motors.

    Args:
        world: Simulated robot; its scene stays as it is.
        model: Jacobian field.
        settings: Rates, latency, following, inversion.
        estimator: Optical flow; DIS as in flow_node when left out.
    """

    def __init__(
        self,
        world: World,
        model: JacobianModel,
        settings: LoopSettings | None = None,
        *,
        estimator: FlowEstimator | None = None,
    ) -> None:
        self.world = world
        self._model = model
        self._settings = settings or LoopSettings()
        self._estimator = estimator or DisFlow()

    def follow(self, plan: VideoPlan, start: FloatArray) -> Followed:
        """Put the arm at `start`, shape (n,), rad, at rest, and follow the plan until its task ends.

        The plan's stamp is replaced by the moment the task begins.

        Raises:
            VeraError: If the arm cannot be armed at `start`.
        """
        return LoopRun(self.world, self._model, self._settings, self._estimator, start).follow(plan)


class LoopRun:
    """The state of one task; what a loop does besides following a plan overrides `seen`, `estimated` and `stepped`."""

    def __init__(self, world: World, model: JacobianModel, settings: LoopSettings, estimator: FlowEstimator, start: FloatArray) -> None:
        self._robot, self._world, self._model, self._settings = world.robot, world, model, settings
        robot = world.robot
        self._follower = PlanFollower(estimator, DisFlow(QUICK), settings.follow)
        self._plans = RecentPlans()
        self._witness = MotionWitness(len(robot.joints), DisFlow(FINE_ONE_WAY))
        self._controller = Controller(robot, settings.controller)
        self._executive = Executive(settings.executive)
        self._driver = TrajectoryDriver(robot, TIMESTEP_S)
        self._now_ns = FIRST_NS
        self._on_their_way: deque[tuple[int, JointVelocity]] = deque()
        self._positions: list[FloatArray] = []
        self._estimates: list[JointVelocity] = []
        self._refusals: dict[str, int] = {}
        self._reason = Reason.OK
        world.set_joints(start)
        self._driver.reset(start)

    def follow(self, plan: VideoPlan) -> Followed:
        """Follow one plan until its task ends."""
        task = self.begin(plan.prompt, self._settings.time_limit_share * plan.duration_s + 5.0)
        self.take_over(replace(plan, stamp_ns=self._now_ns, task_id=task.task_id))
        return self.carry_out(task)

    def begin(self, prompt: str, longest_s: float) -> Task:
        """Arm the robot and begin a task.

        Raises:
            VeraError: If the arm cannot be armed or the task is refused.
        """
        self._arm()
        task = self._executive.submit(prompt, longest_s, self._now_ns)
        if isinstance(task, Refusal):
            raise VeraError(f'the task does not begin: {task.text}')
        return task

    def take_over(self, plan: VideoPlan) -> None:
        """Follow a plan from the next pictures on."""
        self._follower.set_plan(plan)
        self._plans.put(plan)

    def carry_out(self, task: Task) -> Followed:
        """Let time pass until a task has ended and the arm has settled."""
        outcome: TaskOutcome | None = None
        begin_ns, period_ns = self._now_ns, round(self._settings.picture_period_s * 1e9)
        while outcome is None:
            passed_ns = self._now_ns - begin_ns
            if passed_ns % period_ns == 0:
                self._look()
            if passed_ns % STATUS_NS == 0:
                self._controller.on_task(task.task_id, self._now_ns, is_active=not self._executive.is_ending)
                self._executive.on_safety(self._safety(), self._now_ns)
                outcome = self._executive.tick(self._now_ns)
            self._pass_step()
        self._controller.on_task(task.task_id, self._now_ns, is_active=False)
        for _ in range(SETTLE_NS // STEP_NS):
            self._pass_step()
        self._positions.append(self._world.joint_position)
        violations = self._controller.reference.violations
        return Followed(
            outcome=outcome,
            position=np.stack(self._positions),
            estimates=tuple(self._estimates),
            refusals=dict(self._refusals),
            command_violations=violations.total,
            driver_violations=self._driver.violations,
            rejected_commands=self._driver.rejected,
            reason=self._reason,
        )

    def seen(self, frames: Mapping[str, Frame], state: RobotState) -> None:
        """Hook: new pictures, with the joints measured in them."""

    def estimated(self, velocity: JointVelocity) -> None:
        """Hook: what has been made of them."""

    def stepped(self) -> None:
        """Hook: a step of the physics has passed."""

    def _arm(self) -> None:
        refusal: Refusal | None = None
        for _ in range(ARMING_NS // STEP_NS):
            self._pass_step()
            refusal = self._controller.arm(self._now_ns)
            if refusal is None:
                self._executive.on_safety(self._safety(), self._now_ns)
                return
        assert refusal is not None
        raise VeraError(f'the arm cannot be armed: {refusal.text}')

    def _look(self) -> None:
        """Take pictures and joints, and send the estimate they give on its way."""
        robot, world = self._robot, self._world
        frames = {
            view: Frame(view=view, stamp_ns=self._now_ns, rgb=to_working_size(world.render(view), robot.working_size))
            for view in robot.view_names
        }
        state = self._state()
        self._positions.append(state.position)
        self.seen(frames, state)
        flow = self._follower.step(frames)
        answer = flow if isinstance(flow, Refusal) else self._invert(flow, frames, state)
        if isinstance(answer, Refusal):
            self._refusals[answer.code] = self._refusals.get(answer.code, 0) + 1
            return
        task_id = answer.velocity.task_id
        velocity = replace(answer.velocity, evidence=self._witness.look(frames, answer.fields, state, task_id=task_id))
        self._estimates.append(velocity)
        self.estimated(velocity)
        self._on_their_way.append((self._now_ns + round(self._settings.latency_s * 1e9), velocity))

    def _invert(self, flow: FlowField, frames: Mapping[str, Frame], state: RobotState) -> Inversion | Refusal:
        planned = self._plans.pictures(flow)
        return invert_flow(flow, frames, state, self._model, self._robot, self._settings.pipeline, planned=planned)

    def _pass_step(self) -> None:
        """Let one time step of the physics pass: messages arrive, the controller ticks, the arm moves."""
        now_ns = self._now_ns
        while self._on_their_way and self._on_their_way[0][0] <= now_ns:
            estimate = self._on_their_way.popleft()[1]
            self._controller.on_estimate(estimate, now_ns)
            self._executive.on_estimate(estimate, now_ns)
        if now_ns % STATE_NS == 0:
            self._controller.on_state(self._state(), now_ns)
        if now_ns % TICK_NS == 0:
            trajectory = self._controller.tick(now_ns)
            if self._controller.safety.state in (SafetyState.HOLDING, SafetyState.STOPPED_LATCHED):
                self._reason = self._controller.safety.reason
            if trajectory is not None:
                self._send(trajectory)
        self._now_ns += STEP_NS
        self._world.step(*self._driver.tick(self._now_ns * 1e-9))
        self.stepped()

    def _send(self, trajectory: ShapedTrajectory) -> None:
        # Stamped as on the wire: with the grid time at or before now.
        origin = min(trajectory.first, self._now_ns // trajectory.period_ns)
        times = (trajectory.first - origin + np.arange(len(trajectory.position))) * trajectory.period_ns * 1e-9
        self._driver.accept(
            list(self._robot.joint_names),
            origin * trajectory.period_ns * 1e-9,
            times,
            trajectory.position,
            trajectory.velocity,
            trajectory.acceleration,
            self._now_ns * 1e-9,
        )

    def _state(self) -> RobotState:
        return RobotState(stamp_ns=self._now_ns, position=self._world.joint_position, velocity=self._world.joint_velocity)

    def _safety(self) -> SafetyReport:
        status = self._controller.status(self._now_ns)
        return SafetyReport(
            state=status.state,
            reason=status.reason,
            text=status.text,
            lost_nodes=status.lost_nodes,
            speed_rms=float(np.sqrt(np.mean(status.commanded_velocity**2))),
        )
