# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Takes messages off the wire as they are, serialised; whoever keeps them decodes them later or never."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rclpy.node import Node

from vera_bringup.recording.definitions import message_class
from vera_bringup.recording.topics import Topic
from vera_core.errors import ConfigError
from vera_core.ros.bunched import Arrival, NobodyWaits, drain, raw_subscription

OnMessage = Callable[[Topic, Arrival], None]
"""Called with the topic (full name and type filled in) and the serialised message with its times."""


class Tap:
    """Raw subscriptions, emptied twenty times a second. Topics without a type are joined once `look` sees a publisher."""

    def __init__(self, node: Node, topics: Iterable[Topic], on_message: OnMessage) -> None:
        """Subscribe.

        Args:
            node: The node to subscribe with.
            topics: What to listen to.
            on_message: Called with every message, of all topics in the order of their arrival.
        """
        self._node = node
        self._on_message = on_message
        self._subscriptions: list[tuple[Topic, Any]] = []
        self._nobody_waits = NobodyWaits()
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
        self._subscriptions.append((topic, raw_subscription(self._node, kind, topic.name, topic.qos, self._nobody_waits)))

    def take(self) -> None:
        """Hand over what has come; to be called every `TAKE_S` or so, or pictures are lost."""
        arrivals = [(topic, arrival) for topic, subscription in self._subscriptions for arrival in drain(subscription)]
        for topic, arrival in sorted(arrivals, key=lambda entry: entry[1].arrived_ns):
            self._on_message(topic, arrival)
