# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a core says about one of its parameters. It needs no ROS; vera_core.ros.params declares the parameters to ROS from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


def param(text: str, *, unit: str = '', low: float | None = None, high: float | None = None, live: bool = False) -> Mapping[str, Any]:
    """Metadata for `dataclasses.field`: what the parameter does, its unit, its bounds (inclusive), and whether it may change while the node runs."""
    return MappingProxyType({'text': text, 'unit': unit, 'low': low, 'high': high, 'live': live})


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParams:
    """What every node can be told; the parameters of a node are a dataclass derived from this one."""

    autostart: bool = field(
        default=True,
        metadata=param('configure and activate at the start, without being asked, as soon as nothing stands in the way'),
    )
