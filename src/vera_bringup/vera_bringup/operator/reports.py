# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the nodes report, in the words of the page: plain data, made from messages by operator_node."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyNow:
    """The newest safety_status."""

    state: str
    """Name of the state, as in SafetyStatus.msg."""
    reason: str
    """Name of the reason."""
    text: str
    speed_scale: float
    stream_ages: dict[str, float] = field(default_factory=dict)
    """Age of the newest message of each input of the controller, s; -1 before the first."""
    lost_nodes: tuple[str, ...] = ()
    commanded_velocity: tuple[float, ...] = ()
    """In the robot's order, rad/s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerNow:
    """The newest planner_status."""

    state: str
    text: str
    model: str
    latency_s: float
    """Wall time of the newest dream, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNow:
    """The task in force."""

    task_id: int
    prompt: str
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One line of the alarm list or of the prompt history."""

    time_s: float
    """When, s of the ROS clock."""
    kind: str
    """stop, hold, ok, answer, refused, lost or task."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One moment of the plots. What was not measured is None."""

    time_s: float
    residual: float | None
    """Unexplained share of the flow, 0..1."""
    camera_ms: float | None
    """From the camera's stamp to here."""
    flow_ms: float | None
    """From the picture's stamp to its flow here."""
    estimate_ms: float | None
    """From the picture's stamp to the joint velocity's publication."""
    dream_s: float | None
    commanded: tuple[float, ...]
    """rad/s per joint."""
    measured: tuple[float, ...]
    """rad/s per joint."""
