# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Direct networks on a robot whose flow is linear in two joints: scores worked out by hand, learning, going on, refusals."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError, ModelContractError, ShapeError
from vera_core.types import JacobianField
from vera_jidm.direct.batches import FLOW_SCALES, step_batch
from vera_jidm.direct.config import DirectConfig
from vera_jidm.direct.model import METADATA, WEIGHTS, DirectSteps, load_direct, save_direct
from vera_jidm.direct.network import PLANES, StepNetwork, image_planes
from vera_jidm.direct.objective import DirectObjective, step_loss
from vera_jidm.direct.pairs import StepPairs
from vera_jidm.direct.protocol import FieldSteps, JointStepModel
from vera_jidm.direct.recipe import choose_ridge, measure_estimator, train_estimator
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.training.trainer import TrainingOptions, seed_everything, train

SIZE, CELLS, VIEWS = 32, 8, ('near', 'far')
ROBOT = """
name: slider
summary: two joints that shift two halves of every picture
base_frame: base
limit_scale: {velocity: 1.0, acceleration: 1.0, jerk: 1.0}
joints:
  - {name: left, lower: -3.0, upper: 3.0, velocity: 2.0, acceleration: 10.0, jerk: 100.0}
  - {name: right, lower: -3.0, upper: 3.0, velocity: 2.0, acceleration: 10.0, jerk: 100.0}
poses:
  home: [0.0, 0.0]
working_size: [32, 32]
views:
  - {name: near, image_topic: /near, camera_info_topic: /near_info}
  - {name: far, image_topic: /far, camera_info_topic: /far_info}
driver:
  joint_states_topic: /joint_states
  command_topic: /command
"""


@pytest.fixture(scope='module')
def robot(tmp_path_factory: pytest.TempPathFactory) -> Embodiment:
    path = tmp_path_factory.mktemp('robot') / 'slider.yaml'
    path.write_text(ROBOT)
    return load_embodiment(str(path))


