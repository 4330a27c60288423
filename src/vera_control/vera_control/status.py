# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The controller's report in the words of the core; wire.py makes the SafetyStatus message of it."""

from __future__ import annotations

from dataclasses import dataclass

from vera_control.audit import Violations
from vera_control.safety import Reason, SafetyState
from vera_core.shapes import FloatArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ControllerStatus:
    """What SafetyStatus reports, in the words of the core."""

    state: SafetyState
    reason: Reason
    text: str
    stream_names: tuple[str, ...]
    stream_ages: tuple[float, ...]
    """Age of the newest accepted message of each stream, s; -1 before the first."""
    lost_nodes: tuple[str, ...]
    speed_scale: float
    commanded_velocity: FloatArray
    """Shape (n,), rad/s."""
    refused_messages: int
    violations: Violations
    is_dry: bool
    """True while commands are made but do not reach the driver."""
    start_obstacle: str
    """Why no task could begin although the arm is armed; empty when one could."""
