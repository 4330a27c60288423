# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Random poses and moves for start poses and self-play: near the task for the Panda at its table, free of collisions for any other robot."""

from __future__ import annotations

from typing import Protocol

import mujoco
import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.shapes import FloatArray
from vera_sim.expert import DOWN, HOME, fingertip_position, random_rotation, sample_start, solve_fingertip
from vera_sim.scene import Scene, required_simulation
from vera_sim.world import World

ARM = 7
"""Joints of the Panda without its gripper."""


class PoseSampler(Protocol):
    """Draws poses that a robot may take in a scene."""

    def start_pose(self, seed: int) -> FloatArray:
        """Return the start pose of an episode, shape (n,), rad: same seed, same pose."""
        ...

    def first_pose(self, rng: np.random.Generator) -> FloatArray:
        """Return a pose for self-play to begin with, shape (n,), rad."""
        ...

    def next_pose(self, q: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return where self-play goes from `q`, shape (n,), rad; the straight way in joint space is safe."""
        ...


def pose_sampler(world: World) -> PoseSampler:
    """Return the sampler for a robot and the scene it is in; it never touches the world."""
    if world.simulation.model == 'panda' and world.simulation.scene == 'table_cubes':
        return ReachPoses(world.robot)
    return FreePoses(world.robot, world.scene)


class ReachPoses:
    """The Panda's: half of the poses reach over the table as the task does, the others spread widely about home.

    What follows after its seven joints, a gripper, starts where it is at home and goes anywhere in self-play.
    """

    def __init__(self, robot: Embodiment) -> None:
        lower, upper = robot.limits('lower'), robot.limits('upper')
        self._home = robot.home
        margin = np.minimum(0.1, 0.03 * (upper - lower))
        self._lower, self._upper = (
            np.append(lower[:ARM] + 0.1, (lower + margin)[ARM:]),
            np.append(upper[:ARM] - 0.1, (upper - margin)[ARM:]),
        )
        self._spread = np.array(required_simulation(robot).self_play.spread)

    def start_pose(self, seed: int) -> FloatArray:
        """See `expert.sample_start`."""
        return np.append(sample_start(seed), self._home[ARM:])

    def first_pose(self, rng: np.random.Generator) -> FloatArray:
        """Draw either kind of pose."""
        while True:
            if rng.random() < 0.55:
                target = np.array([rng.uniform(0.30, 0.68), rng.uniform(-0.30, 0.30), rng.uniform(0.035, 0.48)])
                reference = HOME + rng.normal(0, 0.3, 7)
                goal, error = solve_fingertip(target, random_rotation(rng, 0.2) @ DOWN, reference, reference)
                if error > 5e-3:
                    continue
            else:
                goal = HOME + rng.normal(0, self._spread[:ARM])
            goal = np.append(goal, rng.uniform(self._lower[ARM:], self._upper[ARM:]))
            if self._is_safe(goal):
                return goal

    def next_pose(self, q: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Move one or two joints only in 40 % of the moves."""
        if rng.random() < 0.4:
            for _ in range(20):
                goal = q.copy()
                joints = rng.choice(len(q), size=int(rng.integers(1, 3)), replace=False)
                goal[joints] += rng.normal(0, 0.8 * self._spread[joints])
                if self._is_safe(goal):
                    return goal
        return self.first_pose(rng)

    def _is_safe(self, q: FloatArray) -> bool:
        inside = (q > self._lower).all() and (q < self._upper).all()
        return bool(inside and fingertip_position(q[:ARM])[2] > 0.03)


class FreePoses:
    """Any robot's: every joint normally distributed about home inside its range, nothing touched on the way.

    Half of the moves are of one to three joints, so that every joint's own effect shows in the pictures.
    """

    CLEARANCE_M = 0.002
    """Kept from everything that is not the robot."""
    OVERLAP_M = 0.001
    """Links may press into each other this far; more is a collision."""
    TRIES = 40
    CHECK_EVERY_RAD = 0.08
    """Longest stretch of a way between two looks at it."""

    def __init__(self, robot: Embodiment, scene: Scene) -> None:
        self_play = required_simulation(robot).self_play
        margin = 0.03 * (robot.limits('upper') - robot.limits('lower'))
        self._lower, self._upper = robot.limits('lower') + margin, robot.limits('upper') - margin
        self._home, self._spread = np.clip(robot.home, self._lower, self._upper), np.array(self_play.spread)
        # A world of its own, never rendered.
        self._world = World(robot, scene)
        self._world.model.geom_margin[self._world.robot_geoms] = self.CLEARANCE_M
        model = self._world.model
        # What the joints move; a palm may well carry the object that lies on it.
        self._moving = self._world.robot_geoms & (model.body_weldid[model.geom_bodyid] != 0)
        # What touches at home belongs to the model: links that are drawn into each other, a base on the table; never an object of the scene.
        objects = {model.geom(cube.name).id for cube in scene.cubes}
        self._usual = frozenset(pair for pair in self._collisions(robot.home) if not objects & set(pair))

    def start_pose(self, seed: int) -> FloatArray:
        """Draw a pose nothing touches anything in."""
        return self.first_pose(np.random.default_rng([seed, 23]))

    def first_pose(self, rng: np.random.Generator) -> FloatArray:
        """Draw poses until one is free, nearer to home from time to time."""
        for attempt in range(self.TRIES):
            goal = self._draw(rng, 0.9 ** (attempt // 4))
            if self._is_free(goal):
                return goal
        return self._home.copy()

    def next_pose(self, q: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Draw goals until the straight way is free; after many, go a part of the way only."""
        few = len(q) > 1 and rng.random() < 0.5
        goal = q
        for attempt in range(self.TRIES):
            drawn = self._draw(rng, 1.0)
            if few:
                chosen = rng.choice(len(q), size=int(rng.integers(1, min(3, len(q) - 1) + 1)), replace=False)
                goal = q.copy()
                goal[chosen] = drawn[chosen]
            else:
                # A hand's fingers are in each other's way: the later the try, the fewer joints follow the draw.
                follows = rng.random(len(q)) < 1.0 - 0.5 * attempt / self.TRIES
                goal = np.where(follows, drawn, q)
            if self._way_is_free(q, goal):
                return goal
        for _ in range(6):
            goal = q + (goal - q) / 2
            if self._way_is_free(q, goal):
                return goal
        return self._home.copy()

    def _draw(self, rng: np.random.Generator, scale: float) -> FloatArray:
        """Normal about home; values outside the range are drawn again one by one."""
        q = self._home + rng.normal(0, scale * self._spread)
        while (outside := (q < self._lower) | (q > self._upper)).any():
            q[outside] = (self._home + rng.normal(0, scale * self._spread))[outside]
        return q

    def _way_is_free(self, q_from: FloatArray, q_to: FloatArray) -> bool:
        count = 1 + int(np.ceil(np.abs(q_to - q_from).max() / self.CHECK_EVERY_RAD))
        return all(self._is_free(q_from + (q_to - q_from) * share) for share in np.linspace(1.0, 0.0, count, endpoint=False))

    def _is_free(self, q: FloatArray) -> bool:
        return self._usual.issuperset(self._collisions(q))

    def _collisions(self, q: FloatArray) -> set[tuple[int, int]]:
        """Pairs of geoms that are too near to each other at `q`."""
        world = self._world
        world.set_joints(q)
        mujoco.mj_collision(world.model, world.data)
        found = set()
        for contact in world.data.contact:
            first, second = sorted(int(geom) for geom in contact.geom)
            of_robot = world.robot_geoms[first] and world.robot_geoms[second]
            nearest = -self.OVERLAP_M if of_robot else self.CLEARANCE_M
            if (self._moving[first] or self._moving[second]) and contact.dist < nearest:
                found.add((first, second))
        return found
