# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Random motions of a simulated robot, filmed: the demonstrations that a closed loop has to repeat from their video alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_control.body import Body
from vera_control.body_model import body_model
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_core.types import VideoPlan
from vera_sim.clips import STEP_DT_S, make_motion_clip
from vera_sim.world import World

HOLD_STEPS = 3
"""The last picture stands still for this many steps."""
LENGTH_RAD = 1.0
LIMIT_MARGIN_RAD = 0.1
PEAK_STEP_PX = 4.0
"""Duration is chosen so that the fastest link moves about this far between two pictures, px at working size: what optical flow can follow."""
SHORTEST_S = 4.0
BORDER_PX = 4
"""The ends of the robot stay this far inside the pictures, px at working size."""
ROOM_SHARE = 1.5
"""Links stay this many times as far from each other and from the table as the controller asks for: it would stop the repetition otherwise."""
TRIES = 2000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Motion:
    """A joint motion and the video of it."""

    path: FloatArray
    """Joints at every picture, shape (T, n), rad."""
    plan: VideoPlan
    """The video; its first picture is the one at path[0]."""


def film_motion(world: World, seed: int, *, length_rad: float = LENGTH_RAD) -> Motion:
    """Draw a motion from a seed and film it in the scene of `world`; the robot is moved.

    Args:
        world: Where it is filmed.
        seed: Same seed and scene, same motion.
        length_rad: Distance in joint space, rad.

    Raises:
        ConfigError: If the robot has no such motion.
    """
    start, goal = draw_motion(world, np.random.default_rng([seed, 61]), length_rad=length_rad)
    path = _timed(world, start, goal)
    plan = VideoPlan(
        plan_id=1,
        task_id=1,
        prompt='repeat the recorded motion',
        stamp_ns=0,
        step_dt_s=STEP_DT_S,
        frames=make_motion_clip(world, path),
        model='recorded',
        seed=seed,
    )
    return Motion(path=path, plan=plan)


def draw_motion(world: World, rng: np.random.Generator, *, length_rad: float) -> tuple[FloatArray, FloatArray]:
    """Draw start and end of a straight joint motion in a uniformly random direction.

    It stays inside the limits and clear of everything, and the ends of the robot stay inside every picture: what leaves the picture cannot be followed.

    Raises:
        ConfigError: If no such motion is found: limits and cameras leave too little room about home.
    """
    robot, spread = world.robot, np.array(world.simulation.self_play.spread)
    low, high = robot.limits('lower') + LIMIT_MARGIN_RAD, robot.limits('upper') - LIMIT_MARGIN_RAD
    allowed = _contacts(world, robot.home)
    body = None if robot.description is None else Body(body_model(robot))
    for _ in range(TRIES):
        start = robot.home + rng.normal(0.0, spread)
        direction = rng.standard_normal(len(start))
        goal = start + length_rad * direction / np.linalg.norm(direction)
        if not all(((q > low) & (q < high)).all() for q in (start, goal)):
            continue
        path = start + np.linspace(0.0, 1.0, 9)[:, None] * (goal - start)
        if all(_contacts(world, position) <= allowed and _is_in_picture(world) and _is_clear(body, position) for position in path):
            return start, goal
    raise ConfigError(
        f'robot {robot.name} has no free straight motion of {length_rad:g} rad inside its pictures about its home pose in {TRIES} draws; '
        'move home to the middle of the joint ranges, the cameras further away, or give a shorter length'
    )


def _is_in_picture(world: World) -> bool:
    """Whether every view shows the ends of the robot where it is now, not counting what hides them."""
    size = world.robot.working_size[0]
    places = np.stack([world.project(view, world.fingertips, size) for view in world.robot.view_names])
    return bool(((places >= BORDER_PX) & (places <= size - 1 - BORDER_PX)).all())


def _is_clear(body: Body | None, position: FloatArray) -> bool:
    """Whether the controller lets the robot be there; always, where it does not know the robot's body."""
    if body is None:
        return True
    body.place(position)
    gaps = body.gaps()
    return bool(np.all(gaps.distance > ROOM_SHARE * gaps.margin))


def _contacts(world: World, position: FloatArray) -> set[tuple[int, int]]:
    """Pairs of geoms in contact of which at least one belongs to the robot."""
    world.set_joints(position)
    pairs = ((int(contact.geom1), int(contact.geom2)) for contact in world.data.contact if contact.dist < 0)
    return {pair for pair in pairs if world.robot_geoms[list(pair)].any()}


def _timed(world: World, start: FloatArray, goal: FloatArray) -> FloatArray:
    """Minimum-jerk path from start to goal at the pace of the pictures, shape (T, n), rad, with the rest at its end."""
    # The peak speed of a minimum-jerk profile is 1.875 times its mean; half of the commanded limit leaves room to catch up.
    by_speed = 1.875 * float(np.max(np.abs(goal - start) / (0.5 * world.robot.limits('velocity'))))
    by_picture = 1.875 * STEP_DT_S * _travel_px(world, start, goal) / PEAK_STEP_PX
    steps = int(np.ceil(max(SHORTEST_S, by_speed, by_picture) / STEP_DT_S))
    share = np.concatenate([np.linspace(0.0, 1.0, steps + 1), np.ones(HOLD_STEPS)])
    return np.asarray(start + (share**3 * (10 - 15 * share + 6 * share**2))[:, None] * (goal - start))


def _travel_px(world: World, start: FloatArray, goal: FloatArray) -> float:
    """Length of the path of the link that travels furthest in any view, px at working size."""
    samples = np.linspace(0.0, 1.0, 9)
    places = []
    for share in samples:
        world.set_joints(start + share * (goal - start))
        points = world.data.xipos[world.robot_bodies]
        places.append([world.project(view, points, world.robot.working_size[0]) for view in world.robot.view_names])
    steps = np.linalg.norm(np.diff(np.array(places), axis=0), axis=-1)
    return float(steps.sum(axis=0).max())
