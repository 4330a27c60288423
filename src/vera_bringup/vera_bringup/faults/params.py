# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of fault_relay_node."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_bringup.faults.spoil import parse_settings
from vera_core.parameter import NodeParams, param


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRelayParams(NodeParams):
    """What fault_relay_node can be told."""

    robot: str = field(default='panda', metadata=param('robot name or path of its YAML file'))
    faults: str = field(
        default='',
        metadata=param(
            'what is wrong with which stream, for example "front=freeze, joint_states=shift:-1.0"; empty: everything passes', live=True
        ),
    )
    clock: bool = field(default=False, metadata=param('publish /clock, which the setting "clock=shift:1.0" makes jump; for tests only'))

    def __post_init__(self) -> None:
        """Refuse settings nobody understands."""
        parse_settings(self.faults)
