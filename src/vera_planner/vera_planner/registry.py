# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Planner backends by name; others join through the entry point group `vera_planner.backends`."""

from __future__ import annotations

from typing import Any

from vera_core.registry import Registry
from vera_planner.planner import VideoPlanner

PLANNERS: Registry[VideoPlanner] = Registry(
    'planner',
    {
        'embedded': 'vera_planner.backends.embedded:EmbeddedPlanner',
        'recorded': 'vera_planner.backends.recorded:RecordedPlanner',
    },
    group='vera_planner.backends',
)


def make_planner(name: str, **options: Any) -> VideoPlanner:
    """Make a planner.

    Raises:
        ConfigError: If the name or an option is unknown.
        ModelContractError: If its weights are missing, truncated or made for another robot.
    """
    return PLANNERS.make(name, **options)
