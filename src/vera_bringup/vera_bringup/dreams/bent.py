# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Films of an arm with a joint that bends the wrong way: past its limit.

A joint that turns about an axis it does not have is no such film for an arm of seven joints: the others together make nearly the same pictures
(of 150 random ones the part they could not make was at most .4 of the motion), and which joint did it is nothing a picture shows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vera_core.shapes import FloatArray, RgbArray
from vera_sim.clips import make_motion_clip
from vera_sim.poses import pose_sampler
from vera_sim.world import World

FRAMES = 21
PAST_RAD = (0.5, 0.9)
"""How far past its limit a joint bends, rad."""
LONGEST_RAD = 3.0
"""The whole bend at most, rad: more does not fit in a film at a pace flow can follow."""
LEAST_PX = 8.0
"""What is past the limit moves something by at least this much in some view, px: what is hardly seen is no bend."""
LARGEST_STEP_PX = 6.0
"""It never moves further from one picture to the next, px: it is no jump that gives it away."""


def bent_film(world: World, rng: np.random.Generator) -> tuple[str, FloatArray, Mapping[str, RgbArray], Mapping[str, RgbArray]]:
    """Film one wrong bend in the scene of `world`.

    Returns:
        What was done, the joints at its beginning, shape (n,), rad, the real picture of each view there, and the film of each view.
    """
    poses = pose_sampler(world)
    while True:
        start = poses.first_pose(rng)
        joint = int(rng.integers(len(start)))
        path = _past_limit(world, start, joint, rng)
        if path is None or not _is_seen_and_even(world, path, joint):
            continue
        film = make_motion_clip(world, path)
        return f'reversed bend, joint {joint + 1}', start, {view: rgb[0] for view, rgb in film.items()}, film


def _past_limit(world: World, start: FloatArray, joint: int, rng: np.random.Generator) -> FloatArray | None:
    """A motion of one joint past the nearer of its limits, shape (FRAMES, n), rad; None where that is too far away."""
    low, high = world.robot.limits('lower')[joint], world.robot.limits('upper')[joint]
    side, limit = min(((-1.0, low), (1.0, high)), key=lambda pair: abs(pair[1] - start[joint]))
    turn = float(limit + side * rng.uniform(*PAST_RAD) - start[joint])
    if abs(turn) > LONGEST_RAD:
        return None
    share = np.clip(np.linspace(0.0, 1.15, FRAMES), 0.0, 1.0)
    path = np.repeat(start[None], FRAMES, axis=0)
    path[:, joint] += turn * share**3 * (10 - 15 * share + 6 * share**2)
    return path


def _is_seen_and_even(world: World, path: FloatArray, joint: int) -> bool:
    """Whether the wrong part of a path moves something inside a picture far enough, and no part of the path moves anything too fast."""
    size = world.robot.working_size[0]
    low, high = world.robot.limits('lower')[joint], world.robot.limits('upper')[joint]
    places = np.stack([_places(world, position) for position in path])
    if np.linalg.norm(np.diff(places, axis=0), axis=-1).max() > LARGEST_STEP_PX:
        return False
    part = places[(path[:, joint] < low) | (path[:, joint] > high)]
    inside = ((part[[0, -1]] > 0) & (part[[0, -1]] < size)).all(axis=(0, -1))
    return bool((np.linalg.norm(part[-1] - part[0], axis=-1) * inside).max() >= LEAST_PX)


def _places(world: World, position: FloatArray) -> FloatArray:
    """Pixels of the robot's links and ends in every view, shape (V, P, 2), px at working size."""
    world.set_joints(position)
    points = np.concatenate([world.fingertips, world.data.xipos[world.robot_bodies]])
    return np.stack([world.project(view, points, world.robot.working_size[0]) for view in world.robot.view_names])
