# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Search a finger motion that turns the cube, by the cross-entropy method [Rubinstein 1999]: draw, keep the best, draw about those.

One finger reaches over the cube and drags one side of it towards the wrist; the palm's friction holds the rest back, so it turns.
The motion is slow and its joints stay away from their limits: flow has to find it in films, and a check of plans adds up joint steps.

python -m vera_sim.tasks.gait_search clockwise
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from scipy.interpolate import CubicSpline

from vera_core.embodiment import load_embodiment
from vera_core.goals import Goal
from vera_core.shapes import FloatArray
from vera_sim.mjcf import PREFIX
from vera_sim.tasks.gait import FILE, Gait, save_gait
from vera_sim.tasks.rotate import SIGN, Rotate
from vera_sim.tasks.task import EXPERT_DT_S
from vera_sim.world import TIMESTEP_S, World

JOINTS = {'clockwise': (4, 5, 6, 7), 'counter-clockwise': (8, 9, 10, 11)}
"""Joints of the one finger that moves, middle or ring: the one before the side of the cube that is dragged."""
OVER = np.array([[0.2, 0.5, 1.58, 1.48], [-0.06, 1.0, 1.58, 1.45], [0.08, 1.5, 1.4, 0.95]])
"""First guess: over the cube, down before it, dragged; abduction outwards (its sign is the turn's) and three flexions, rad."""
SPREAD = np.array([0.12, 0.1, 0.08, 0.15])
"""Of the first draw, rad."""
MARGIN_RAD = np.array([0.1, 0.1, 0.12, 0.12])
"""The joints stay this far from their limits: added-up joint steps are wrong by as much, most of all those of the last two links."""
SPEED_RAD_S = 0.25
"""Peak joint speed. At 0.4 rad/s six of seven films were refused: the check adds up joint steps, and keeps a Jacobian for some frames."""
FOLLOW_ERROR_RAD = np.array([0.02, 0.02, 0.03, 0.06])
FOLLOW_BIAS_RAD = np.array([0.0, 0.0, 0.0, 0.1])
"""Spread and mean of the error with which a film is followed closed loop: the last link hides itself when it uncurls, and stays curled.
What is found has to turn the cube all the same."""
POPULATION, FIRST_POPULATION, RACERS, ELITE = 20, 40, 6, 5
SCENES = 12
ENOUGH_DEG = 75.0
LOST_DEG = -40.0
FREE_S, COST_DEG_PER_S = 12.0, 0.5
"""Films longer than the first cost so much a second: what moves longer drifts further."""
CHECK_EVERY = 25
CLEAR_M = 0.0015
"""The finger stays this far from the others: the controller keeps links apart and never passes a film in which they touch."""
FAR_M = 0.05
PATH_EVERY = 3
"""Of the rows of a path that are looked at for it."""


