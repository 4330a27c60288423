# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Who is alive: every node offers automatic liveliness on `alive/NODE`; whoever depends on it is told within the lease when it ends.

The middleware's own threads renew the lease, so a Python thread that is busy for seconds is no false alarm, and a killed process is noticed
although it says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lifecycle_msgs.msg import State
from rclpy.event_handler import QoSLivelinessChangedInfo, SubscriptionEventCallbacks
from rclpy.node import Node

from vera_core.bounds import MAX_TEXT
from vera_core.ros.qos import ALIVE_BEACON, ALIVE_WATCH
from vera_msgs.msg import NodeAlive

PERIOD_S = 0.5


class AliveBeacon:
    """Says twice a second that this node lives, in which state it is, and in one sentence what it does or lacks."""

    def __init__(self, node: Node, text: str = 'starting') -> None:
        self._node = node
        self._text = text
        self._state, self._state_text = State.PRIMARY_STATE_UNKNOWN, ''
        self._publisher = node.create_publisher(NodeAlive, f'alive/{node.get_name()}', ALIVE_BEACON)
        self._timer = node.create_timer(PERIOD_S, self._publish)
        self._publish()

    @property
    def text(self) -> str:
        """The newest sentence."""
        return self._state_text or self._text

    def say(self, text: str) -> None:
        """Change the sentence; it is published at once when it is new."""
        if text != self._text:
            self._text = text
            if not self._state_text:
                self._publish()

    def stand(self, state: int, text: str) -> None:
        """Change the lifecycle state. The text, unless it is empty, stands in the place of what is said until the next change of state."""
        if (state, text) != (self._state, self._state_text):
            self._state, self._state_text = state, text
            self._publish()

    def _publish(self) -> None:
        message = NodeAlive(node=self._node.get_name(), text=self.text, state=self._state)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


class AliveWatch:
    """Watches the beacons of named nodes and reports each change of life.

    A node that was never seen is neither alive nor lost: it is awaited.
    """

    def __init__(self, node: Node, names: Sequence[str], on_change: Callable[[str, bool], None] | None = None) -> None:
        """Start watching.

        Args:
            node: The node that watches; the names are relative to its namespace.
            names: Names of the nodes to watch.
            on_change: Called from the executor with (name, True) when a node appears and (name, False) when it is gone.
        """
        self._on_change = on_change
        self._alive: dict[str, bool] = {}
        self._texts: dict[str, str] = {}
        self._states: dict[str, int] = {}
        self._names = tuple(names)
        self._subscriptions = [self._watch(node, name) for name in self._names]

    def _watch(self, node: Node, name: str) -> Any:
        def changed(event: QoSLivelinessChangedInfo) -> None:
            self._set(name, event.alive_count > 0)

        def received(message: NodeAlive) -> None:
            self._texts[name] = message.text[:MAX_TEXT]
            self._states[name] = message.state

        callbacks = SubscriptionEventCallbacks(liveliness=changed, use_default_callbacks=False)
        return node.create_subscription(NodeAlive, f'alive/{name}', received, ALIVE_WATCH, event_callbacks=callbacks)

    def _set(self, name: str, alive: bool) -> None:
        if self._alive.get(name, False) != alive:
            self._alive[name] = alive
            if not alive:
                self._texts.pop(name, None)
                self._states.pop(name, None)
            if self._on_change is not None:
                self._on_change(name, alive)

    def is_alive(self, name: str) -> bool:
        """Whether the node is there now."""
        return self._alive.get(name, False)

    def is_active(self, name: str) -> bool:
        """Whether the node is there now and said last that it is active."""
        return self.is_alive(name) and self._states.get(name) == State.PRIMARY_STATE_ACTIVE

    def text(self, name: str) -> str:
        """What the node said last, empty before its first message and while it is gone."""
        return self._texts.get(name, '')

    @property
    def names(self) -> tuple[str, ...]:
        """The watched nodes, in the order given."""
        return self._names

    @property
    def lost(self) -> tuple[str, ...]:
        """Nodes that were alive and are gone, in the order given."""
        return tuple(name for name in self._names if self._alive.get(name) is False)

    @property
    def awaited(self) -> tuple[str, ...]:
        """Nodes never seen so far, in the order given."""
        return tuple(name for name in self._names if name not in self._alive)
