# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The weights in the package against the simulator's exact field, on scenes and poses no recording holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.imaging import to_working_size
from vera_core.types import FlowField, JacobianField
from vera_jidm.flow.dis import DisFlow
from vera_jidm.jacobian.learned import LearnedField
from vera_jidm.jacobian.weights import GRAPH, METADATA, WEIGHTS, read_metadata, shipped_folder
from vera_jidm.solve.joint_step import solve_joint_step
from vera_sim.expert import sample_start
from vera_sim.oracle import image_flow, image_jacobian
from vera_sim.scene import sample_scene
from vera_sim.world import World

pytestmark = pytest.mark.sim
POSES = 24


@dataclass(frozen=True, eq=False)
class Moment:
    position: np.ndarray
    delta_q: np.ndarray
    frames: dict[str, np.ndarray]
    later: dict[str, np.ndarray]
    exact: dict[str, JacobianField]
    flow: dict[str, np.ndarray]


@pytest.fixture(scope='module')
def panda() -> Embodiment:
    return load_embodiment('panda')


@pytest.fixture(scope='module')
def moments(panda: Embodiment) -> Iterator[list[Moment]]:
    """Starts of the task, some of them moved away from it, in scenes of their own."""
    world, rng, found = World(panda), np.random.default_rng(77), []
    for number in range(POSES):
        world.set_scene(sample_scene(panda, 900_000 + number))
        q = sample_start(900_000 + number) + rng.normal(0, 0.15, 7) * (number % 2)
        step = rng.normal(0, [0.03, 0.03, 0.03, 0.03, 0.06, 0.05, 0.08])
        exact = {view: image_jacobian(world, view, q) for view in panda.view_names}
        flow = {view: image_flow(world, view, q, q + step) for view in panda.view_names}
        pictures = []
        for position in (q, q + step):
            world.set_joints(position)
            pictures.append({view: to_working_size(world.render(view), panda.working_size) for view in panda.view_names})
        found.append(Moment(q, step, *pictures, exact, flow))
    yield found
    world.close()


@pytest.fixture(scope='module')
def field(panda: Embodiment) -> LearnedField:
    return LearnedField(panda)


def _normalised_loss(moments: list[Moment], predicted: list[dict[str, np.ndarray]]) -> float:
    """sum_j w_j |J_j - J*_j|^2 / sum_j w_j |J*_j|^2 with w_j = E_j^-1/2: 1.0 for the zero field."""
    error, energy = np.zeros(7), np.zeros(7)
    for moment, fields in zip(moments, predicted, strict=True):
        for view, exact in moment.exact.items():
            error += np.square(fields[view] - exact.jacobian).sum(axis=(0, 1, 2))
            energy += np.square(exact.jacobian).sum(axis=(0, 1, 2))
    return float((energy**-0.5 * error).sum() / (energy**0.5).sum())


