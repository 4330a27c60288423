# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the robot is being led: the points already commanded, then the posture the present estimate aims at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_bringup.viewing.body import Body
from vera_core.embodiment import Embodiment
from vera_core.shapes import FloatArray, check_shapes


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Prediction:
    """A short future in joint space."""

    path: FloatArray
    """Joint positions on the way, from the measured ones, shape (K, n), rad; K >= 1."""
    is_moving: bool
    """False when nothing leads anywhere: the ghost would stand in the robot."""

    @property
    def goal(self) -> FloatArray:
        """Where the way ends, shape (n,), rad: the ghost."""
        return np.asarray(self.path[-1])


def predict(
    measured: FloatArray, commanded: FloatArray | None, aim: FloatArray | None, *, least_rad: float = 0.002, longest: int = 24
) -> Prediction:
    """Join what is measured, commanded and aimed at into one way.

    Args:
        measured: Shape (n,), rad.
        commanded: Points of the newest command that are still to come, shape (K, n), rad; None or K = 0 without one.
        aim: Joint positions at the picture plus the estimated step to the planned picture, shape (n,), rad; None without a fresh estimate.
        least_rad: A way on which no joint moves this far leads nowhere, rad.
        longest: Commanded points that are kept, evenly chosen.
    """
    sizes = check_shapes(measured=(measured, 'n'))
    parts = [measured[None]]
    if commanded is not None and len(commanded):
        check_shapes(commanded=(commanded, f'K {sizes["n"]}'))
        chosen = np.unique(np.linspace(0, len(commanded) - 1, min(longest, len(commanded))).astype(int))
        parts.append(commanded[chosen])
    if aim is not None:
        check_shapes(aim=(aim, str(sizes['n'])))
        parts.append(aim[None])
    path = np.concatenate(parts)
    return Prediction(path=path, is_moving=bool(np.abs(path - measured).max() >= least_rad))


def within_limits(position: FloatArray, robot: Embodiment) -> FloatArray:
    """Return joint positions of shape (..., n), rad, cut at the robot's position limits."""
    return np.clip(position, robot.limits('lower'), robot.limits('upper'))


def named(positions: FloatArray, joint_names: tuple[str, ...]) -> dict[str, float]:
    """Return joint positions of shape (n,) by name."""
    return dict(zip(joint_names, np.asarray(positions, dtype=np.float64).tolist(), strict=True))


def tip_paths(body: Body, joint_names: tuple[str, ...], path: FloatArray) -> dict[str, FloatArray]:
    """Return the way of every tip link in the root link's frame for joint positions of shape (K, n): shape (K, 3) each, m."""
    poses = [body.link_poses(named(row, joint_names)) for row in path]
    return {tip: np.array([pose[tip][:3, 3] for pose in poses]) for tip in body.tips(joint_names)}
