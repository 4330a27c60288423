# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Gates of the shipped weights of the gripper, on an expert video that no training saw; the simulator renders it here."""

from __future__ import annotations

import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.errors import PlanningError
from vera_core.goals import Goal
from vera_core.types import Frame
from vera_planner.backends.embedded import EmbeddedPlanner
from vera_planner.planner import PlanRequest

pytestmark = [pytest.mark.sim, pytest.mark.slow]
DT = 0.3


def film(robot: str, seed: int, goal: Goal):
    from vera_sim.clips import make_clip
    from vera_sim.world import World

    world = World(load_embodiment(robot))
    made = make_clip(world, seed, goal=goal, with_masks=False)
    world.close()
    return made


def request(clip, prompt: str, *, now: int, task_id: int) -> PlanRequest:
    context = {
        view: tuple(Frame(view=view, stamp_ns=round(i * DT * 1e9), rgb=frames[i]) for i in range(max(0, now - 2), now + 1))
        for view, frames in clip.frames.items()
    }
    return PlanRequest(task_id=task_id, plan_id=1, prompt=prompt, context=context, step_dt_s=DT)


@pytest.fixture(scope='module')
def gripper() -> EmbeddedPlanner:
    return EmbeddedPlanner(load_embodiment('panda_gripper'))


@pytest.fixture(scope='module')
def pick():
    """A pick whose cube no training saw lifted."""
    return film('panda_gripper', 930_000, Goal(task='pick', target='blue_cube'))


def seen_marks(planner: EmbeddedPlanner, pictures: dict) -> np.ndarray:
    """Pixels of both fingers' ends in a picture of every view, (V, 2, 2)."""
    from vera_planner.mover import _to_tensor

    model, plates = planner.model, planner._mover._plates
    tensors = {view: _to_tensor(rgb[None]) for view, rgb in pictures.items()}
    assert model.marks is not None
    return model.marks(tensors, plates, model.layer.encode(tensors, plates))[0].numpy()


def test_fingers_are_read_from_a_picture(gripper: EmbeddedPlanner, pick) -> None:
    for now in (0, len(pick.joints) // 2, len(pick.joints) - 1):
        found = seen_marks(gripper, {view: frames[now] for view, frames in pick.frames.items()})
        true = np.stack([pick.marks_uv[view][now] for view in pick.frames])
        assert np.median(np.linalg.norm(found - true, axis=2)) < 1.0


def test_the_open_hand_is_dreamt_to_the_cube_named_and_the_closed_one_up(gripper: EmbeddedPlanner, pick) -> None:
    gap = np.linalg.norm(pick.marks_uv['front'][:, 0] - pick.marks_uv['front'][:, 1], axis=1)
    closed = len(gap) - 1 - int(np.argmax(gap[::-1] > gap.min() + 0.5)) + 1  # the first frame in which it holds the cube for good
    descent = closed - 12
    plan = gripper.plan(request(pick, 'get hold of the blue block and raise it', now=descent, task_id=1))
    down = seen_marks(gripper, {view: frames[10] for view, frames in plan.frames.items()}).mean(axis=1)
    cube = np.stack([pick.moved_uv[view][0][2] for view in pick.frames])
    assert np.linalg.norm(down - cube, axis=1).mean() < 5.0
    for now in (0, descent, closed):  # the planner sees what the task saw: the cube before the hand covers it
        plan = gripper.plan(request(pick, 'get hold of the blue block and raise it', now=now, task_id=2))
    first, last = (seen_marks(gripper, {view: frames[k] for view, frames in plan.frames.items()}) for k in (0, 20))
    true = np.stack([pick.marks_uv[view][-1] for view in pick.frames]) - np.stack([pick.marks_uv[view][closed] for view in pick.frames])
    moved, wanted = (last - first).mean(axis=1), true.mean(axis=1)
    assert (moved[:, 1] < 0.5 * wanted[:, 1]).all() and (wanted[:, 1] < -4).all()  # up, by more than half of what the expert does


@pytest.mark.parametrize('prompt', ['touch the red cube', 'push the red cube to the left', 'turn the cube clockwise'])
def test_what_the_gripper_has_not_learned_is_refused_in_words(gripper: EmbeddedPlanner, pick, prompt: str) -> None:
    with pytest.raises(PlanningError, match=r'of panda_gripper has learned:? pick(,| and) stack'):
        gripper.plan(request(pick, prompt, now=0, task_id=3))


@pytest.fixture(scope='module')
def hand() -> EmbeddedPlanner:
    return EmbeddedPlanner(load_embodiment('allegro'))


@pytest.mark.parametrize('direction', ['clockwise', 'counter-clockwise'])
def test_the_finger_that_turns_the_cube_is_dreamt_and_the_rest_of_the_hand_stays(hand: EmbeddedPlanner, direction: str) -> None:
    shown = film('allegro', 930_001, Goal(task='rotate', target='cube', direction=direction))
    plan = hand.plan(request(shown, f'swivel the cube {direction}', now=0, task_id=4 if direction == 'clockwise' else 5))
    for view, frames in shown.frames.items():
        now, true, dreamt = (picture.astype(float).mean(axis=2) for picture in (frames[0], frames[20], plan.frames[view][20]))
        moves = np.abs(true - now) > 25
        assert np.abs(dreamt - true)[moves].mean() < 0.6 * np.abs(now - true)[moves].mean()
        assert np.median(np.abs(dreamt - now)[~moves]) < 1.0


def test_a_hand_does_not_pick(hand: EmbeddedPlanner) -> None:
    shown = film('allegro', 930_001, Goal(task='rotate', target='cube', direction='clockwise'))
    with pytest.raises(PlanningError, match='of allegro has learned'):
        hand.plan(request(shown, 'pick up the red cube', now=0, task_id=6))
