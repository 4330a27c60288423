# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""controller_node: velocity estimates and measured joints in, a rolling trajectory for the driver and the safety status out."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rclpy.duration import Duration
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vera_control.controller import ESTIMATE, STATE, Controller
from vera_control.deferred_goal import DeferredGoalServer
from vera_control.home import HomeCode
from vera_control.leaving import LeaveFlag
from vera_control.params import ControllerParams
from vera_control.safety import SafetyState
from vera_control.wire import status_to_msg, trajectory_to_msg
from vera_core.errors import Refusal, ShapeError
from vera_core.ros.alive import AliveWatch
from vera_core.ros.messages import robot_state_from_joint_state, velocity_from_msg
from vera_core.ros.node import VeraNode, run
from vera_core.ros.qos import COMMAND, SENSOR, STATUS, STREAM, TASK
from vera_msgs.action import GoHome
from vera_msgs.msg import JointVelocityEstimate, SafetyStatus, Task

STATUS_PERIOD_NS = 100_000_000


class ControllerNode(VeraNode[ControllerParams]):
    """Wires one Controller to topics, services, one action and a timer."""

    def __init__(self, leave: LeaveFlag) -> None:
        super().__init__('controller_node', ControllerParams)
        self._core = Controller(self.robot, self.params)
        self._names = self.robot.joint_names
        self._leave = leave
        self._awaits_first_arming = self.params.auto_arm
        self._reported: tuple[object, ...] = ()
        self._status_ns = 0
        driver = self.robot.driver
        self.create_subscription(JointVelocityEstimate, 'joint_velocity', self._on_estimate, STREAM)
        self.create_subscription(JointState, driver.joint_states_topic, self._on_state, SENSOR)
        self.create_subscription(Task, 'task', self._on_task, TASK)
        self._command = self.create_publisher(JointTrajectory, driver.command_topic, COMMAND)
        self._status = self.create_publisher(SafetyStatus, 'safety_status', STATUS)
        self.create_service(Trigger, 'arm', self._trigger(lambda: self._core.arm(self.now_ns()), 'armed'))
        self.create_service(Trigger, 'stop', self._trigger(self._stop, 'stopped; call reset, then arm, to go on'))
        self.create_service(Trigger, 'reset', self._trigger(lambda: self._core.reset(self.now_ns()), 'reset; call arm to go on'))
        self._home = DeferredGoalServer(self, GoHome, 'go_home', start=self._start_home, cancel=self._core.cancel_home)
        self._watch = AliveWatch(self, [name for name in self.params.required_nodes if name], self._on_node)
        self.create_timer(1.0 / self.params.tick_hz, self._tick)

    def on_params(self, params: ControllerParams) -> None:
        """Take over live parameters."""
        self._core.params = params

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
            refusal = self._core.on_state(robot_state_from_joint_state(message, self.robot), now_ns)
        except ShapeError as error:
            refusal = self._core.refuse(STATE, Refusal('bad_message', str(error)), now_ns)
        self._say(refusal)

    def _on_task(self, message: Task) -> None:
        self._core.on_task(int(message.task_id), self.now_ns(), is_active=message.active)

    def _say(self, refusal: Refusal | None) -> None:
        if refusal is not None:
            self.get_logger().warning(refusal.text, throttle_duration_sec=1.0)

    def _on_node(self, name: str, alive: bool) -> None:  # signature of AliveWatch
        self._core.on_node(name, is_alive=alive)
        if not alive:
            self.get_logger().error(f'{name} is gone; the arm ramps to rest')
            self._tick()

    def _stop(self) -> None:
        self._core.stop('stopped by the operator (service stop)')
        self._tick()

    def _trigger(self, act: Callable[[], Refusal | None], done: str) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            refusal = act()
            response.success = refusal is None
            response.message = done if refusal is None else refusal.text
            self._report(force=True)
            return response

        return answer

    def _start_home(self, request: GoHome.Goal) -> GoHome.Result | None:
        refusal = self._core.start_home(request.pose, request.speed_scale, self.now_ns())
        return None if refusal is None else GoHome.Result(error_code=int(HomeCode.REJECTED), error_msg=refusal.text, max_error=-1.0)

    def _tick(self) -> None:
        now_ns = self.now_ns()
        if self._leave.is_set:
            self._leave_at_rest(now_ns)
        self._send(now_ns)
        if self._awaits_first_arming and self._core.arm(now_ns) is None:
            self._awaits_first_arming = False
        self._report()

    def _send(self, now_ns: int) -> None:
        trajectory = self._core.tick(now_ns)
        if trajectory is None:
            return
        message = trajectory_to_msg(trajectory, self._names, now_ns)
        if self._core.reference.may_send(now_ns, self.now_ns()):
            self._command.publish(message)
        else:
            self.get_logger().warning('a tick took too long and was not sent; is the machine overloaded?', throttle_duration_sec=1.0)

    def _report(self, *, force: bool = False) -> None:
        now_ns = self.now_ns()
        is_due = now_ns - self._status_ns >= STATUS_PERIOD_NS or now_ns < self._status_ns
        safety = self._core.safety
        seen = (safety.state, safety.reason, self._core.nodes.lost)
        if not (is_due or force or seen != self._reported):
            return
        if is_due:
            self._status_ns = now_ns
            self._core.on_publisher_count(self.count_publishers(self.robot.driver.command_topic))
        if seen != self._reported:
            self._reported = seen
            self.beacon.say(f'{safety.state.name}: {safety.text}')
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
        """Send the last words: a trajectory to rest, the state, and how the goal in progress ended. Then end the process."""
        if self._core.safety.state is not SafetyState.STOPPED_LATCHED:
            self._core.stop('controller_node was told to leave; the arm ramps to rest')
        self._send(now_ns)
        self._report(force=True)
        self._command.wait_for_all_acked(Duration(nanoseconds=200_000_000))
        raise KeyboardInterrupt


def main() -> None:
    """Run controller_node until SIGINT or SIGTERM."""
    sys.exit(run(lambda: ControllerNode(LeaveFlag())))


if __name__ == '__main__':
    main()
