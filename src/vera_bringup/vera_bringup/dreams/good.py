# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Dreams to follow: of the embedded planner from rest and in mid motion, films of the scripted expert, films of random joint motions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vera_bringup.closed_loop_motion import film_motion
from vera_bringup.dreams.sample import Sample, plan_of
from vera_core.embodiment import Embodiment
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import Frame
from vera_jidm.executability import MAY_REST_PX
from vera_planner.planner import PlanRequest, VideoPlanner
from vera_planner.prompts import TRAIN_WORDINGS
from vera_sim.clips import STEP_DT_S, clip_target, make_motion_clip
from vera_sim.expert import reach_path, sample_start
from vera_sim.scene import COLOURS, sample_scene
from vera_sim.world import World

GOOD = ('dream from rest', 'dream in mid motion', 'dream near the goal', 'expert film', 'random film')
HORIZON = 20
"""Frames of a film at most: as many as the embedded planner dreams."""
LATEST_S = 0.6
"""The newest real picture is up to this much newer than the one the dream begins with, s: the time it took to dream."""


class GoodDreams:
    """Makes them from seeds. The scene and the arm of its world are changed."""

    def __init__(self, robot: Embodiment, planner: VideoPlanner | None = None) -> None:
        """Build the world.

        Args:
            robot: Any simulated robot; experts and dreams are there for the Panda only.
            planner: Who dreams; None: films only.
        """
        self.world = World(robot)
        self._planner = planner

    def make(self, kind: str, seed: int) -> Sample:
        """Return the dream of a seed; same kind and seed, same dream."""
        rng = np.random.default_rng([seed, 83])
        self.world.set_scene(sample_scene(self.world.robot, seed))
        if kind == 'random film':
            motion = film_motion(self.world, seed)
            return self._from_film(kind, motion.path, motion.plan.frames, rng)
        target = clip_target(seed)
        path = reach_path(self.world, target, sample_start(seed, low=bool(rng.random() < 0.25)), dt_s=STEP_DT_S, seed=seed)
        if kind == 'expert film':
            path = np.concatenate([path, np.repeat(path[-1:], 3, axis=0)])
            return self._from_film(kind, path, make_motion_clip(self.world, path), rng)
        return self._dreamt(kind, target, path, rng, seed)

    def _from_film(self, kind: str, path: FloatArray, frames: Mapping[str, RgbArray], rng: np.random.Generator) -> Sample:
        """A part of a film, and now and then an arm that is a little on its way already."""
        first = int(rng.integers(0, max(len(path) // 3, 1)))
        plan = plan_of(
            {view: film[first : first + HORIZON + 1] for view, film in frames.items()},
            prompt='repeat the film',
            step_dt_s=STEP_DT_S,
            model='recorded',
            seed=0,
        )
        sample = Sample(kind=kind, plan=plan, real={view: film[0] for view, film in plan.frames.items()}, position=path[first])
        return self._later(sample, path[first:], float(rng.uniform(0.0, LATEST_S))) if rng.random() < 0.5 else sample

    def _dreamt(self, kind: str, target: str, path: FloatArray, rng: np.random.Generator, seed: int) -> Sample:
        assert self._planner is not None, 'dreams need a planner'
        moving = kind != 'dream from rest'
        if kind == 'dream near the goal':
            path = np.concatenate([path, np.repeat(path[-1:], 3, axis=0)])
            at = int(rng.integers(len(path) * 2 // 3, len(path)))
        else:
            at = int(rng.integers(2, max(len(path) * 2 // 3, 3))) if moving else 0
        if kind == 'dream in mid motion' and rng.random() < 0.3:  # a change of mind
            target = f'{list(COLOURS)[int(rng.integers(len(COLOURS)))]}_cube'
        past = path[at - 2 : at + 1] if moving else path[:1]
        pictures = make_motion_clip(self.world, past)
        context = {
            view: tuple(Frame(view=view, stamp_ns=round((index + 1) * STEP_DT_S * 1e9), rgb=rgb) for index, rgb in enumerate(film))
            for view, film in pictures.items()
        }
        wording = TRAIN_WORDINGS[int(rng.integers(len(TRAIN_WORDINGS)))]
        prompt = wording.format(target.removesuffix('_cube'))
        plan = self._planner.plan(PlanRequest(task_id=1, plan_id=1, prompt=prompt, context=context, step_dt_s=STEP_DT_S, seed=seed))
        plan = replace(plan, stamp_ns=0)
        real = {view: film[-1] for view, film in pictures.items()}
        may_rest = self._way_px(path[at], path[-1]) < MAY_REST_PX
        sample = Sample(kind=kind, plan=plan, real=real, position=path[at], may_rest=may_rest)
        return self._later(sample, path[at:], float(rng.uniform(0.2, LATEST_S))) if moving else sample

    def _later(self, sample: Sample, path: FloatArray, age_s: float) -> Sample:
        """The same with real pictures from `age_s` later, from an arm on the film's path."""
        place = np.arange(len(path)) * STEP_DT_S
        position = np.array([np.interp(age_s, place, joint) for joint in path.T])
        real = {view: film[0] for view, film in make_motion_clip(self.world, position[None]).items()}
        return replace(sample, real=real, position=position, age_s=age_s)

    def _way_px(self, start: FloatArray, goal: FloatArray) -> float:
        """How far the fingertip has to go in the view that shows most of it, px."""
        places = []
        for position in (start, goal):
            self.world.set_joints(position)
            size = self.world.robot.working_size[0]
            places.append(np.stack([self.world.project(view, self.world.fingertip, size)[0] for view in self.world.robot.view_names]))
        return float(np.linalg.norm(places[1] - places[0], axis=1).max())

    def close(self) -> None:
        """Free the rendering contexts."""
        self.world.close()
