# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The move home before a task: a goal to controller_node, watched without waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future

from vera_msgs.action import GoHome


class HomeFirst:
    """Sends `go_home` and reports how it ended. One move at a time; one that was canceled is not reported."""

    def __init__(self, node: Node, on_end: Callable[[int, bool, str], None]) -> None:
        """Make the client.

        Args:
            node: Node that asks.
            on_end: Called with the task's number, whether home was reached, and the words about it.
        """
        self._client = ActionClient(node, GoHome, 'go_home')
        self._on_end = on_end
        self._task_id: int | None = None
        self._goal: Any = None

    def start(self, task_id: int) -> None:
        """Begin the move for a task."""
        self._task_id, self._goal = task_id, None
        if not self._client.server_is_ready():
            self._end(task_id, False, 'nobody serves go_home; is controller_node running?')
            return
        self._client.send_goal_async(GoHome.Goal()).add_done_callback(lambda future: self._accepted(task_id, future))

    def cancel(self) -> None:
        """Give the move up; the arm ramps to rest."""
        goal, self._task_id, self._goal = self._goal, None, None
        if goal is not None:
            goal.cancel_goal_async()

    def destroy(self) -> None:
        """Take the client out of the graph."""
        self._client.destroy()

    def _accepted(self, task_id: int, future: Future) -> None:
        goal = future.result()
        if task_id != self._task_id:
            if goal is not None and goal.accepted:
                goal.cancel_goal_async()
            return
        self._goal = goal
        goal.get_result_async().add_done_callback(lambda result: self._ended(task_id, result))

    def _ended(self, task_id: int, future: Future) -> None:
        result = future.result().result
        self._end(task_id, result.error_code == GoHome.Result.SUCCEEDED, result.error_msg)

    def _end(self, task_id: int, succeeded: bool, text: str) -> None:
        if task_id == self._task_id:
            self._task_id = self._goal = None
            self._on_end(task_id, succeeded, text)
