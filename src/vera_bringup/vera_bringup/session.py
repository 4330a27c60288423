# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""An operator in one object: waits for the nodes, resets the scene, arms, gives a sentence and watches."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from rclpy.action import ActionClient
from rclpy.qos import QoSProfile
from std_srvs.srv import Trigger

from vera_bringup.asking import SessionError
from vera_bringup.guest import Guest
from vera_bringup.outcome import HOME_OUTCOMES, HomeResult, TaskOutcome, outcome_of
from vera_bringup.recorder import Recorder
from vera_core.embodiment import Embodiment
from vera_core.goals import Goal
from vera_core.ros import qos
from vera_core.shapes import FloatArray
from vera_msgs.action import ExecuteTask, GoHome
from vera_msgs.msg import PlannerStatus, SafetyStatus, SceneStatus
from vera_msgs.srv import ResetScene


class Session(Guest):
    """An operator beside the system. Use as a context manager."""

    def __init__(
        self,
        robot: Embodiment,
        *,
        namespace: str = 'vera',
        record: Mapping[str, tuple[type, QoSProfile]] | None = None,
    ) -> None:
        """Join the graph.

        Args:
            robot: The embodiment the system runs with.
            namespace: Namespace of the system.
            record: Topics that `recorder` can keep.
        """
        super().__init__(namespace)
        self.robot = robot
        self._scene: SceneStatus | None = None
        self._safety: SafetyStatus | None = None
        self._planner: PlannerStatus | None = None
        self._goal: Any = None
        for message_type, topic, name, profile in (
            (SceneStatus, 'sim/scene_status', '_scene', qos.STREAM),
            (SafetyStatus, 'safety_status', '_safety', qos.STATUS),
            (PlannerStatus, 'planner_status', '_planner', qos.STATUS),
        ):
            self.node.create_subscription(message_type, topic, partial(self._store, name), profile)
        self._reset_scene = self.node.create_client(ResetScene, 'sim/reset_scene')
        self._triggers = {name: self.node.create_client(Trigger, name) for name in ('arm', 'stop', 'reset')}
        self._execute = ActionClient(self.node, ExecuteTask, 'execute_task')
        self._home = ActionClient(self.node, GoHome, 'go_home')
        self.recorder = Recorder(self.node, record or {})
        self.start()

    @property
    def scene(self) -> SceneStatus:
        """Newest report of the simulator.

        Raises:
            SessionError: If none has come yet.
        """
        if self._scene is None:
            raise SessionError('no sim/scene_status has arrived; is sim_node running in this namespace and ROS_DOMAIN_ID?')
        return self._scene

    @property
    def safety(self) -> SafetyStatus | None:
        """Newest report of the controller."""
        return self._safety

    @property
    def planner(self) -> PlannerStatus | None:
        """Newest report of the planner."""
        return self._planner

    def last_words(self) -> str:
        """What controller and planner said last."""
        safety = f"controller: '{self._safety.text}'" if self._safety else 'the controller has not reported'
        planner = f"planner: '{self._planner.text}'" if self._planner else 'the planner has not reported'
        return f'{safety}; {planner}'

    def reset_scene(self, seed: int, target: str = '', *, goal: Goal | None = None) -> SceneStatus:
        """Draw a new scene, put the arm at its start and wait until the simulator reports it.

        Args:
            seed: Scene and start pose.
            target: Short for the goal to reach that object; empty for none.
            goal: What the scene must have room for and the simulator checks.

        Raises:
            SessionError: If the simulator refuses; the text is its reason.
        """
        goal = goal or Goal(task='reach', target=target)
        answer = self._asker.call(
            self._reset_scene,
            ResetScene.Request(seed=seed, **asdict(goal)),
            what='service sim/reset_scene',
        )
        if not answer.accepted:
            raise SessionError(f'the simulator refused to reset: {answer.message}')
        self._scene = None
        self.wait_for(
            lambda: self._scene is not None and self._scene.seed == seed and _goal_of(self._scene) == goal,
            timeout_s=10.0,
            what=f'a report of scene {seed}',
        )
        return self.scene

    def trigger(self, name: str) -> str:
        """Call the service `arm`, `stop` or `reset` of the controller and return its answer in words.

        Raises:
            SessionError: If the controller refuses.
        """
        answer = self._asker.call(self._triggers[name], Trigger.Request(), what=f'service {name}')
        if not answer.success:
            raise SessionError(f'{name} was refused: {answer.message}')
        return str(answer.message)

    def make_ready(self, *, timeout_s: float = 60.0) -> None:
        """Wait until the watched nodes are active and the planner has loaded, and bring the controller to ARMED, by `reset` and `arm` where needed.

        Raises:
            SessionError: If the planner has failed, or one of them is not ready in time.
        """
        if self._watch is not None:
            self.wait_active(self._watch.names, timeout_s=timeout_s)
        self.wait_for(self._planner_has_loaded, timeout_s=timeout_s, what='the planner getting ready')
        self.wait_for(lambda: self._safety is not None, timeout_s=timeout_s, what='a safety_status')
        if self._is(SafetyStatus.STOPPED_LATCHED):
            self.trigger('reset')
            self.wait_for(lambda: not self._is(SafetyStatus.STOPPED_LATCHED), timeout_s=timeout_s, what='the reset of the stop')
        # Joint states may have been on their way for less time than the controller wants to see before it arms.
        deadline = time.monotonic() + timeout_s
        while self._is(SafetyStatus.DISARMED):
            try:
                self.trigger('arm')
                break
            except SessionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        self.wait_for(lambda: self._is(SafetyStatus.ARMED), timeout_s=timeout_s, what='arming')
        watch = self._watch
        if watch is not None:
            # An executive that has just started refuses tasks until it has heard from the controller.
            self.wait_for(
                lambda: not (watch.text('executive_node') or 'starting').startswith(('starting', 'waiting')),
                timeout_s=timeout_s,
                what='the executive getting ready',
            )

    def _planner_has_loaded(self) -> bool:
        if self._planner is not None and self._planner.state == PlannerStatus.FAILED:
            raise SessionError(f'the planner has failed: {self._planner.text}')
        return self._planner is not None and bool(self._planner.model)

    def _is(self, state: int) -> bool:
        return self._safety is not None and self._safety.state == state

    @property
    def has_goal(self) -> bool:
        """Whether a goal was accepted that another thread waits for."""
        return self._goal is not None

    def cancel(self) -> None:
        """Ask for the end of what another thread waits for in `execute` or `go_home`."""
        goal = self._goal
        if goal is not None:
            self._asker.ask(goal.cancel_goal_async, timeout_s=5.0, what='the cancellation')

    def execute(
        self, prompt: str, *, max_duration_s: float = 0.0, on_feedback: Callable[[ExecuteTask.Feedback], None] = lambda _: None
    ) -> TaskOutcome:
        """Give the robot a sentence and wait for the end.

        Args:
            prompt: What to do.
            max_duration_s: Longest time the task may take, s; 0 leaves it to the executive.
            on_feedback: Called from the session's thread with every feedback.
        """
        if not self._execute.wait_for_server(timeout_sec=20.0):
            raise SessionError('action execute_task is not offered by any node')
        goal = ExecuteTask.Goal(prompt=prompt, max_duration=float(max_duration_s))

        def send() -> Any:
            return self._execute.send_goal_async(goal, feedback_callback=lambda feedback: on_feedback(feedback.feedback))

        handle = self._goal = self._asker.ask(send, timeout_s=10.0, what='the goal')
        start_s = self.now_s
        if not handle.accepted:
            raise SessionError(f'the goal was rejected; {self.last_words()}')
        patience_s = (max_duration_s or 60.0) + 30.0
        try:
            result = self._asker.ask(handle.get_result_async, timeout_s=patience_s, what='the task', node='executive_node').result
        except BaseException:
            handle.cancel_goal_async()
            raise
        finally:
            self._goal = None
        return outcome_of(result, start_s=start_s, end_s=self.now_s)

    def go_home(
        self, pose: str = '', *, position: FloatArray | None = None, speed_scale: float = 0.0, timeout_s: float = 60.0
    ) -> HomeResult:
        """Move to a pose and wait for the end.

        Args:
            pose: Its name; home when empty.
            position: Joint positions instead, in the order of the robot file, shape (n,), rad.
            speed_scale: Share of the velocity limit; 0 leaves it to the controller.
            timeout_s: Patience, s.

        Raises:
            SessionError: If nobody offers the move, refuses it without a word, or does not answer.
        """
        if not self._home.wait_for_server(timeout_sec=20.0):
            raise SessionError('action go_home is not offered by any node')
        goal = GoHome.Goal(pose=pose, speed_scale=speed_scale)
        if position is not None:
            goal.joint_names, goal.position = list(self.robot.joint_names), array('d', position.tolist())
        handle = self._goal = self._asker.ask(lambda: self._home.send_goal_async(goal), timeout_s=10.0, what='the goal')
        try:
            if not handle.accepted:
                raise SessionError(f'go_home was rejected; {self.last_words()}')
            result = self._asker.ask(handle.get_result_async, timeout_s=timeout_s, what='go_home', node='controller_node').result
        except BaseException:
            handle.cancel_goal_async()
            raise
        finally:
            self._goal = None
        return HomeResult(outcome=HOME_OUTCOMES.get(result.error_code, f'code {result.error_code}'), text=result.error_msg)


def _goal_of(scene: SceneStatus) -> Goal:
    return Goal(task=scene.task, target=scene.target, direction=scene.direction, onto=scene.onto)