def _predict(field: LearnedField, moment: Moment, frames: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {view: answer.jacobian for view, answer in field.predict(frames, moment.position).items()}


def test_shipped_field_is_far_better_than_the_zero_field(field: LearnedField, moments: list[Moment]) -> None:
    zero = _normalised_loss(moments, [{view: np.zeros_like(exact.jacobian) for view, exact in moment.exact.items()} for moment in moments])
    learned = _normalised_loss(moments, [_predict(field, moment, moment.frames) for moment in moments])
    assert zero == pytest.approx(1.0)
    assert learned < 0.25 * zero


def test_shipped_field_looks_at_the_picture(field: LearnedField, moments: list[Moment]) -> None:
    right = _normalised_loss(moments, [_predict(field, moment, moment.frames) for moment in moments])
    others = moments[1:] + moments[:1]
    wrong = _normalised_loss(moments, [_predict(field, moment, other.frames) for moment, other in zip(moments, others, strict=True)])
    assert wrong > 3 * right


def test_shipped_field_has_the_size_of_the_truth_on_the_robot(field: LearnedField, moments: list[Moment]) -> None:
    truth, learned = [], []
    for moment in moments:
        fields = _predict(field, moment, moment.frames)
        for view, exact in moment.exact.items():
            robot = exact.confidence > 0.9
            truth.append(np.abs(exact.jacobian[robot]).mean())
            learned.append(np.abs(fields[view][robot]).mean())
    assert np.mean(learned) == pytest.approx(np.mean(truth), rel=0.1)


def test_shipped_trust_tells_robot_from_background(field: LearnedField, moments: list[Moment]) -> None:
    on, off = [], []
    for moment in moments:
        for view, answer in field.predict(moment.frames, moment.position).items():
            on.append(answer.confidence[moment.exact[view].confidence > 0.9].mean())
            off.append(answer.confidence[moment.exact[view].confidence == 0].mean())
    assert np.mean(on) > 0.5
    assert np.mean(off) < 0.2


@pytest.mark.parametrize(('kind', 'least'), [('exact', 0.9), ('estimated', 0.8)])
def test_joint_motion_comes_back_through_the_shipped_field(field: LearnedField, moments: list[Moment], kind: str, least: float) -> None:
    estimator, cosines = DisFlow(), []
    for moment in moments:
        flow = {view: (moment.flow[view], np.ones((128, 128), np.float32)) for view in moment.frames}
        if kind == 'estimated':
            flow = {view: estimator.estimate(moment.frames[view], moment.later[view]) for view in moment.frames}
        wanted = FlowField(
            stamp_ns=0,
            plan_id=0,
            task_id=0,
            step=1,
            dt_s=0.3,
            flow={view: motion for view, (motion, _) in flow.items()},
            confidence={view: trust for view, (_, trust) in flow.items()},
            remaining_px=0.0,
            at_plan_end=False,
        )
        found = solve_joint_step(field.predict(moment.frames, moment.position), wanted).delta_q
        cosines.append(found @ moment.delta_q / np.linalg.norm(found) / np.linalg.norm(moment.delta_q))
    assert np.mean(cosines) >= least


def test_shipped_weights_are_small_and_say_how_they_were_made(panda: Embodiment) -> None:
    folder = shipped_folder('panda')
    assert sum((folder / name).stat().st_size for name in (WEIGHTS, METADATA, GRAPH)) < 10_000_000
    metadata = read_metadata(folder)
    assert metadata['command'].startswith('vera train idm --robot panda')
    assert isinstance(metadata['seed'], int)
    assert metadata['figures']['accuracy']['all']['normalised_loss'] < 0.25
    assert not set(metadata['recordings']['held_out']) & {*metadata['recordings']['train'], *metadata['recordings']['validation']}


def test_the_shipped_field_of_the_allegro_hand_is_near_the_exact_one() -> None:
    hand = load_embodiment('allegro')
    world, rng, field = World(hand), np.random.default_rng(3), LearnedField(hand)
    error = energy = 0.0
    for number in range(6):
        world.set_scene(sample_scene(hand, 900_000 + number))
        low, high = hand.limits('lower'), hand.limits('upper')
        q = np.clip(hand.home + rng.normal(0, 0.15, len(hand.joints)), low, high)
        exact = {view: image_jacobian(world, view, q) for view in hand.view_names}
        world.set_joints(q)
        frames = {view: to_working_size(world.render(view), hand.working_size) for view in hand.view_names}
        for view, answer in field.predict(frames, q).items():
            error += float(np.square(answer.jacobian - exact[view].jacobian).sum())
            energy += float(np.square(exact[view].jacobian).sum())
    world.close()
    assert error < 0.1 * energy


def test_all_shipped_fields_together_are_small_and_hold_no_path_of_the_machine_they_were_made_on() -> None:
    folders = [shipped_folder(name) for name in ('panda', 'allegro')]
    assert sum(file.stat().st_size for folder in folders for file in folder.iterdir()) < 20_000_000
    for folder in folders:
        assert read_metadata(folder)['command'].startswith(f'vera train idm --robot {folder.name}')
        assert ' /' not in read_metadata(folder)['command']
