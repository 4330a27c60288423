# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""An action goal that a timer carries out: nothing blocks, one executor thread is enough, and every rejection reaches the client in words.

rclpy's action server wants a callback that runs until the goal is done. Blocking in it needs a second thread; awaiting in it makes the
executor poll. So the goal is kept when it is accepted and the callback runs only at its very end, to hand over the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node


class DeferredGoalServer:
    """An action server with at most one goal in progress.

    ROS refuses a goal without a word, so a goal that cannot be done is accepted and ended at once with a result that says why.
    """

    def __init__(self, node: Node, action: Any, name: str, *, start: Callable[[Any], Any | None], cancel: Callable[[], None]) -> None:
        """Serve an action.

        Args:
            node: Node that serves it.
            action: Action type.
            name: Action name, relative to the node's namespace.
            start: Called with a goal's request; returns None when the goal is begun, else the result that says why not.
            cancel: Called when the client wants the goal in progress to end; `finish` must follow.
        """
        self._start = start
        self._cancel = cancel
        self._goal: ServerGoalHandle | None = None
        self._server = ActionServer(
            node, action, name, execute_callback=_never, handle_accepted_callback=self._accepted, cancel_callback=self._cancel_requested
        )

    @property
    def is_busy(self) -> bool:
        """True while a goal is in progress."""
        return self._goal is not None

    def feedback(self, message: Any) -> None:
        """Send feedback on the goal in progress, if any."""
        if self._goal is not None:
            self._goal.publish_feedback(message)

    def finish(self, result: Any, *, succeeded: bool) -> None:
        """End the goal in progress, if any, with a result."""
        goal, self._goal = self._goal, None
        if goal is not None:
            _hand_over(goal, result, succeeded=succeeded)

    def destroy(self) -> None:
        """Stop serving."""
        self._server.destroy()

    def _accepted(self, goal: ServerGoalHandle) -> None:
        refusal = self._start(goal.request)
        if refusal is None:
            self._goal = goal
        else:
            _hand_over(goal, refusal, succeeded=False)

    def _cancel_requested(self, goal: ServerGoalHandle) -> CancelResponse:
        if goal is not self._goal:
            return CancelResponse.REJECT
        self._cancel()
        return CancelResponse.ACCEPT


def _hand_over(goal: ServerGoalHandle, result: Any, *, succeeded: bool) -> None:
    def conclude(handle: ServerGoalHandle) -> Any:
        if handle.is_cancel_requested:
            handle.canceled()
        elif succeeded:
            handle.succeed()
        else:
            handle.abort()
        return result

    goal.execute(conclude)


def _never(goal: ServerGoalHandle) -> Any:
    raise RuntimeError(f'goal {goal.goal_id} was executed without a result')
