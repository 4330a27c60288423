# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What every VERA node starts with: its parameters and its robot, on top of a managed node; and one clean `main`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import ExternalShutdownException
from rclpy.signals import uninstall_signal_handlers

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import VeraError
from vera_core.parameter import NodeParams
from vera_core.ros.lean_executor import LeanExecutor
from vera_core.ros.managed import ManagedNode
from vera_core.ros.params import Parameters

P = TypeVar('P', bound=NodeParams)


class VeraNode(ManagedNode, Generic[P]):
    """A managed node with declared parameters and, when they name a `robot`, that robot's description.

    The constructor only takes what the command line gives; what a node needs to work is made in `configure`.
    """

    def __init__(self, name: str, params: type[P], **options: Any) -> None:
        """Make the node in the namespace `vera` unless another one is given on the command line.

        Raises:
            ConfigError: If a parameter does not fit.
            EmbodimentError: If the robot is unknown or its file cannot be used.
        """
        super().__init__(name, namespace='vera', **options)
        self._parameter_set: Parameters[P] = Parameters(self, params, on_change=self._on_params)
        robot = getattr(self.params, 'robot', None)
        self._embodiment = load_embodiment(robot) if robot is not None else None
        self.begin(hardware_id=self._embodiment.name if self._embodiment else '', autostart=self.params.autostart)

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
        """Hook: called with the new parameters after a live change of a configured node."""

    def _on_params(self, params: P) -> None:
        if self.is_configured:
            self.on_params(params)

    def now_ns(self) -> int:
        """Time of the node's clock, ns."""
        return int(self.get_clock().now().nanoseconds)


def run(make_node: Callable[[], ManagedNode], *, args: Sequence[str] | None = None) -> int:
    """Run one node until SIGINT or SIGTERM; returns the exit code: 0 after a signal, 2 when the node refused to start (said in one sentence).

    What the node's `configure` made is let go before the node is destroyed.
    """
    rclpy.init(args=None if args is None else list(args))
    node: ManagedNode | None = None
    spinner: LeanExecutor | None = None
    try:
        spinner = LeanExecutor()  # before the node speaks: whoever hears it may end it, and half an executor cannot be ended
        node = make_node()
        spinner.add_node(node)
        while rclpy.ok() and not node.has_left:
            spinner.spin_once(timeout_sec=0.5)
    except VeraError as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr, flush=True)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RCLError:
        # A signal ends the context while something is made or published; anything else is a fault worth its traceback.
        if rclpy.ok():
            raise
    finally:
        _end_signal_handling()
        if spinner is not None:
            spinner.shutdown(timeout_sec=1.0)
        if node is not None:
            node.end()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _end_signal_handling() -> None:
    """Let signals change nothing any more: leaving is under way, and a launcher passes on the terminal's Ctrl-C a second time.

    rclpy's own thread, which a signal wakes up, goes through a list of what it is to wake; an executor that is shut down frees that list under it, and the
    process then crashes instead of leaving. So that thread is ended first.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    uninstall_signal_handlers()
