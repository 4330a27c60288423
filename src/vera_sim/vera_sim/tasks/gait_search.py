# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Search a finger gait that turns the cube, by the cross-entropy method [Rubinstein 1999]: draw, keep the best, draw about those.

python -m vera_sim.tasks.gait_search clockwise --generations 12
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from vera_core.embodiment import load_embodiment
from vera_core.goals import Goal
from vera_core.shapes import FloatArray
from vera_sim.tasks.gait import FILE, Gait, load_gait, save_gait
from vera_sim.tasks.rotate import SIGN, Rotate
from vera_sim.tasks.task import EXPERT_DT_S
from vera_sim.world import TIMESTEP_S, World

READY = np.array([0.0, 1.15, 0.9, 0.5] * 3 + [0.9, 0.3, 0.3, 0.4])
"""Fingers curled over the palm, above the cube; rad."""
SPREAD = np.array([0.15, 0.2, 0.25, 0.25] * 3 + [0.15, 0.2, 0.2, 0.2])
PULLING_FINGER = {'clockwise': 0, 'counter-clockwise': 4}
"""First joint of the finger before the side of the cube that is pulled: index or middle finger."""
PULL = np.array([[0.9, 1.6, 1.3], [1.5, 1.5, 0.9], [1.1, 0.9, 0.5], [0.7, 1.2, 0.8]])
"""Flexion of that finger in front of the cube, pulled, lifted and coming back, rad."""
KNOTS, CYCLES, LEG_S = 4, 4, 0.6
POPULATION, ELITE = 32, 6
ENOUGH_DEG = 80.0
SCENES = 1
CHECK_EVERY = 25


@dataclass(slots=True)
class Search:
    """One search: a world, a direction, and the distribution of gaits so far."""

    world: World
    direction: str
    rng: np.random.Generator
    mean: FloatArray
    spread: FloatArray

    def gait(self, knots: FloatArray) -> Gait:
        """Return a gait of knots of any shape of KNOTS x n numbers, inside the joint limits."""
        robot = self.world.robot
        knots = np.clip(knots.reshape(KNOTS, -1), robot.limits('lower') + 0.03, robot.limits('upper') - 0.03)
        return Gait(ready=READY, knots=knots, leg_s=LEG_S, cycles=CYCLES)

    def score(self, gait: Gait, seeds: range) -> float:
        """Return how far the cube turns, mean over scenes, degrees; a lost cube costs more than any turn is worth."""
        return float(np.mean([self._one(gait, seed) for seed in seeds]))

    def _one(self, gait: Gait, seed: int) -> float:
        world, task = self.world, Rotate()
        goal = Goal(task='rotate', target='cube', direction=self.direction)
        world.set_scene(task.scene(world.robot, seed, goal))
        start = READY
        world.set_joints(start)
        check = task.check(world, goal)
        path = gait.path(start)
        ends = np.arange(len(path)) * EXPERT_DT_S
        spline = CubicSpline(ends, path, bc_type='clamped')
        times = np.arange(TIMESTEP_S, ends[-1] + 0.3, TIMESTEP_S).clip(max=ends[-1])
        for number, (q, rate) in enumerate(zip(spline(times), spline(times, 1), strict=True)):
            world.step(q, rate)
            if number % CHECK_EVERY == 0:
                check.update(world, CHECK_EVERY * TIMESTEP_S)
                if check.is_lost:
                    return -30.0
        return min(check.turn_deg, ENOUGH_DEG)

    def generation(self, number: int) -> tuple[float, FloatArray]:
        """Draw, score and keep; return the best score and its knots."""
        drawn = self.mean + self.spread * self.rng.normal(size=(POPULATION, self.mean.size))
        drawn[0] = self.mean
        seeds = range(SCENES * number, SCENES * (number + 1))
        scores = np.array([self.score(self.gait(knots), seeds) for knots in drawn])
        best = np.argsort(-scores)[:ELITE]
        self.mean = 0.3 * self.mean + 0.7 * drawn[best].mean(axis=0)
        self.spread = np.maximum(0.3 * self.spread + 0.7 * drawn[best].std(axis=0), 0.04)
        return float(scores[best[0]]), drawn[best[0]]


def first_guess(direction: str, path: Path) -> FloatArray:
    """Return poses to begin with, shape (KNOTS, 16), rad.

    They are the mirror image of the other direction's gait where the file has one; else one of the two fingers before the cube pulls its side,
    lifts and comes back.
    """
    other = next(name for name in SIGN if name != direction)
    knots = np.tile(READY, (KNOTS, 1))
    if path.is_file() and other in path.read_text(encoding='utf-8'):
        found = load_gait(other, path).knots
        # The cube lies before the gap between index and middle finger: they change places and spread the other way.
        knots[:, :4], knots[:, 4:8] = found[:, 4:8], found[:, :4]
        knots[:, [0, 4]] *= -1
    else:
        first = PULLING_FINGER[direction]
        knots[:, first + 1 : first + 4] = PULL
    return knots


def search(direction: str, *, generations: int, seed: int, out: Path) -> float:
    """Search for so many generations, write the best gait on average and return its score on scenes it was not chosen on, degrees."""
    world = World(load_embodiment('allegro'))
    state = Search(
        world=world,
        direction=direction,
        rng=np.random.default_rng([seed, 61]),
        mean=first_guess(direction, out).ravel(),
        spread=np.tile(SPREAD, KNOTS),
    )
    kept = (-1e9, state.mean)
    for number in range(generations):
        score, knots = state.generation(number)
        # The middle of the distribution and the best of the draw, on the same scenes as all winners before.
        for candidate in (state.mean, knots):
            value = state.score(state.gait(candidate), range(10_000, 10_003))
            if value > kept[0]:
                kept = (value, candidate.copy())
                save_gait(out, direction, state.gait(candidate))
        print(
            f'{direction} {number + 1}: best drawn {score:.0f}, kept {kept[0]:.0f} degrees, spread {state.spread.mean():.3f} rad',
            flush=True,
        )
    return state.score(state.gait(kept[1]), range(20_000, 20_020))


def main() -> None:
    """Run a search from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('direction', choices=sorted(SIGN))
    parser.add_argument('--generations', type=int, default=12, help='how often to draw and keep; each takes some 20 s of one core')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same draws')
    parser.add_argument('--out', type=Path, default=Path(__file__).parent / FILE, help='file to write the gait into')
    given = parser.parse_args()
    value = search(given.direction, generations=given.generations, seed=given.seed, out=given.out)
    print(f'{given.direction}: {value:.0f} degrees on average in 20 new scenes; written into {given.out}')


if __name__ == '__main__':
    main()
