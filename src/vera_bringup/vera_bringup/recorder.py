# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps messages as they came off the wire and decodes them afterwards: recording must not slow down what it records."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message

from vera_core.ros.bunched import TAKE_S, Arrival, NobodyWaits, drain, raw_subscription

MessageT = TypeVar('MessageT')


@dataclass(frozen=True, slots=True)
class Recorded(Generic[MessageT]):
    """One message and when it arrived."""

    arrival_ns: int
    """Clock of the system, ns."""
    message: MessageT


class Recorder:
    """Raw subscriptions to a few topics; keeps what arrives between `start` and `stop`."""

    def __init__(self, node: Node, topics: Mapping[str, tuple[type, QoSProfile]]) -> None:
        """Subscribe.

        Args:
            node: The node to subscribe with.
            topics: Topic to message type and quality of service.
        """
        self._types = {topic: message_type for topic, (message_type, _) in topics.items()}
        self._raw: dict[str, list[Arrival]] = {topic: [] for topic in topics}
        self._lock = threading.Lock()
        self._recording = False
        group = NobodyWaits()
        self._subscriptions = {topic: raw_subscription(node, kind, topic, profile, group) for topic, (kind, profile) in topics.items()}
        node.create_timer(TAKE_S, self._take)

    def _take(self) -> None:
        with self._lock:
            self._drain()

    def _drain(self) -> None:
        """Take what has come; to be called with the lock."""
        for topic, subscription in self._subscriptions.items():
            arrivals = drain(subscription)
            if self._recording:
                self._raw[topic] += arrivals

    def start(self) -> None:
        """Forget what was kept and keep from now on."""
        with self._lock:
            self._drain()
            for kept in self._raw.values():
                kept.clear()
            self._recording = True

    def stop(self) -> None:
        """Keep nothing more; what was kept stays until the next `start`."""
        with self._lock:
            self._drain()
            self._recording = False

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that are recorded."""
        return tuple(self._types)

    def count(self, topic: str) -> int:
        """Return how many messages of a topic are kept."""
        with self._lock:
            self._drain()
            return len(self._raw[topic])

    def newest(self, topic: str) -> Any:
        """Return the newest kept message of a topic, None when there is none."""
        with self._lock:
            self._drain()
            newest = self._raw[topic][-1] if self._raw[topic] else None
        return None if newest is None else deserialize_message(newest.message, self._types[topic])

    def messages(self, topic: str) -> Iterator[Recorded[Any]]:
        """Decode the kept messages of one topic, oldest first."""
        with self._lock:
            self._drain()
            kept = list(self._raw[topic])
        for arrival in kept:
            yield Recorded(arrival.arrived_ns, deserialize_message(arrival.message, self._types[topic]))
