# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Fast streams, taken in bunches.

An executor of rclpy turns once per message, which costs up to a millisecond, so a driver that speaks a hundred or a thousand times a second would
keep a node busy with nothing but waking up. Here nobody is woken; the node takes what has come when it needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup


class NobodyWaits(CallbackGroup):  # type: ignore[misc]  # rclpy is not typed
    """Entities of this group are never waited for by an executor."""

    def can_execute(self, entity: Any) -> bool:
        """Return False: there is nothing to execute."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Return False: nothing begins."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing ends."""


class BunchedSubscription:
    """Hands over all messages that have come since it was asked last, oldest first; of more than the depth of its quality of service the newest."""

    def __init__(self, subscription: Any, received: Callable[[Any], Any]) -> None:
        """Begin with nothing.

        Args:
            subscription: Of rclpy, in the group `NobodyWaits`.
            received: Called with every message, in the thread that asks.
        """
        self._subscription, self._received = subscription, received

    def take(self) -> int:
        """Hand over what has come; return how many messages that were."""
        messages = []
        handle = self._subscription.handle
        with handle:  # it stays while it is used
            # One that speaks faster than it is heard must not hold whoever asks for ever.
            for _ in range(self._subscription.qos_profile.depth):
                taken = handle.take_message(self._subscription.msg_type, False)
                if taken is None:
                    break
                messages.append(taken[0])
        for message in messages:
            self._received(message)
        return len(messages)
