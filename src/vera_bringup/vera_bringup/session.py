# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""An operator in one object: waits for the nodes, resets the scene, arms, gives a sentence and watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from std_srvs.srv import Trigger

from vera_bringup.asking import Asker, SessionError
from vera_bringup.outcome import TaskOutcome, outcome_of
from vera_bringup.recorder import Recorder
from vera_core.embodiment import Embodiment
from vera_core.ros import qos
from vera_core.ros.alive import AliveWatch
from vera_msgs.action import ExecuteTask
from vera_msgs.msg import PlannerStatus, SafetyStatus, SceneStatus
from vera_msgs.srv import ResetScene


class Session:
    """A node of its own context and thread beside the system it talks to. Use as a context manager."""

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
        self.robot = robot
        self._context = Context()
        # Ctrl-C stays with the command line, which still has a scene to stop and processes to end.
        self._context.init(args=[])
        self.node = Node('operator', namespace=namespace, context=self._context, start_parameter_services=False, enable_rosout=False)
        self._changed = threading.Condition()
        self._scene: SceneStatus | None = None
        self._safety: SafetyStatus | None = None
        self._planner: PlannerStatus | None = None
        self._goal: Any = None
        self._watch: AliveWatch | None = None
        for message_type, topic, name, profile in (
            (SceneStatus, 'sim/scene_status', '_scene', qos.STREAM),
            (SafetyStatus, 'safety_status', '_safety', qos.STATUS),
            (PlannerStatus, 'planner_status', '_planner', qos.STATUS),
        ):
            self.node.create_subscription(message_type, topic, partial(self._store, name), profile)
        self._reset_scene = self.node.create_client(ResetScene, 'sim/reset_scene')
        self._triggers = {name: self.node.create_client(Trigger, name) for name in ('arm', 'stop', 'reset')}
        self._execute = ActionClient(self.node, ExecuteTask, 'execute_task')
        self.recorder = Recorder(self.node, record or {})
        self._running = True
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._asker = Asker(self._executor, self._last_words, lambda name: self._watch is not None and name in self._watch.lost)
        self._thread = threading.Thread(target=self._spin, name='session', daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the graph."""
        self._running = False
        self._executor.wake()
        self._thread.join(timeout=5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self._context.try_shutdown()

    def _spin(self) -> None:
        while self._running:
            self._executor.spin_once(timeout_sec=0.5)

    def _store(self, name: str, message: Any) -> None:
        with self._changed:
            setattr(self, name, message)
            self._changed.notify_all()

    @property
    def now_s(self) -> float:
        """Time of the ROS clock, s."""
        return float(self.node.get_clock().now().nanoseconds) * 1e-9

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

    def wait_for(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Wait until a condition on the newest reports holds.

        Raises:
            SessionError: If it does not hold in time; the text is `what` and what controller and planner last said.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise SessionError(f'{what} did not happen within {timeout_s:.0f} s; {self._last_words()}')
                self._changed.wait(timeout=min(remaining, 0.2))

    def _last_words(self) -> str:
        safety = f"controller: '{self._safety.text}'" if self._safety else 'the controller has not reported'
        planner = f"planner: '{self._planner.text}'" if self._planner else 'the planner has not reported'
        return f'{safety}; {planner}'

    def wait_alive(
        self,
        nodes: tuple[str, ...],
        *,
        timeout_s: float,
        keep_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait until every node gives its sign of life.

        Args:
            nodes: Node names; the same ones in every call.
            timeout_s: Patience, s.
            keep_waiting: Called again and again; may raise to give up early.

        Raises:
            SessionError: Names the nodes that stayed silent.
        """
        if self._watch is None:
            self._watch = AliveWatch(self.node, nodes)
        watch = self._watch
        deadline = time.monotonic() + timeout_s
        while missing := [name for name in nodes if not watch.is_alive(name)]:
            keep_waiting()
            if time.monotonic() > deadline:
                raise SessionError(f'no sign of life from {", ".join(missing)} within {timeout_s:.0f} s')
            time.sleep(0.05)

    def reset_scene(self, seed: int, target: str = '') -> SceneStatus:
        """Draw a new scene, put the arm at its start and wait until the simulator reports it.

        Raises:
            SessionError: If the simulator refuses; the text is its reason.
        """
        answer = self._asker.call(
            self._reset_scene,
            ResetScene.Request(seed=seed, target=target),
            what='service sim/reset_scene',
        )
        if not answer.accepted:
            raise SessionError(f'the simulator refused to reset: {answer.message}')
        self._scene = None
        self.wait_for(
            lambda: self._scene is not None and self._scene.seed == seed and self._scene.target == target,
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

    def set_parameter(self, node_name: str, name: str, text: str) -> None:
        """Set a text parameter of a running node.

        Raises:
            SessionError: If the node refuses; the text is its reason.
        """
        create = partial(self.node.create_client, SetParameters, f'{node_name}/set_parameters')
        client = self._asker.run(create, what='a client')
        answer = self._asker.call(
            client, SetParameters.Request(parameters=[Parameter(name, value=text).to_parameter_msg()]), what=f'{node_name}'
        )
        self._asker.run(partial(self.node.destroy_client, client), what='the end of a client')
        if not answer.results[0].successful:
            raise SessionError(f"{node_name} refused {name} = '{text}': {answer.results[0].reason}")

    @contextmanager
    def publisher(self, message_type: type, topic: str, profile: QoSProfile, *, listeners: int = 1) -> Iterator[Any]:
        """A publisher for a while, given out once as many as `listeners` have found it.

        Raises:
            SessionError: If they do not within 5 s.
        """
        publisher = self._asker.run(partial(self.node.create_publisher, message_type, topic, profile), what=f'a publisher on {topic}')
        try:
            self.wait_for(lambda: publisher.get_subscription_count() >= listeners, timeout_s=5.0, what=f'{listeners} listeners to {topic}')
            yield publisher
        finally:
            self._asker.run(partial(self.node.destroy_publisher, publisher), what=f'the end of a publisher on {topic}')

    def make_ready(self, *, timeout_s: float = 60.0) -> None:
        """Wait for a planner that has loaded, and bring the controller to ARMED, through `reset` and `arm` where needed.

        Raises:
            SessionError: If the planner has failed, or one of them is not ready in time.
        """
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

    def cancel(self) -> None:
        """Ask for the end of the task that another thread waits for in `execute`."""
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
            raise SessionError(f'the goal was rejected; {self._last_words()}')
        patience_s = (max_duration_s or 60.0) + 30.0
        try:
            result = self._asker.ask(handle.get_result_async, timeout_s=patience_s, what='the task', node='executive_node').result
        except BaseException:
            handle.cancel_goal_async()
            raise
        finally:
            self._goal = None
        return outcome_of(result, start_s=start_s, end_s=self.now_s)
