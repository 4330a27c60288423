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

MessageT = TypeVar('MessageT')


@dataclass(frozen=True, slots=True)
class Recorded(Generic[MessageT]):
    """One message and when it arrived."""

    arrival_ns: int
    """Clock of the recording node, ns."""
    message: MessageT


class Recorder:
    """Raw subscriptions to a few topics; keeps what arrives between `start` and `stop`."""

    def __init__(self, node: Node, topics: Mapping[str, tuple[type, QoSProfile]]) -> None:
        """Subscribe.

        Args:
            node: The node to subscribe with.
            topics: Topic to message type and quality of service.
        """
        self._clock = node.get_clock()
        self._types = {topic: message_type for topic, (message_type, _) in topics.items()}
        self._raw: dict[str, list[tuple[int, bytes]]] = {topic: [] for topic in topics}
        self._lock = threading.Lock()
        self._recording = False
        for topic, (message_type, qos) in topics.items():
            node.create_subscription(
                message_type,
                topic,
                lambda raw, topic=topic: self._keep(topic, raw),
                qos,
                raw=True,
            )

    def _keep(self, topic: str, raw: bytes) -> None:
        with self._lock:
            if self._recording:
                self._raw[topic].append((self._clock.now().nanoseconds, raw))

    def start(self) -> None:
        """Forget what was kept and keep from now on."""
        with self._lock:
            for kept in self._raw.values():
                kept.clear()
            self._recording = True

    def stop(self) -> None:
        """Keep nothing more; what was kept stays until the next `start`."""
        with self._lock:
            self._recording = False

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that are recorded."""
        return tuple(self._types)

    def count(self, topic: str) -> int:
        """Return how many messages of a topic are kept."""
        with self._lock:
            return len(self._raw[topic])

    def newest(self, topic: str) -> Any:
        """Return the newest kept message of a topic, None when there is none."""
        with self._lock:
            raw = self._raw[topic][-1][1] if self._raw[topic] else None
        return None if raw is None else deserialize_message(raw, self._types[topic])

    def messages(self, topic: str) -> Iterator[Recorded[Any]]:
        """Decode the kept messages of one topic, oldest first."""
        with self._lock:
            kept = list(self._raw[topic])
        for arrival_ns, raw in kept:
            yield Recorded(arrival_ns, deserialize_message(raw, self._types[topic]))
