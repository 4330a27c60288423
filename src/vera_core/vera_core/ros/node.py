# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What every VERA node starts with: its parameters, its robot and its sign of life; and one clean `main`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import VeraError
from vera_core.ros.alive import AliveBeacon
from vera_core.ros.params import Parameters

P = TypeVar('P')
ExecutorKind = Literal['events', 'single', 'multi']


class VeraNode(Node, Generic[P]):  # type: ignore[misc]  # rclpy is not typed
    """A node with declared parameters, a sign of life and, when its parameters name a `robot`, that robot's description."""

    def __init__(self, name: str, params: type[P], **options: Any) -> None:
        """Make the node in the namespace `vera` unless another one is given on the command line.

        Raises:
            ConfigError: If a parameter does not fit.
            EmbodimentError: If the robot is unknown or its file cannot be used.
        """
        super().__init__(name, namespace='vera', **options)
        self._parameter_set: Parameters[P] = Parameters(self, params, on_change=self.on_params)
        robot = getattr(self.params, 'robot', None)
        self._embodiment = load_embodiment(robot) if robot is not None else None
        self.beacon = AliveBeacon(self)

    @property
    def params(self) -> P:
        """The parameters as they are now."""
        return self._parameter_set.value

    @property
    def robot(self) -> Embodiment:
        """The robot this node works for."""
        if self._embodiment is None:
            raise AttributeError(f'node {self.get_name()} has no parameter named robot')
        return self._embodiment

    def on_params(self, params: P) -> None:
        """Hook: called with the new parameters after a live change."""

    def now_ns(self) -> int:
        """Time of the node's clock, ns."""
        return int(self.get_clock().now().nanoseconds)


def make_executor(kind: ExecutorKind = 'single') -> Executor:
    """Make an executor. `events` costs least per message, but in rclpy 7.1 it starves beside busy Python threads; `single` is the safe choice."""
    if kind == 'multi':
        return MultiThreadedExecutor(num_threads=2)
    if kind == 'events':
        try:
            from rclpy.experimental import EventsExecutor
        except ImportError:
            return SingleThreadedExecutor()
        return EventsExecutor()
    return SingleThreadedExecutor()


def run(make_node: Callable[[], Node], *, args: Sequence[str] | None = None, executor: ExecutorKind = 'single') -> int:
    """Run one node until SIGINT or SIGTERM; returns the exit code: 0 after a signal, 2 when the node refused to start (said in one sentence).

    A node class may have `close()`; it is called before the node is destroyed.
    """
    rclpy.init(args=None if args is None else list(args))
    node: Node | None = None
    try:
        node = make_node()
        spinner = make_executor(executor)
        spinner.add_node(node)
        try:
            while rclpy.ok():
                spinner.spin_once(timeout_sec=0.5)  # EventsExecutor.spin() does not return when a signal ends the context
        finally:
            spinner.shutdown(timeout_sec=1.0)
    except VeraError as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr, flush=True)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        # A launcher passes on the terminal's Ctrl-C a second time; leaving is already under way.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            close = getattr(node, 'close', None)
            if close is not None:
                close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
