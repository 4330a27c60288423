# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Fast streams, taken in bunches.

An executor of rclpy turns once per message, which costs up to a millisecond, so a driver that speaks a hundred or a thousand times a second would
keep a node busy with nothing but waking up. Here nobody is woken; the node takes what has come when it needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile

from vera_core.ros.qos import bunched

TAKE_S = 0.05
"""How often those who keep everything empty their subscriptions, s: a fast driver fills a bunch in twice that."""


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


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message and what the middleware knows of its way; times of the system's clock, ns."""

    message: Any
    sent_ns: int
    arrived_ns: int


def drain(subscription: Any) -> list[Arrival]:
    """Return what has come to a subscription since it was drained last, oldest first; of more than the depth of its quality of service the newest.

    Args:
        subscription: Of rclpy, in the group `NobodyWaits`.
    """
    arrivals: list[Arrival] = []
    handle = subscription.handle
    with handle:  # it stays while it is used
        # One that speaks faster than it is heard must not hold whoever asks for ever.
        for _ in range(subscription.qos_profile.depth):
            taken = handle.take_message(subscription.msg_type, subscription.raw)
            if taken is None:
                break
            message, info = taken
            arrivals.append(Arrival(message, int(info['source_timestamp']), int(info['received_timestamp'])))
    return arrivals


def raw_subscription(node: Node, message_type: Any, topic: str, profile: QoSProfile, group: NobodyWaits) -> Any:
    """Make a subscription to be drained, deep enough for it, whose messages stay as they come off the wire.

    Nobody counts them: what nodes count for their diagnostics would cost more than keeping the bytes.
    """
    silent = SubscriptionEventCallbacks(use_default_callbacks=False)
    return node.create_subscription(
        message_type, topic, lambda _: None, bunched(profile), raw=True, event_callbacks=silent, callback_group=group
    )


class BunchedSubscription:
    """Hands over all messages that have come since it was asked last, as `drain` gives them."""

    def __init__(self, subscription: Any, received: Callable[[Any], Any]) -> None:
        """Begin with nothing.

        Args:
            subscription: Of rclpy, in the group `NobodyWaits`.
            received: Called with every message, in the thread that asks.
        """
        self._subscription, self._received = subscription, received

    def take(self) -> int:
        """Hand over what has come; return how many messages that were."""
        arrivals = drain(self._subscription)
        for arrival in arrivals:
            self._received(arrival.message)
        return len(arrivals)
