# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of view_node."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_core.parameter import NodeParams, param


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewParams(NodeParams):
    """Parameters of view_node."""

    robot: str = field(default='panda', metadata=param('embodiment name or path of its YAML file'))
    marker_rate_hz: float = field(default=10.0, metadata=param('markers per second while somebody looks', unit='Hz', low=1.0, high=30.0))
    dream_rate_hz: float = field(
        default=5.0, metadata=param('pictures of the dream per second while somebody looks', unit='Hz', low=0.5, high=30.0)
    )
