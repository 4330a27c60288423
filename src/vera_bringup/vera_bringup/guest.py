# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A guest in a running graph: a node of its own context and thread that waits, asks and publishes for a program beside the system."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile

from vera_bringup.asking import Asker, SessionError
from vera_core.ros.alive import AliveWatch
from vera_core.ros.lean_executor import LeanExecutor


class NotActiveError(SessionError):
    """A node lives but is not active in time; says which and why, in the node's own words."""


class Guest:
    """A node of its own context and thread beside the system it talks to. Use as a context manager."""

    def __init__(self, namespace: str) -> None:
        """Join the graph; `start` has to follow once everything is subscribed."""
        self._context = Context()
        # Ctrl-C stays with the command line, which still has a scene to stop and processes to end.
        self._context.init(args=[])
        self.node = Node('operator', namespace=namespace, context=self._context, start_parameter_services=False, enable_rosout=False)
        self._changed = threading.Condition()
        self._watch: AliveWatch | None = None
        self._running = True
        self._executor = LeanExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._asker = Asker(self._executor, self.last_words, lambda name: self._watch is not None and name in self._watch.lost)
        self._thread = threading.Thread(target=self._spin, name='session', daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def last_words(self) -> str:
        """What is known about the system when something it was asked for did not happen."""
        return 'nothing more is known'

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the graph."""
        self._running = False
        self._executor.wake()
        self._thread.join(timeout=5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self._context.try_shutdown()

    def _spin(self) -> None:
        while self._running:
            self._executor.spin_once(timeout_sec=0.5)

    def _store(self, name: str, message: Any) -> None:
        with self._changed:
            setattr(self, name, message)
            self._changed.notify_all()

    @property
    def now_s(self) -> float:
        """Time of the ROS clock, s."""
        return float(self.node.get_clock().now().nanoseconds) * 1e-9

    def wait_for(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Wait until a condition on the newest reports holds.

        Raises:
            SessionError: If it does not hold in time; the text is `what` and what controller and planner last said.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise SessionError(f'{what} did not happen within {timeout_s:.0f} s; {self.last_words()}')
                self._changed.wait(timeout=min(remaining, 0.2))

    def wait_alive(
        self,
        nodes: tuple[str, ...],
        *,
        timeout_s: float,
        keep_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait until every node gives its sign of life.

        Args:
            nodes: Node names; the same ones in every call.
            timeout_s: Patience, s.
            keep_waiting: Called again and again; may raise to give up early.

        Raises:
            SessionError: Names the nodes that stayed silent.
        """
        if self._watch is None:
            self._watch = AliveWatch(self.node, nodes)
        watch = self._watch
        deadline = time.monotonic() + timeout_s
        while missing := [name for name in nodes if not watch.is_alive(name)]:
            keep_waiting()
            if time.monotonic() > deadline:
                raise SessionError(f'no sign of life from {", ".join(missing)} within {timeout_s:.0f} s')
            time.sleep(0.05)

    def wait_active(self, nodes: tuple[str, ...], *, timeout_s: float, keep_waiting: Callable[[], None] = lambda: None) -> None:
        """Wait until every node is active; arguments as of `wait_alive`.

        Raises:
            NotActiveError: Names the nodes that are not, and why, in their own words.
            SessionError: Names the nodes that stayed silent.
        """
        deadline = time.monotonic() + timeout_s
        self.wait_alive(nodes, timeout_s=timeout_s, keep_waiting=keep_waiting)
        watch = self._watch
        assert watch is not None  # wait_alive made it
        while waiting := [name for name in nodes if not watch.is_active(name)]:
            keep_waiting()
            if time.monotonic() > deadline:
                words = '; '.join(f'{name}: {watch.text(name) or "nothing said"}' for name in waiting)
                raise NotActiveError(f'not active within {timeout_s:.0f} s: {words}')
            time.sleep(0.02)

    def set_parameter(self, node_name: str, name: str, text: str) -> None:
        """Set a text parameter of a running node.

        Raises:
            SessionError: If the node refuses; the text is its reason.
        """
        create = partial(self.node.create_client, SetParameters, f'{node_name}/set_parameters')
        client = self._asker.run(create, what='a client')
        answer = self._asker.call(
            client, SetParameters.Request(parameters=[Parameter(name, value=text).to_parameter_msg()]), what=f'{node_name}'
        )
        self._asker.run(partial(self.node.destroy_client, client), what='the end of a client')
        if not answer.results[0].successful:
            raise SessionError(f"{node_name} refused {name} = '{text}': {answer.results[0].reason}")

    @contextmanager
    def publisher(self, message_type: type, topic: str, profile: QoSProfile, *, listeners: int = 1) -> Iterator[Any]:
        """A publisher for a while, given out once as many as `listeners` have found it.

        Raises:
            SessionError: If they do not within 5 s.
        """
        publisher = self._asker.run(partial(self.node.create_publisher, message_type, topic, profile), what=f'a publisher on {topic}')
        try:
            self.wait_for(lambda: publisher.get_subscription_count() >= listeners, timeout_s=5.0, what=f'{listeners} listeners to {topic}')
            yield publisher
        finally:
            self._asker.run(partial(self.node.destroy_publisher, publisher), what=f'the end of a publisher on {topic}')
