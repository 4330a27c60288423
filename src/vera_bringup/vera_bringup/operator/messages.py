# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages of the graph to the plain reports the page shows."""

from __future__ import annotations

import numpy as np

from vera_bringup.operator.reports import PlannerNow, SafetyNow, TaskNow
from vera_control.safety import Reason, SafetyState
from vera_core.bounds import MAX_NAMES, MAX_TEXT, check_count
from vera_core.embodiment import Embodiment
from vera_core.shapes import check_finite
from vera_msgs.msg import PlannerStatus, SafetyStatus, Task

PLANNER_STATES = {getattr(PlannerStatus, name): name for name in ('IDLE', 'WAITING', 'PLANNING', 'FOLLOWING', 'REFUSED', 'FAILED')}


def safety_now(message: SafetyStatus, robot: Embodiment) -> SafetyNow:
    """Return a safety status; commanded velocities in the robot's order, none when the joints are others.

    Raises:
        ShapeError: If it holds too much, or a number is not finite: the page reads JSON, which has no word for that.
    """
    for what in ('joint_names', 'commanded_velocity', 'stream_names', 'stream_ages', 'lost_nodes'):
        check_count(f'{what} of a safety status', len(getattr(message, what)), MAX_NAMES)
    check_finite(numbers=np.array([message.speed_scale, *message.stream_ages, *message.commanded_velocity]))
    rates = dict(zip(message.joint_names, message.commanded_velocity, strict=False))
    commanded = tuple(float(rates[name]) for name in robot.joint_names) if set(robot.joint_names) <= set(rates) else ()
    return SafetyNow(
        state=_name(SafetyState, message.state),
        reason=_name(Reason, message.reason),
        text=message.text[:MAX_TEXT],
        speed_scale=round(float(message.speed_scale), 3),
        stream_ages={name[:MAX_TEXT]: round(float(age), 3) for name, age in zip(message.stream_names, message.stream_ages, strict=False)},
        lost_nodes=tuple(name[:MAX_TEXT] for name in message.lost_nodes),
        commanded_velocity=commanded,
    )


def _name(kind: type[SafetyState] | type[Reason], number: int) -> str:
    """Return the name of a code; one that a newer controller has added keeps its number."""
    try:
        return kind(number).name
    except ValueError:
        return f'CODE_{number}'


def planner_now(message: PlannerStatus) -> PlannerNow:
    """Return a planner status.

    Raises:
        ShapeError: If its latency is not finite.
    """
    check_finite(last_latency=np.array([message.last_latency]))
    return PlannerNow(
        state=PLANNER_STATES.get(message.state, f'CODE_{message.state}'),
        text=message.text[:MAX_TEXT],
        model=f'{message.backend[:MAX_TEXT]} {message.model[:MAX_TEXT]}'.strip(),
        latency_s=float(message.last_latency),
    )


def task_now(message: Task) -> TaskNow:
    """Return the task in force."""
    return TaskNow(task_id=int(message.task_id), prompt=message.prompt[:MAX_TEXT], is_active=bool(message.active))