@dataclass(slots=True)
class Search:
    """One search: a world, a direction, and the distribution of gaits so far."""

    world: World
    direction: str
    rng: np.random.Generator
    mean: FloatArray
    spread: FloatArray

    def gait(self, knots: FloatArray) -> Gait:
        """Return a gait of knots of any shape of K x 4 numbers, inside the joint limits."""
        robot, joints = self.world.robot, JOINTS[self.direction]
        lower, upper = robot.limits('lower')[list(joints)] + MARGIN_RAD, robot.limits('upper')[list(joints)] - MARGIN_RAD
        return Gait(joints=joints, knots=np.clip(knots.reshape(-1, len(joints)), lower, upper), speed_rad_s=SPEED_RAD_S)

    def score(self, gait: Gait, seeds: range) -> float:
        """Return how well the cube turns, degrees: the mean of some scenes, and the worst of them."""
        return blend([self.one(gait, seed) for seed in seeds])

    def one(self, gait: Gait, seed: int) -> float:
        """Return how far the cube turns in a scene, less what the time costs, degrees; a lost cube costs more than any turn is worth."""
        world, task = self.world, Rotate()
        goal = Goal(task='rotate', target='cube', direction=self.direction)
        world.set_scene(task.scene(world.robot, seed, goal))
        start = task.start(world, seed)
        path = gait.path(start)
        if self.clearance(path) < CLEAR_M:
            return LOST_DEG
        world.set_joints(start)
        check = task.check(world, goal)
        ends = np.arange(len(path)) * EXPERT_DT_S
        error = np.zeros_like(path)
        error[:, list(gait.joints)] = np.random.default_rng([seed, 67]).normal(FOLLOW_BIAS_RAD, FOLLOW_ERROR_RAD)
        spline = CubicSpline(ends, path + error * np.clip(ends / ends[-1] * 2, 0, 1)[:, None], bc_type='clamped')
        times = np.arange(TIMESTEP_S, ends[-1] + 0.3, TIMESTEP_S).clip(max=ends[-1])
        for number, (q, rate) in enumerate(zip(spline(times), spline(times, 1), strict=True)):
            world.step(q, rate)
            if number % CHECK_EVERY == 0:
                check.update(world, CHECK_EVERY * TIMESTEP_S)
                if check.is_lost:
                    return LOST_DEG
        return min(check.turn_deg, ENOUGH_DEG) - COST_DEG_PER_S * max(float(ends[-1]) - FREE_S, 0.0)

    def clearance(self, path: FloatArray) -> float:
        """Return how near the finger that moves comes to another one on its path, shape (T, n), m, at most `FAR_M`."""
        model, data = self.world.model, self.world.data
        finger = model.geom_bodyid.copy()
        for _ in range(3):  # three links up from a fingertip is the finger's root
            parent = model.body_parentid[finger]
            finger = np.where(self.world.robot_bodies[model.body_parentid[parent]] & (model.body_jntnum[parent] > 0), parent, finger)
        solid = self.world.robot_geoms & (model.geom_contype > 0) & (model.body_jntnum[model.geom_bodyid] > 0)
        moving = model.jnt_bodyid[model.joint(f'{PREFIX}{self.world.robot.joint_names[JOINTS[self.direction][0]]}').id]
        ours, others = np.flatnonzero(solid & (finger == moving)), np.flatnonzero(solid & (finger != moving))
        nearest = FAR_M
        for row in path[::PATH_EVERY]:
            self.world.set_joints(row)
            nearest = min(nearest, *(mujoco.mj_geomDistance(model, data, int(a), int(b), FAR_M, None) for a in ours for b in others))
        return nearest

    def generation(self, number: int) -> tuple[float, FloatArray]:
        """Draw, score and keep; return the best score and its knots."""
        drawn = self.mean + self.spread * self.rng.normal(size=(POPULATION if number else FIRST_POPULATION, self.mean.size))
        drawn[0] = self.mean
        # All are tried in one scene, and only the best of them in the others.
        first = number % SCENES
        tried = np.array([self.one(self.gait(knots), first) for knots in drawn])
        racers = drawn[np.argsort(-tried)[:RACERS]]
        scores = np.array([self.score(self.gait(knots), range(SCENES)) for knots in racers])
        best = np.argsort(-scores)[:ELITE]
        self.mean = racers[best].mean(axis=0) if number == 0 else 0.2 * self.mean + 0.8 * racers[best].mean(axis=0)
        self.spread = np.maximum(0.4 * self.spread + 0.6 * racers[best].std(axis=0), 0.03)
        return float(scores[best[0]]), racers[best[0]]


def blend(scores: list[float]) -> float:
    """Return one score of those of several scenes: the worst counts for itself, or a gait that fails here and there would win."""
    return 0.6 * float(np.mean(scores)) + 0.4 * min(scores)


def first_guess(direction: str) -> FloatArray:
    """Return poses to begin with, shape (3, 4), rad."""
    knots = OVER.copy()
    knots[:, 0] *= SIGN[direction]
    return knots


def search(direction: str, *, generations: int, seed: int, out: Path) -> float:
    """Search for so many generations, write the best gait and return its score on scenes it was not chosen on, degrees."""
    world = World(load_embodiment('allegro'))
    guess = first_guess(direction)
    state = Search(
        world=world,
        direction=direction,
        rng=np.random.default_rng([seed, 61]),
        mean=guess.ravel(),
        spread=np.tile(SPREAD, len(guess)),
    )
    kept = (-1e9, state.mean)
    for number in range(generations):
        score, knots = state.generation(number)
        if score > kept[0]:
            kept = (score, knots)
            save_gait(out, direction, state.gait(knots))
        print(
            f'{direction} {number + 1}: best drawn {score:.0f}, kept {kept[0]:.0f} degrees, spread {state.spread.mean():.3f} rad',
            flush=True,
        )
    return state.score(state.gait(kept[1]), range(20_000, 20_020))


def main() -> None:
    """Run a search from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('direction', choices=sorted(SIGN))
    parser.add_argument('--generations', type=int, default=5, help='how often to draw and keep; each takes some 30 s of one core')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same draws')
    parser.add_argument('--out', type=Path, default=Path(__file__).parent / FILE, help='file to write the gait into')
    given = parser.parse_args()
    value = search(given.direction, generations=given.generations, seed=given.seed, out=given.out)
    print(f'{given.direction}: {value:.0f} degrees (mean and worst blended) in 20 new scenes; written into {given.out}')


if __name__ == '__main__':
    main()
