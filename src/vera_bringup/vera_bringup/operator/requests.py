# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Carries out what a page asks for: services, actions and one parameter of the running graph. Every answer becomes a line on the page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from vera_bringup.asking import Asker, SessionError
from vera_bringup.operator.commands import Command
from vera_bringup.operator.model import OperatorModel
from vera_bringup.outcome import outcome_of
from vera_msgs.action import ExecuteTask, GoHome

TRIGGERS = ('arm', 'reset', 'recover')
THREADS = 4
"""Requests that may wait at the same time: a task, a way home, and room for what ends them."""
SERVICE_S = 4.0
LONGEST_TASK_S = 660.0
"""Longer than the longest time limit a task may have."""


class Requests:
    """Clients of the controller and the executive, used from threads that may wait."""

    def __init__(self, node: Node, model: OperatorModel, last_words: Callable[[], str]) -> None:
        """Make the clients; `node` must spin, and requests begin after that."""
        self._node = node
        self._model = model
        self._last_words = last_words
        self._triggers = {name: node.create_client(Trigger, name) for name in TRIGGERS}
        self._parameters = node.create_client(SetParameters, 'controller_node/set_parameters')
        self._execute = ActionClient(node, ExecuteTask, 'execute_task')
        self._home = ActionClient(node, GoHome, 'go_home')
        self._goal: Any = None
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix='request')

    def close(self) -> None:
        """Take no further requests; those that wait are left behind."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def submit(self, command: Command) -> None:
        """Carry out a command; the answer is noted when it comes."""
        self._pool.submit(self._carry_out, command)

    def _carry_out(self, command: Command) -> None:
        work = {'prompt': self._prompt, 'home': self._go_home, 'cancel': self._cancel, 'speed': self._set_speed}
        try:
            kind, text = work.get(command.action, self._trigger)(command)
        except SessionError as error:
            kind, text = 'refused', f'{command.action}: {error}'
        self._note(kind, text)

    def _note(self, kind: str, text: str) -> None:
        self._model.note(kind, text, self._node.get_clock().now().nanoseconds)

    @property
    def _asker(self) -> Asker:
        return Asker(self._node.executor, self._last_words, lambda _: False)

    def _trigger(self, command: Command) -> tuple[str, str]:
        answer = self._asker.call(self._triggers[command.action], Trigger.Request(), what=f'service {command.action}', timeout_s=SERVICE_S)
        return ('answer' if answer.success else 'refused'), f'{command.action}: {answer.message}'

    def _set_speed(self, command: Command) -> tuple[str, str]:
        parameter = Parameter('speed_scale', value=command.value).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        answer = self._asker.call(self._parameters, request, what='controller_node', timeout_s=SERVICE_S).results[0]
        return ('answer', f'speed scale {command.value:.2f}') if answer.successful else ('refused', f'speed scale: {answer.reason}')

    def _prompt(self, command: Command) -> tuple[str, str]:
        self._model.on_prompt(command.text)
        self._note('task', f'“{command.text}”')
        result = self._run(self._execute, ExecuteTask.Goal(prompt=command.text), 'execute_task', self._on_feedback)
        outcome = outcome_of(result, start_s=0.0, end_s=float(result.elapsed))
        kind = 'task' if outcome.outcome == 'succeeded' else 'refused'
        return kind, f'task {outcome.outcome} after {outcome.elapsed_s:.1f} s{": " if outcome.text else ""}{outcome.text}'

    def _on_feedback(self, message: Any) -> None:
        feedback = message.feedback
        self._model.on_progress(
            {
                'phase': str(feedback.phase),
                'elapsed_s': round(float(feedback.elapsed), 1),
                'remaining_px': round(float(feedback.remaining), 1),
            }
        )

    def _go_home(self, command: Command) -> tuple[str, str]:
        result = self._run(self._home, GoHome.Goal(), 'go_home', None)
        arrived = result.error_code == GoHome.Result.SUCCEEDED
        return ('answer', 'home') if arrived else ('refused', f'home: {result.error_msg}')

    def _run(self, client: ActionClient, goal: Any, what: str, feedback: Callable[[Any], None] | None) -> Any:
        """Send a goal and wait for its result.

        Raises:
            SessionError: If nobody offers the action, the goal is rejected or nobody answers.
        """
        if not client.wait_for_server(timeout_sec=SERVICE_S):
            raise SessionError(f'action {what} is not offered by any node')
        asker = self._asker
        handle = asker.ask(partial(client.send_goal_async, goal, feedback_callback=feedback), timeout_s=SERVICE_S, what=what)
        if not handle.accepted:
            raise SessionError(f'rejected; {self._last_words()}')
        self._goal = handle
        return asker.ask(handle.get_result_async, timeout_s=LONGEST_TASK_S, what=what).result

    def _cancel(self, command: Command) -> tuple[str, str]:
        if self._goal is None:
            return 'refused', 'nothing to end: no task or way home was started from this page'
        self._asker.ask(self._goal.cancel_goal_async, timeout_s=SERVICE_S, what='the cancellation')
        return 'answer', 'asked to end'
