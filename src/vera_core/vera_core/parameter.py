# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a core says about one of its parameters. It needs no ROS; vera_core.ros.params declares the parameters to ROS from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def param(text: str, *, unit: str = '', low: float | None = None, high: float | None = None, live: bool = False) -> Mapping[str, Any]:
    """Metadata for `dataclasses.field`: what the parameter does, its unit, its bounds (inclusive), and whether it may change while the node runs."""
    return MappingProxyType({'text': text, 'unit': unit, 'low': low, 'high': high, 'live': live})
