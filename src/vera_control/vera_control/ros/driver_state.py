# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the driver says about the robot itself, and asking it to recover: message packages are looked for only when they are configured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rclpy.action import ActionClient
from rclpy.task import Future
from std_srvs.srv import Trigger

from vera_control.driver_mode import DriverMode, mode_adapter
from vera_control.ros.packages import interface
from vera_core.errors import ConfigError, Refusal
from vera_core.ros.qos import SENSOR


def watch_mode(node: Any, name: str, topic: str, on_mode: Callable[[DriverMode], None]) -> None:
    """Subscribe to the state of the robot and hand over what each report means.

    Raises:
        ConfigError: If there is no such adapter, or its message package is not installed.
    """
    adapter = mode_adapter(name)
    kind = interface(adapter.package, 'msg', adapter.message, needed_by=f"driver_state '{name}'")
    node.create_subscription(kind, topic, lambda message: on_mode(adapter.read(message)), SENSOR)


class Recovery(Protocol):
    """Asks a driver to recover from an error it stopped for."""

    def ask(self) -> Refusal | None:
        """Ask, without waiting for the end; return why that is not possible now."""
        ...


class NoRecovery:
    """A driver that cannot be asked."""

    def ask(self) -> Refusal | None:
        """Refuse in words."""
        return Refusal('no_recovery', 'this driver cannot be asked to recover (parameter recovery is empty); recover it with its own tools')


class TriggerRecovery:
    """Recovery by a std_srvs/Trigger service."""

    def __init__(self, node: Any, name: str) -> None:
        self._node, self._name = node, name
        self._client = node.create_client(Trigger, name)

    def ask(self) -> Refusal | None:
        """Call the service."""
        if not self._client.service_is_ready():
            return Refusal('no_recovery', f'nobody serves {self._name}; is the driver running?')
        self._client.call_async(Trigger.Request()).add_done_callback(self._tell)
        return None

    def _tell(self, future: Future) -> None:
        answer = future.result()
        self._node.get_logger().info(f'recovery {"succeeded" if answer.success else "failed"}: {answer.message}')


class FrankaRecovery:
    """Recovery by the action franka_msgs/ErrorRecovery. Never run on hardware."""

    def __init__(self, node: Any, name: str) -> None:
        """Make the client.

        Raises:
            ConfigError: If franka_msgs is not installed.
        """
        self._node, self._name = node, name
        self._kind = interface('franka_msgs', 'action', 'ErrorRecovery', needed_by="recovery 'franka'")
        self._client = ActionClient(node, self._kind, name)

    def ask(self) -> Refusal | None:
        """Send a goal."""
        if not self._client.server_is_ready():
            return Refusal('no_recovery', f'nobody serves {self._name}; is the driver running?')
        self._client.send_goal_async(self._kind.Goal()).add_done_callback(self._tell)
        return None

    def _tell(self, future: Future) -> None:
        verb = 'accepted' if future.result().accepted else 'refused'
        self._node.get_logger().info(f'the driver {verb} the request to recover; watch its state, then call reset and arm')


RECOVERIES: dict[str, Callable[[Any, str], Recovery]] = {'trigger': TriggerRecovery, 'franka': FrankaRecovery}
"""By the value of the parameter `recovery`."""


def make_recovery(node: Any, kind: str, name: str) -> Recovery:
    """Return how the driver is asked.

    Raises:
        ConfigError: If there is no such way, or its package is not installed.
    """
    if not kind:
        return NoRecovery()
    if kind not in RECOVERIES:
        raise ConfigError(f"recovery is '{kind}'; known: {', '.join(sorted(RECOVERIES))}, or empty for none")
    return RECOVERIES[kind](node, name)
