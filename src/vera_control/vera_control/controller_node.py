# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""controller_node: velocity estimates and measured joints in, a rolling trajectory for the driver and the safety status out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vera_control.backends import BACKENDS, CommandBackend
from vera_control.checks import ESTIMATE, STATE
from vera_control.controller import Controller
from vera_control.deferred_goal import DeferredGoalServer
from vera_control.home import HomeCode
from vera_control.homing import make_mover
from vera_control.homing.relay import HomeRelay
from vera_control.journal_topic import JournalTopic
from vera_control.leaving import LeaveFlag
from vera_control.params import ControllerParams
from vera_control.ros.driver_state import make_recovery, watch_mode
from vera_control.safety import SafetyState
from vera_control.wire import pose_from_goal, status_to_msg, trajectory_to_msg
from vera_core.diagnostics import Level
from vera_core.errors import Refusal, ShapeError
from vera_core.ros.alive import AliveWatch
from vera_core.ros.messages import robot_state_from_joint_state, velocity_from_msg
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import BUNCHED_SENSOR, COMMAND, STATUS, STREAM, TASK
from vera_msgs.action import GoHome
from vera_msgs.msg import JointVelocityEstimate, SafetyStatus, Task

STATUS_PERIOD_NS = 100_000_000
REST_PATIENCE_S = 2.0
LEVELS = {
    SafetyState.DISARMED: Level.WARN,
    SafetyState.HOLDING: Level.WARN,
    SafetyState.STOPPED_LATCHED: Level.ERROR,
    SafetyState.ARMED: Level.OK,
    SafetyState.RUNNING: Level.OK,
}
"""How bad each state is, for diagnostics."""


