# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Adapters to drivers whose packages are not here: tested with classes made from their public definitions, never with the real thing."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip('rclpy')

from vera_control.driver_mode import DriverMode, DriverState
from vera_control.ros.driver_state import FrankaRecovery, NoRecovery, make_recovery, watch_mode
from vera_core.errors import ConfigError

pytestmark = pytest.mark.ros


@dataclass
class FrankaRobotState:
    """The one field of franka_msgs/FrankaRobotState that is read; its constants are those of libfranka's RobotMode."""

    robot_mode: int = 0


@dataclass
class FakeNode:
    """Keeps what is subscribed."""

    subscriptions: list[tuple[Any, str, Any]] = field(default_factory=list)

    def create_subscription(self, kind: Any, topic: str, callback: Any, qos: Any) -> None:
        """Keep a subscription."""
        self.subscriptions.append((kind, topic, callback))


def test_franka_state_is_read_when_its_package_is_there(monkeypatch: pytest.MonkeyPatch):
    package, messages = ModuleType('franka_msgs'), ModuleType('franka_msgs.msg')
    messages.FrankaRobotState = FrankaRobotState  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'franka_msgs', package)
    monkeypatch.setitem(sys.modules, 'franka_msgs.msg', messages)
    node, seen = FakeNode(), list[DriverMode]()
    watch_mode(node, 'franka', '/state', seen.append)
    kind, topic, callback = node.subscriptions[0]
    assert (kind, topic) == (FrankaRobotState, '/state')
    callback(FrankaRobotState(robot_mode=5))
    assert seen[0].state is DriverState.STOPPED
    assert 'USER_STOPPED' in seen[0].text


def test_a_missing_package_is_named_at_the_start():
    with pytest.raises(ConfigError, match="driver_state 'franka' needs franka_msgs/msg/FrankaRobotState"):
        watch_mode(FakeNode(), 'franka', '/state', lambda mode: None)
    with pytest.raises(ConfigError, match="recovery 'franka' needs franka_msgs/action/ErrorRecovery"):
        FrankaRecovery(FakeNode(), '/recover')


def test_recovery_is_chosen_by_name_and_refused_in_words_where_there_is_none():
    recovery = make_recovery(FakeNode(), '', '')
    assert isinstance(recovery, NoRecovery)
    refusal = recovery.ask()
    assert refusal is not None
    assert 'own tools' in refusal.text
    with pytest.raises(ConfigError, match="recovery is 'magic'; known: franka, trigger"):
        make_recovery(FakeNode(), 'magic', '')