def true_field() -> np.ndarray:
    """Joint `left` shifts the left half by 20 px/rad to the right, joint `right` the right half by 20 px/rad down; (V, n, 2, h, w)."""
    field = np.zeros((2, 2, 2, CELLS, CELLS))
    field[:, 0, 0, :, : CELLS // 2] = 20.0
    field[:, 1, 1, :, CELLS // 2 :] = 20.0
    field[1] *= 0.5
    return field


def make_pairs(count: int, seed: int) -> StepPairs:
    """Flow is the field times the step; the second picture is brighter on each half by its joint's step."""
    rng = np.random.default_rng(seed)
    delta_q = rng.normal(size=(count, 2)) * (0.1, 0.05)
    flow = np.einsum('vjchw,pj->pvchw', true_field(), delta_q).astype(np.float16)
    frames = np.full((2 * count, 2, SIZE, SIZE, 3), 128, np.uint8)
    frames[count:, :, :, : SIZE // 2] = (128 + 300 * delta_q[:, 0]).clip(0, 255).astype(np.uint8)[:, None, None, None, None]
    frames[count:, :, :, SIZE // 2 :] = (128 + 300 * delta_q[:, 1]).clip(0, 255).astype(np.uint8)[:, None, None, None, None]
    return StepPairs(
        frames=frames,
        first=np.arange(count),
        second=np.arange(count, 2 * count),
        position=rng.normal(size=(count, 2)),
        delta_q=delta_q,
        exact=flow,
        estimated=np.float16(0.5) * flow,
        trust=np.full((count, 2, CELLS, CELLS), 0.75, np.float16),
    )


def make_config(robot: Embodiment, sees: Any) -> DirectConfig:
    return DirectConfig(sees=sees, backbone=FieldConfig.for_robot(robot, channels=(8, 8, 16, 16), condition=16), hidden=32)


class Ticks:
    """A clock that goes on by a second with every look, so that a test trains for a number of steps, not for a time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


class Zero(torch.nn.Module):
    def forward(self, planes: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(position)


class Answers:
    """Answers with the true step times a factor, found in the table of pairs by position."""

    def __init__(self, pairs: StepPairs, factor: float) -> None:
        self._steps = {position.tobytes(): factor * step for position, step in zip(pairs.position, pairs.delta_q, strict=True)}

    def predict(self, query: Any) -> np.ndarray:
        return self._steps[np.asarray(query.position).tobytes()]


def run_training(
    config: DirectConfig, folder: Path, *, steps: int, kind: Any = 'exact', learning_rate: float = 1e-2, observe: Any = None
) -> tuple[StepNetwork, DirectObjective, Any]:
    training, validation = make_pairs(128, 0), make_pairs(32, 1)
    objective = DirectObjective(config, training, validation, kind=kind, batch=32, rng=seed_everything(0))
    network = StepNetwork(config, torch.from_numpy(training.delta_q.std(axis=0)))
    options = TrainingOptions(minutes=steps / 60, batch=32, check_every_s=steps / 4, learning_rate=learning_rate, patience_checks=0)
    trained, progress = train(network, objective, folder, options, observe=observe, clock=Ticks())
    return trained, objective, progress


@pytest.mark.parametrize('sees', ['flow', 'images'])
def test_network_that_always_answers_zero_scores_one(robot: Embodiment, sees: str) -> None:
    pairs = make_pairs(64, 0)
    objective = DirectObjective(make_config(robot, sees), pairs, pairs, kind='exact', batch=128, rng=np.random.default_rng(0), turned=False)
    assert objective.check(Zero())['score'] == pytest.approx(1.0)
    # One batch holds all 64 pairs of two views, so its loss is the mean over the data.
    assert float(objective.training_loss(Zero(), 0.0)) == pytest.approx(1.0)


def test_turned_flow_keeps_the_zero_answer_at_one() -> None:
    low, high = FLOW_SCALES
    # The mean square of a uniform number is (b^3 - a^3) / (3 (b - a)).
    assert (high**3 - low**3) / (3 * (high - low)) == pytest.approx(1.0, abs=1e-3)


def test_loss_is_the_mean_square_over_the_energy() -> None:
    predicted, measured = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    # Squares 1 and 4, mean 2.5, over energy 5.
    assert float(step_loss(predicted, measured, torch.tensor(5.0))) == pytest.approx(0.5)


def test_turned_pictures_swap_moments_and_step() -> None:
    pairs = make_pairs(64, 0)
    rows = np.arange(64)
    batch = step_batch(pairs, rows, sees='images', kind='exact', rng=np.random.default_rng(0), turned=True)
    back = np.sign(batch.delta_q.numpy()[:, 0]) != np.sign(pairs.delta_q[:, 0])
    assert 16 < back.sum() < 48
    start = pairs.position + back[:, None] * pairs.delta_q
    np.testing.assert_allclose(batch.position.numpy(), start, atol=0.06)
    # A brighter left half afterwards means a positive first joint, whichever way round the pair is shown.
    brighter = (batch.planes[:, 0, 3:, :, :16] - 0.5).mean(dim=(1, 2, 3)).numpy()
    clear = np.abs(pairs.delta_q[:, 0]) > 0.05
    assert (np.sign(brighter) == np.sign(batch.delta_q.numpy()[:, 0]))[clear].all()


def test_second_picture_enters_as_change() -> None:
    before, after = torch.full((1, 1, 3, 4, 4), 0.25), torch.full((1, 1, 3, 4, 4), 0.75)
    planes = image_planes(before, after)
    # (.75 - .25 + 1) / 2
    assert (planes[:, :, :3] == 0.25).all() and (planes[:, :, 3:] == 0.75).all()
    assert (image_planes(after, before)[:, :, 3:] == 0.25).all()


def test_turned_flow_scales_with_its_step() -> None:
    pairs = make_pairs(16, 0)
    batch = step_batch(pairs, np.arange(16), sees='flow', kind='estimated', rng=np.random.default_rng(0), turned=True)
    plain = step_batch(pairs, np.arange(16), sees='flow', kind='estimated', rng=None, turned=True)
    scale = (batch.delta_q[:, 0] / plain.delta_q[:, 0])[:, None, None, None, None]
    assert (scale < 0).any() and (scale > 0).any()
    # Planes 3 and 4 hold flow / 2 px, moved from -1..1 to 0..1; plane 5 holds the trust.
    torch.testing.assert_close(2 * batch.planes[:, :, 3:5] - 1, scale * (2 * plain.planes[:, :, 3:5] - 1), atol=1e-5, rtol=1e-4)
    assert (plain.planes[:, :, 5] == 0.75).all()


@pytest.mark.parametrize(('sees', 'kind'), [('flow', 'exact'), ('flow', 'estimated'), ('images', 'exact')])
def test_direct_network_learns_a_linear_robot(robot: Embodiment, tmp_path: Path, sees: str, kind: str) -> None:
    network, objective, progress = run_training(make_config(robot, sees), tmp_path, steps=120, kind=kind)
    assert objective.check(network)['score'] < 0.15
    assert objective.check(network)['score'] == pytest.approx(progress.best_score)
    unseen = make_pairs(24, 2)
    measured = measure_estimator('direct', DirectSteps(network), unseen, kind, VIEWS)
    assert measured.normalised_error < 0.2
    assert measured.cosine > 0.9
    assert measured.field == 'direct' and measured.flow == kind


def test_training_goes_on_where_it_was_stopped(robot: Embodiment, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(progress: Any, share: float, figures: dict[str, float]) -> None:
        if 'score' in figures:
            raise Stop

    config = make_config(robot, 'flow')
    with pytest.raises(Stop):
        run_training(config, tmp_path, steps=40, observe=stop)
    seen: list[int] = []
    run_training(config, tmp_path, steps=40, observe=lambda progress, share, figures: seen.append(progress.step))
    assert seen[0] > 8
    with pytest.raises(ConfigError, match='belongs to another run: flow differ'):
        run_training(config, tmp_path, steps=40, kind='estimated')


def test_known_answers_score_as_worked_out_by_hand(robot: Embodiment) -> None:
    pairs = make_pairs(24, 0)
    half = measure_estimator('half', Answers(pairs, 0.5), pairs, 'exact', VIEWS)
    assert half.cosine == pytest.approx(1.0)
    assert half.relative_error == pytest.approx(0.5)
    assert half.normalised_error == pytest.approx(0.25)
    assert half.r2_joints == pytest.approx((0.75, 0.75))
    zero = measure_estimator('zero', Answers(pairs, 0.0), pairs, 'exact', VIEWS)
    assert zero.cosine == 0
    assert zero.normalised_error == 1


class Field:
    """The true field times a factor."""

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor

    def predict(self, frames: Any, position: Any) -> dict[str, JacobianField]:
        return {
            view: JacobianField(
                view=view, jacobian=self._factor * field.transpose(2, 3, 1, 0), confidence=np.ones((CELLS, CELLS)), stride=4
            )
            for view, field in zip(VIEWS, true_field(), strict=True)
        }


def test_ridge_is_the_one_that_does_best_on_validation_pairs() -> None:
    pairs = make_pairs(16, 0)
    # Flow of a tenth is below the length from which errors count linearly.
    small = dataclasses.replace(pairs, delta_q=pairs.delta_q / 10, exact=pairs.exact / np.float16(10))
    assert choose_ridge(Field(), small, 'exact', VIEWS) == 30.0
    # A field .7 times as strong answers f e / (f² e + ridge) = 1 times the step with e = 16000 at ridge = (.7 - .49) 16000 = 3360.
    assert choose_ridge(Field(0.7), small, 'exact', VIEWS) == 3000.0


def test_field_with_its_inverse_answers_the_same_questions() -> None:
    model = FieldSteps(Field())
    assert isinstance(model, JointStepModel) and isinstance(Answers(make_pairs(1, 0), 1.0), JointStepModel)
    exact = measure_estimator('field', model, make_pairs(16, 3), 'exact', VIEWS)
    # Each joint has 32 cells x (20² + 10²) = 16000 px²/rad² against the ridge's 100: gain .994.
    assert exact.relative_error == pytest.approx(1 - 16000 / 16100, abs=2e-3)
    # Estimated flow is half the exact one here, and so is the step.
    assert measure_estimator('field', model, make_pairs(16, 3), 'estimated', VIEWS).relative_error == pytest.approx(0.503, abs=2e-3)


@pytest.mark.parametrize('method', ['field', 'direct_flow', 'direct_images'])
def test_every_method_trains_on_the_same_pairs(robot: Embodiment, tmp_path: Path, method: Any) -> None:
    options = TrainingOptions(minutes=12 / 60, check_every_s=6, learning_rate=1e-3)
    model, progress = train_estimator(
        method, robot, make_pairs(32, 0), make_pairs(8, 1), tmp_path, options, labels='estimated', clock=Ticks()
    )
    assert progress.step >= 8 and np.isfinite(progress.best_score)
    assert np.isfinite(measure_estimator(method, model, make_pairs(4, 2), 'estimated', VIEWS).normalised_error)


def test_sets_of_different_robots_are_refused(robot: Embodiment) -> None:
    pairs = make_pairs(8, 0)
    other = dataclasses.replace(pairs, position=np.zeros((8, 3)))
    with pytest.raises(ShapeError, match='2 joints, validation pairs .* 3'):
        DirectObjective(make_config(robot, 'flow'), pairs, other, kind='exact', batch=8, rng=np.random.default_rng(0))


def test_questions_that_do_not_fit_are_refused(robot: Embodiment) -> None:
    pairs = make_pairs(2, 0)
    query = pairs.query(0, 'exact', VIEWS)
    models = {sees: DirectSteps(StepNetwork(make_config(robot, sees), torch.ones(2))) for sees in ('flow', 'images')}
    assert models['flow'].predict(query).shape == (2,)
    one_view = dataclasses.replace(query.flow, flow={'near': query.flow.flow['near']}, confidence={'near': query.flow.confidence['near']})
    small = {view: np.zeros((16, 16, 3), np.uint8) for view in VIEWS}
    fine = dataclasses.replace(
        query.flow, flow={view: np.zeros((64, 64, 2)) for view in VIEWS}, confidence={view: np.zeros((64, 64)) for view in VIEWS}
    )
    for sees, change, text in (
        ('flow', {'position': np.zeros(3)}, 'trained for 2 joints'),
        ('flow', {'position': np.array([0.0, np.nan])}, 'not finite'),
        ('flow', {'before': {'near': query.before['near']}}, "needs view 'far' but before has"),
        ('images', {'after': small}, 'picture of view near in after'),
        ('images', {'before': small}, 'in before is uint8'),
        ('flow', {'flow': one_view}, "needs view 'far' but the flow has"),
        ('flow', {'flow': fine}, 'flow of near has shape'),
    ):
        with pytest.raises(ShapeError, match=text):
            models[sees].predict(dataclasses.replace(query, **change))
    with pytest.raises(ShapeError, match='step_std'):
        StepNetwork(make_config(robot, 'flow'), torch.ones(3))
    with pytest.raises(ModelContractError, match="cannot see 'sound'"):
        make_config(robot, 'sound')


def test_written_network_gives_the_same_answers_and_damage_is_named(robot: Embodiment, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = StepNetwork(make_config(robot, 'flow'), torch.tensor([0.1, 0.2]))
    save_direct(tmp_path, network, {'pairs': 128})
    query = make_pairs(1, 0).query(0, 'exact', VIEWS)
    np.testing.assert_array_equal(load_direct(tmp_path, robot).predict(query), DirectSteps(network).predict(query))
    with pytest.raises(ModelContractError, match='trained for robot slider but the robot has panda'):
        load_direct(tmp_path, load_embodiment('panda'))
    with pytest.raises(ModelContractError, match='no direct network can be read from'):
        load_direct(tmp_path / 'nowhere', robot)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:100])
    with pytest.raises(ModelContractError, match='cut short or damaged'):
        load_direct(tmp_path, robot)
    (tmp_path / METADATA).write_text('{"network": {"format": 7}}')
    with pytest.raises(ModelContractError, match='not the metadata of a direct network'):
        load_direct(tmp_path, robot)


def test_network_looks_at_every_plane(robot: Embodiment) -> None:
    torch.manual_seed(0)
    network = StepNetwork(make_config(robot, 'flow'), torch.ones(2))
    planes = torch.rand(1, 2, PLANES, SIZE, SIZE, requires_grad=True)
    network(planes, torch.zeros(1, 2)).sum().backward()
    assert planes.grad is not None
    assert (planes.grad.abs().amax(dim=(3, 4)) > 0).all()
