# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One goal to an action server of a driver, without waiting: sent, canceled, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient
from rclpy.task import Future

from vera_control.homing import MoveEnd
from vera_core.errors import Refusal


class GoalLink:
    """Sends goals to one action server, one at a time."""

    def __init__(self, node: Any, kind: Any, name: str, read: Callable[[Any], MoveEnd]) -> None:
        """Make the client.

        Args:
            node: Node that asks.
            kind: Action type.
            name: Name of the action.
            read: Returns what a result means.
        """
        self.name = name
        self._client = ActionClient(node, kind, name)
        self._read = read
        self._number = 0
        self._goal: Any = None
        self._end: MoveEnd | None = None

    def send(self, goal: Any) -> Refusal | None:
        """Send a goal, or say why that cannot be."""
        if not self._client.server_is_ready():
            return Refusal('no_server', f'nobody serves {self.name}; is the controller of the driver active?')
        self._number += 1
        number = self._number
        self._goal = self._end = None
        self._client.send_goal_async(goal).add_done_callback(lambda future: self._answered(number, future))
        return None

    def cancel(self) -> None:
        """Cancel the goal in progress, one that was not answered yet as soon as it is."""
        self._number += 1
        goal, self._goal = self._goal, None
        self._end = None
        if goal is not None:
            goal.cancel_goal_async()

    def poll(self) -> MoveEnd | None:
        """Return how the goal ended, once."""
        end, self._end = self._end, None
        return end

    def _answered(self, number: int, future: Future) -> None:
        goal = future.result()
        if number != self._number:
            if goal is not None and goal.accepted:
                goal.cancel_goal_async()
        elif goal is None or not goal.accepted:
            self._end = MoveEnd(False, f'{self.name} refused the goal')
        else:
            self._goal = goal
            goal.get_result_async().add_done_callback(lambda result: self._ended(number, result))

    def _ended(self, number: int, future: Future) -> None:
        if number == self._number:
            self._goal = None
            self._end = self._read(future.result().result)
