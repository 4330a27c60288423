# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Joint paths of the Panda through poses of its fingertip, for the scripted experts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_sim.expert import HOME, PEAK_SPEED_M_S, hand_pose, minimum_jerk, rotation_from_vector, rotation_vector, solve_fingertip
from vera_sim.robots.panda import PINION_M
from vera_sim.tasks.task import EXPERT_DT_S

SHORTEST_LEG_S = 0.6
TURN_RAD_S = 0.6
"""Peak speed of the hand's turning."""
MAX_ERROR_M = 4e-3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Waypoint:
    """Where the hand comes to rest between two legs."""

    position: FloatArray
    """Fingertip, base frame, shape (3,), m."""
    rotation: FloatArray
    """Hand, base frame, shape (3, 3)."""
    opening: float = 0.0
    """Way of each finger from the middle, m; only robots with a gripper among their joints follow it."""
    peak_speed_m_s: float = PEAK_SPEED_M_S
    shortest_s: float = SHORTEST_LEG_S
    """The way there takes at least this long, s."""
    wait_s: float = 0.0
    """How long the hand rests there, s."""


def pointing_down(heading: float) -> FloatArray:
    """Return the orientation of a hand that points straight down, its x axis `heading` radians from the base's, shape (3, 3)."""
    x, z = np.array([np.cos(heading), np.sin(heading), 0.0]), np.array([0.0, 0.0, -1.0])
    return np.stack([x, np.cross(z, x), z], axis=1)


def heading_of(q: FloatArray) -> float:
    """Return the angle between the hand's x axis and the base's in the horizontal plane, rad, at arm joints `q`, shape (7,)."""
    axis = hand_pose(q)[1][:, 0]
    return float(np.arctan2(axis[1], axis[0]))


def nearest_heading(heading: float, wanted: float, period: float) -> float:
    """Return `wanted` plus whole periods such that it is nearest to `heading`, rad."""
    return wanted + period * round((heading - wanted) / period)


def path_through(q_start: FloatArray, waypoints: Sequence[Waypoint]) -> FloatArray:
    """Return joints from `q_start` through all waypoints, one row every `EXPERT_DT_S`, shape (T, 7), rad, or (T, 8) with the gripper where `q_start` has it.

    Every leg is a minimum-jerk motion along a straight line, the hand turns evenly with it.

    Raises:
        ConfigError: If a waypoint is out of reach; the text gives the error that remained.
    """
    arm, gripper = np.asarray(q_start, float)[:7], np.asarray(q_start, float)[7:]
    position, rotation = hand_pose(arm)
    start_reference = arm.copy()
    # The redundant joint drifts towards the home posture; joints that set the heading are left alone.
    posture = np.where([False, True, False, True, False, True, False], HOME, start_reference)
    rows, openings = [arm], [PINION_M * float(gripper.sum())]
    for number, waypoint in enumerate(waypoints):
        turn = rotation_vector(waypoint.rotation @ rotation.T)
        distance, angle = float(np.linalg.norm(waypoint.position - position)), float(np.linalg.norm(turn))
        duration = max(waypoint.shortest_s, 1.9 * distance / waypoint.peak_speed_m_s, 1.9 * angle / TURN_RAD_S)
        steps = int(np.ceil(duration / EXPERT_DT_S))
        before = openings[-1]
        for share in minimum_jerk(np.linspace(0.0, 1.0, steps + 1)[1:]):
            blend = min(1.0, (number + share) / 2)
            arm, error = solve_fingertip(
                position + (waypoint.position - position) * share,
                rotation_from_vector(turn * share) @ rotation,
                arm,
                (1 - blend) * start_reference + blend * posture,
            )
            if error > MAX_ERROR_M:
                raise ConfigError(f'{np.round(waypoint.position, 3)} m is out of reach of the hand: {error * 1e3:.1f} mm remained')
            rows.append(arm)
            openings.append(before + (waypoint.opening - before) * float(share))
        waiting = round(waypoint.wait_s / EXPERT_DT_S)
        rows += [arm] * waiting
        openings += [waypoint.opening] * waiting
        position, rotation = waypoint.position, waypoint.rotation
    path = np.stack(rows)
    return np.column_stack([path, np.array(openings) / PINION_M]) if len(gripper) else path
