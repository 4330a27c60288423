# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How the nodes of a running graph are, as they say themselves on /diagnostics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.node import Node

from vera_core.diagnostics import Level
from vera_core.ros.diagnostics import PERIOD_S, PREFIX, TOPIC
from vera_core.ros.lean_executor import LeanExecutor

LISTEN_S = 2.5 * PERIOD_S
"""Long enough to find the nodes and to hear each one of them."""


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """The newest report of one node."""

    node: str
    robot: str
    level: Level
    text: str
    values: Mapping[str, str]

    def lines(self) -> str:
        """Level and sentence, then rates and reasons, one in a line."""
        rows = [f'{self.level.name}: {self.text}', *(f'      {key}: {value}' for key, value in self.values.items() if key != 'says')]
        return '\n'.join(rows)


def listen(seconds: float = LISTEN_S) -> tuple[NodeHealth, ...]:
    """Return the newest report of every node of ours in this domain, by name; empty when none runs."""
    found: dict[str, NodeHealth] = {}

    def received(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(PREFIX):
                node = status.name.removeprefix(PREFIX)
                values = {entry.key: entry.value for entry in status.values}
                found[node] = NodeHealth(node, status.hardware_id, Level(status.level[0]), status.message, values)

    context = Context()
    context.init(args=[])
    try:
        node = Node('vera_doctor', context=context, start_parameter_services=False, enable_rosout=False)
        node.create_subscription(DiagnosticArray, TOPIC, received, 100)
        executor = LeanExecutor(context=context)
        executor.add_node(node)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left)
        executor.shutdown()
    finally:
        context.try_shutdown()
    return tuple(found[name] for name in sorted(found))
