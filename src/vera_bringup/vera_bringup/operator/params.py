# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of operator_node."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_core.parameter import NodeParams, param


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorParams(NodeParams):
    """Parameters of operator_node."""

    robot: str = field(default='panda', metadata=param('embodiment name or path of its YAML file'))
    port: int = field(default=8400, metadata=param('TCP port of the page on 127.0.0.1; 0: any free one', low=0, high=65535))
    stop_port: int = field(default=8401, metadata=param('TCP port of the stop line on 127.0.0.1; 0: any free one', low=0, high=65535))
    page_rate_hz: float = field(default=10.0, metadata=param('updates of an open page per second', unit='Hz', low=2.0, high=30.0))