class ControllerNode(VeraNode[ControllerParams]):
    """Wires one Controller to topics, services, one action and a timer."""

    def __init__(self, leave: LeaveFlag) -> None:
        super().__init__('controller_node', ControllerParams)
        self._leave = leave
        leave.is_awaited = lambda: self.is_active

    def configure(self) -> None:
        """Load the limits and join the graph."""
        self._core = Controller(self.robot, self.params)
        self.get_logger().info(self._core.body_note)
        self._names = self.robot.joint_names
        self._state_refusal: Refusal | None = None
        self._awaits_first_arming = self.params.auto_arm
        self._reported: tuple[object, ...] = ()
        self._status_ns = 0
        driver = self.robot.driver
        self.create_subscription(JointVelocityEstimate, 'joint_velocity', self._on_estimate, STREAM)
        self._states = self.create_bunched_subscription(JointState, driver.joint_states_topic, self._on_state, BUNCHED_SENSOR)
        self.require(driver.joint_states_topic, f'no joint states on {driver.joint_states_topic}; is the robot driver running?')
        self.create_subscription(Task, 'task', self._on_task, TASK)
        self._backend: CommandBackend = BACKENDS.make(
            self.params.command_backend, node=self, robot=self.robot, stream_hz=self.params.stream_hz
        )
        self._driver_refusal: Refusal | None = None
        self._dry_command = self.create_publisher(JointTrajectory, 'dry_run/command', COMMAND)
        self.create_subscription(Bool, 'deadman', self._on_deadman, STREAM)
        if self.params.driver_state:
            watch_mode(self, self.params.driver_state, self.params.driver_state_topic, lambda mode: self._core.on_mode(mode, self.now_ns()))
        self._recovery = make_recovery(self, self.params.recovery, self.params.recovery_name)
        self._core.checks.command_topic = self._backend.topic
        self._status = self.create_publisher(SafetyStatus, 'safety_status', STATUS)
        self._journal = JournalTopic(self, self._core, self.robot.name)
        self.create_service(Trigger, 'arm', self._trigger(lambda: self._core.arm(self.now_ns()), 'armed'))
        self.create_service(Trigger, 'stop', self._trigger(self._stop, 'stopped; call reset, then arm, to go on'))
        self.create_service(Trigger, 'reset', self._trigger(lambda: self._core.reset(self.now_ns()), 'reset; call arm to go on'))
        self.create_service(Trigger, 'recover', self._trigger(self._recover, 'asked the driver to recover; then call reset and arm'))
        self._relay = HomeRelay(self._core, make_mover(self, self.robot, self._core.limits, self.params))
        self._home = DeferredGoalServer(self, GoHome, 'go_home', start=self._start_home, cancel=self._core.cancel_home)
        self._watch = AliveWatch(self, [name for name in self.params.required_nodes if name], self._on_node)
        self.create_timer(1.0 / self.params.tick_hz, self._tick)

    def obstacles(self) -> list[str]:
        """Joint states that do not come or do not fit."""
        return super().obstacles() or ([self._state_refusal.text] if self._state_refusal is not None else [])

    def deactivate(self) -> None:
        """Bring the arm to rest; it rests when this returns."""
        self._come_to_rest('controller_node was deactivated; the arm ramps to rest; activate it, then call reset and arm', self.now_ns())
        patience_s = time.monotonic() + REST_PATIENCE_S
        while self._core.reference.is_moving(self.now_ns()) and time.monotonic() < patience_s:
            time.sleep(0.01)
        if self._leave.is_set:
            self.leave()

    def close(self) -> None:
        """Stop serving go_home."""
        self._home.destroy()

    def on_params(self, params: ControllerParams) -> None:
        """Take over live parameters."""
        self._core.on_params(params)

    def _on_estimate(self, message: JointVelocityEstimate) -> None:
        now_ns = self.now_ns()
        try:
            refusal = self._core.on_estimate(velocity_from_msg(message, self._names), now_ns)
        except ShapeError as error:
            refusal = self._core.refuse(ESTIMATE, Refusal('bad_message', str(error)), now_ns)
        self._say(refusal)

    def _on_state(self, message: JointState) -> None:
        now_ns = self.now_ns()
        try:
            state = robot_state_from_joint_state(message, self.robot)
            refusal = self._core.on_state(state, now_ns)
            if refusal is None:
                self._backend.on_state(state)
        except ShapeError as error:
            refusal = self._core.refuse(STATE, Refusal('bad_message', str(error)), now_ns)
        self._state_refusal = refusal
        self._say(refusal)

    def _on_task(self, message: Task) -> None:
        self._core.on_task(int(message.task_id), self.now_ns(), is_active=message.active, is_dry=message.dry_run)

    def _on_deadman(self, message: Bool) -> None:
        self._core.on_deadman(self.now_ns(), is_held=message.data)

    def _say(self, refusal: Refusal | None) -> None:
        if refusal is not None:
            self.diagnostics.refuse(refusal.code, refusal.text, time.monotonic())
            self.get_logger().warning(refusal.text, throttle_duration_sec=1.0)

    def _on_node(self, name: str, alive: bool) -> None:  # signature of AliveWatch
        self._core.on_node(name, is_alive=alive)
        if not alive:
            self.get_logger().error(f'{name} is gone; the arm ramps to rest')
            self._tick()

    def _stop(self) -> None:
        self._core.stop('stopped by the operator (service stop)')
        self._tick()

    def _recover(self) -> Refusal | None:
        """Ask the driver to recover, at a person's call only, and never while the arm could move."""
        if self._core.safety.is_armed:
            return Refusal('armed', f'the arm is {self._core.safety.state.name}; call stop before you let the driver recover')
        return self._recovery.ask()

    def _trigger(self, act: Callable[[], Refusal | None], done: str) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            refusal = act() if self.is_active else Refusal('inactive', self.inactive_text())
            response.success = refusal is None
            response.message = done if refusal is None else refusal.text
            if self.is_active:
                self._report(force=True)
            return response

        return answer

    def _start_home(self, request: GoHome.Goal) -> GoHome.Result | None:
        try:
            pose = pose_from_goal(request, self._names)
        except ShapeError as error:
            refusal: Refusal | None = Refusal('bad_goal', str(error))
        else:
            now_ns = self.now_ns()
            refusal = self._relay.start(pose, request.speed_scale, now_ns) if self.is_active else Refusal('inactive', self.inactive_text())
        return None if refusal is None else GoHome.Result(error_code=int(HomeCode.REJECTED), error_msg=refusal.text, max_error=-1.0)

    def _tick(self) -> None:
        if self.has_left:
            return
        self._states.take()
        now_ns = self.now_ns()
        if self._leave.is_set:
            self._leave_at_rest(now_ns)
            return
        self._send(now_ns)
        if self._awaits_first_arming and self._core.arm(now_ns) is None:
            self._awaits_first_arming = False
        self._report()
        self._journal.turn_page(now_ns)

    def _send(self, now_ns: int) -> None:
        self._ask_driver(now_ns)
        trajectory = self._core.tick(now_ns)
        self._relay.look()
        if trajectory is None:
            return
        if self._core.may_send(now_ns, self.now_ns()):
            if self._core.checks.is_dry:
                self._dry_command.publish(trajectory_to_msg(trajectory, self.robot.joint_map, now_ns))
            else:
                self._backend.send(trajectory, now_ns)
        else:
            self.get_logger().warning('a tick took too long and was not sent; is the machine overloaded?', throttle_duration_sec=1.0)

    def _ask_driver(self, now_ns: int) -> None:
        refusal = self._backend.obstacle(now_ns)
        if refusal != self._driver_refusal:
            self._driver_refusal = refusal
            self._core.on_driver(refusal)

    def _report(self, *, force: bool = False) -> None:
        now_ns = self.now_ns()
        is_due = now_ns - self._status_ns >= STATUS_PERIOD_NS or now_ns < self._status_ns
        safety = self._core.safety
        seen = (safety.state, safety.reason, self._core.checks.nodes.lost)
        if not (is_due or force or seen != self._reported):
            return
        if is_due:
            self._status_ns = now_ns
            self._core.on_publisher_count(self.count_publishers(self._backend.topic))
        if seen != self._reported:
            self._reported = seen
            self.beacon.say(f'{safety.state.name}: {safety.text}')
            self.diagnostics.say(safety.reason.name, f'{safety.state.name}: {safety.text}', LEVELS[safety.state], time.monotonic())
            self.get_logger().info(f'{safety.state.name}: {safety.text}')
        self._status.publish(status_to_msg(self._core.status(now_ns), self._names, now_ns))
        self._report_home(now_ns)

    def _report_home(self, now_ns: int) -> None:
        outcome = self._core.take_home_outcome()
        if outcome is not None:
            result = GoHome.Result(error_code=int(outcome.code), error_msg=outcome.text, max_error=outcome.max_error)
            self._home.finish(result, succeeded=outcome.code is HomeCode.SUCCEEDED)
        elif self._core.home is not None:
            self._home.feedback(GoHome.Feedback(max_error=self._core.home.max_error, elapsed=self._core.home.elapsed_s(now_ns)))

    def _leave_at_rest(self, now_ns: int) -> None:
        """Send the last words, then end the process."""
        self._come_to_rest('controller_node was told to leave; the arm ramps to rest', now_ns)
        self.leave()

    def _come_to_rest(self, text: str, now_ns: int) -> None:
        """Send a trajectory to rest, the state, and how the goal in progress ended."""
        if self._core.safety.state is not SafetyState.STOPPED_LATCHED:
            self._core.stop(text)
        self._send(now_ns)
        self._report(force=True)
        self._journal.turn_page(now_ns)
        self._backend.leave()


def main() -> None:
    """Run controller_node until SIGINT or SIGTERM."""
    sys.exit(run(lambda: ControllerNode(LeaveFlag())))


if __name__ == '__main__':
    main()
