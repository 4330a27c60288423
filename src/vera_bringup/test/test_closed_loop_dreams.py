# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A sentence carried out closed loop on simulated time: dreamt with the shipped weights; and a planner whose dreams no robot can follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vera_bringup.closed_loop_dreams import DreamRun, DreamSettings
from vera_bringup.task_run import Episode
from vera_control.task import TaskCode
from vera_core.embodiment import load_embodiment
from vera_core.types import VideoPlan
from vera_jidm.direct.protocol import StepQuery
from vera_jidm.executability import PlanCheck, load_calibration
from vera_jidm.jacobian.learned import LearnedField
from vera_planner.backends.embedded import EmbeddedPlanner
from vera_planner.planner import PlanRequest
from vera_sim.simulation import Simulation

pytestmark = [pytest.mark.sim, pytest.mark.slow, pytest.mark.timeout(300)]
ROBOT = load_embodiment('panda')
EPISODE = Episode(seed=910_001, target='red_cube', prompt='touch the red cube', held_out=False)


class Noise:
    """Dreams what nobody can follow."""

    name, step_dt_s = 'noise', 0.3

    def plan(self, request: PlanRequest) -> VideoPlan:
        rng = np.random.default_rng(request.seed)
        now = {view: frames[-1].rgb for view, frames in request.context.items()}
        films = {view: rng.integers(0, 255, (21, *rgb.shape), dtype=np.uint8) for view, rgb in now.items()}
        for view, film in films.items():
            film[0] = now[view]
        return VideoPlan(
            plan_id=request.plan_id, task_id=request.task_id, prompt=request.prompt, stamp_ns=request.stamp_ns, step_dt_s=0.3, frames=films
        )


@pytest.fixture(scope='module')
def parts():
    field = LearnedField(ROBOT)
    simulation = Simulation(ROBOT, seed=EPISODE.seed, goal=EPISODE.goal, now_s=0.0)
    yield simulation, field, PlanCheck(ROBOT, field, load_calibration())
    simulation.world.close()


def test_a_sentence_moves_the_arm_to_the_cube_it_names(parts) -> None:
    simulation, field, check = parts
    simulation.reset(seed=EPISODE.seed, goal=EPISODE.goal, now_s=0.0)
    carried = DreamRun(simulation, field, EmbeddedPlanner(ROBOT), check, DreamSettings(), seed=0).do(EPISODE, 30.0)
    assert carried.success, carried.check
    assert carried.followed.outcome.code is TaskCode.SUCCEEDED
    assert carried.followed.violations == 0
    assert carried.dreams >= 3
    assert carried.duty > 0.5


def test_dreams_that_no_robot_can_follow_do_not_move_the_arm(parts) -> None:
    simulation, field, check = parts
    simulation.reset(seed=EPISODE.seed, goal=EPISODE.goal, now_s=0.0)
    before = simulation.world.joint_position
    carried = DreamRun(simulation, field, Noise(), check, replace(DreamSettings(), dream_s=0.2), seed=0).do(EPISODE, 30.0)
    assert not carried.success
    assert carried.followed.outcome.code is TaskCode.PLANNER_FAILED
    assert '6 plans in a row cannot be carried out by this robot' in carried.followed.outcome.text
    assert len(carried.refused) == carried.dreams == 6
    np.testing.assert_allclose(carried.followed.position[-1], before, atol=5e-3)


class Still:
    """A direct model that holds every step to be none."""

    asked = 0

    def predict(self, query: StepQuery) -> np.ndarray:
        self.asked += 1
        assert set(query.before) == set(query.after) == set(ROBOT.view_names)
        return np.zeros(len(ROBOT.joints))


def test_a_direct_model_takes_the_place_of_the_field(parts) -> None:
    simulation, field, check = parts
    simulation.reset(seed=EPISODE.seed, goal=EPISODE.goal, now_s=0.0)
    before, direct = simulation.world.joint_position, Still()
    carried = DreamRun(simulation, field, EmbeddedPlanner(ROBOT), check, DreamSettings(), seed=0, direct=direct).do(EPISODE, 3.0)
    assert direct.asked == len(carried.followed.estimates) > 10
    assert not any(estimate.delta_q.any() for estimate in carried.followed.estimates)
    np.testing.assert_allclose(carried.followed.position[-1], before, atol=5e-3)
