# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Takes messages off the wire as they are, serialised; whoever keeps them decodes them later or never."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node

from vera_bringup.recording.definitions import message_class
from vera_bringup.recording.topics import Topic
from vera_core.errors import ConfigError

OnMessage = Callable[[Topic, bytes, int], None]
"""Called with the topic (full name and type filled in), the serialised message, and when it was sent, ns (0: unknown)."""


class Tap:
    """Raw subscriptions. Topics without a type are joined once `look` sees a publisher."""

    def __init__(self, node: Node, topics: Iterable[Topic], on_message: OnMessage, *, tells_sending: bool = True) -> None:
        """Subscribe.

        Args:
            node: The node to subscribe with.
            topics: What to listen to.
            on_message: Called with every message.
            tells_sending: Whether `on_message` is told when a message was sent; rclpy's events executor cannot.
        """
        self._node = node
        self._on_message = on_message
        self._tells_sending = tells_sending
        self._awaited: dict[str, Topic] = {}
        self.joined: list[Topic] = []
        self.refused: dict[str, str] = {}
        """Topics that cannot be recorded, and why."""
        for topic in topics:
            name = node.resolve_topic_name(topic.name)
            full = Topic(name=name, kind=topic.kind, qos=topic.qos, is_bulky=topic.is_bulky)
            if topic.kind:
                self._join(full)
            else:
                self._awaited[name] = full

    @property
    def awaited(self) -> tuple[str, ...]:
        """Topics nobody publishes yet."""
        return tuple(self._awaited)

    def look(self) -> None:
        """Join the awaited topics that are published by now; call it once in a while."""
        if not self._awaited:
            return
        for name in list(self._awaited):
            kinds = {info.topic_type for info in self._node.get_publishers_info_by_topic(name)}
            if kinds:
                topic = self._awaited.pop(name)
                self._join(Topic(name=name, kind=sorted(kinds)[0], qos=topic.qos, is_bulky=topic.is_bulky))

    def _join(self, topic: Topic) -> None:
        try:
            kind = message_class(topic.kind)
        except ConfigError as error:
            self.refused[topic.name] = str(error)
            return
        self.joined.append(topic)

        def received(raw: bytes) -> None:
            self._on_message(topic, raw, 0)

        def received_with_info(raw: bytes, info: dict[str, Any]) -> None:
            self._on_message(topic, raw, int(info.get('source_timestamp', 0)))

        callback = received_with_info if self._tells_sending else received
        # Own event callbacks: the counting that nodes do for diagnostics would cost more than the recording itself.
        silent = SubscriptionEventCallbacks(use_default_callbacks=False)
        self._node.create_subscription(kind, topic.name, callback, topic.qos, raw=True, event_callbacks=silent)
