# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of blackbox_node."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_core.parameter import NodeParams, param


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackBoxParams(NodeParams):
    """Parameters of blackbox_node."""

    robot: str = field(default='panda', metadata=param('embodiment name or path of its YAML file'))
    folder: str = field(default='', metadata=param('where the files go; empty: vera_blackbox in $ROS_HOME, or in ~/.ros'))
    keep_files: int = field(default=20, metadata=param('files kept; the oldest goes when there is one more', low=1, high=1000))
    span_s: float = field(default=30.0, metadata=param('how far back the memory goes', unit='s', low=5.0, high=300.0))
    after_s: float = field(default=1.0, metadata=param('how much of what follows a stop is kept too', unit='s', low=0.0, high=10.0))
    quiet_s: float = field(
        default=30.0, metadata=param('a hold for the same reason within this time gets no file of its own', unit='s', low=0.0, high=600.0)
    )
    memory_mb: int = field(
        default=320, metadata=param('memory for messages; beyond it the oldest pictures go first', unit='MB', low=8, high=8192)
    )
    picture_rate_hz: float = field(
        default=10.0, metadata=param('pictures and flow fields kept per topic and second at most', unit='Hz', low=0.5, high=60.0)
    )
    picture_format: str = field(default='jpeg', metadata=param('format of the pictures in the files: jpeg, png or raw'))
    watched_nodes: tuple[str, ...] = field(
        default=('sim_node', 'planner_node', 'flow_node', 'jidm_node', 'controller_node', 'executive_node'),
        metadata=param('nodes whose signs of life are kept'),
    )
