# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The objective on a field that is known: every cell of every picture moves alike, J = 10 px/rad times the joint's own direction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vera_core.errors import ConfigError
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.training.batches import cycle, pair_batch
from vera_jidm.training.dataset import Moments, Pairs, Waypoints
from vera_jidm.training.loss_weights import ESTIMATED_LABELS, EXACT_LABELS, LossSettings, LossWeights, parse_weights
from vera_jidm.training.objective import Data, FieldObjective

STARTS, STEPS, VIEWS, JOINTS, CELLS = 12, 2, 2, 2, 8
CONFIG = FieldConfig(robot='plane', joint_names=('a', 'b'), view_names=('u', 'v'), working_size=(32, 32))
FIELD = torch.tensor([[10.0, 0.0], [0.0, 20.0]])
"""Image motion (u, v) of both joints, px/rad."""
NO_TERMS = LossWeights(**{term.name: 0.0 for term in dataclasses.fields(LossWeights)})


def _loss(objective: FieldObjective, factor: float, share: float = 1.0) -> float:
    return float(objective.training_loss(Uniform(factor), share=share).detach())


class Uniform(nn.Module):
    """Answers with FIELD times a factor in every cell; trusts every cell alike."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, picture: Tensor, position: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        assert len(picture) == len(position) == len(view)
        field = (self.factor * FIELD)[None, :, :, None, None].expand(len(picture), JOINTS, 2, CELLS, CELLS)
        return field, torch.full((len(picture), CELLS, CELLS), 20.0) * self.factor


def _data(*, exact: bool) -> Data:
    rng = np.random.default_rng(0)
    delta_q = rng.normal(size=(STARTS * STEPS, JOINTS)) * 0.1
    motion = (delta_q @ FIELD.numpy())[:, None, :, None, None]
    pictures = np.zeros((STARTS, VIEWS, 32, 32, 3), np.uint8)
    position = np.zeros((STARTS, JOINTS))
    first = delta_q[::STEPS]
    pairs = Pairs(
        pictures=pictures,
        position=position,
        delta_q=delta_q,
        flow=np.broadcast_to(motion, (STARTS * STEPS, VIEWS, 2, CELLS, CELLS)).astype(np.float32),
        trust=np.ones((STARTS * STEPS, VIEWS, CELLS, CELLS), np.float32),
        waypoints=Waypoints(pictures=np.stack([pictures, pictures], axis=1), position=np.stack([0.4 * first, first], axis=1)),
    )
    field = FIELD.numpy()[None, None, :, :, None, None]
    moments = Moments(
        pictures=pictures,
        position=position,
        jacobian=np.broadcast_to(field, (STARTS, VIEWS, JOINTS, 2, CELLS, CELLS)).astype(np.float16),
        coverage=np.ones((STARTS, VIEWS, CELLS, CELLS), np.float16),
    )
    return Data(moments=moments if exact else None, pairs=pairs)


def _objective(weights: LossWeights, *, exact: bool = False, batch: int = STARTS * VIEWS, **settings: float) -> FieldObjective:
    data = _data(exact=exact)
    losses = LossSettings(weights=weights, **settings)  # type: ignore[arg-type]
    return FieldObjective(CONFIG, data, data, settings=losses, batch=batch, rng=np.random.default_rng(0))


NORMALISED = ('field', 'flow', 'action', 'cycle', 'there_and_back', 'halves')


@pytest.mark.parametrize('term', NORMALISED)
@pytest.mark.parametrize('charbonnier_px', [0.0, 0.5])
def test_term_is_one_for_the_zero_field_and_nearly_nothing_for_the_true_one(term: str, charbonnier_px: float) -> None:
    objective = _objective(NO_TERMS.changed({term: 1.0}), exact=term == 'field', charbonnier_px=charbonnier_px, ridge=1e-3)
    # The batch is the whole data, so that its energy is that of the data.
    zero = _loss(objective, 0.0, 1.0)
    true = _loss(objective, 1.0, 1.0)
    # Cells that leave the picture on the way are not counted by the two terms that follow motion.
    assert zero == pytest.approx(1.0, abs=0.35 if term in ('there_and_back', 'halves') else 1e-4)
    assert true < 1e-3
    if term != 'cycle' and charbonnier_px == 0:
        half = _loss(objective, 0.5, 1.0)
        assert half == pytest.approx(1.0 if term == 'action' else 0.25, abs=0.1)


@pytest.mark.parametrize('term', [term.name for term in dataclasses.fields(LossWeights)])
def test_every_term_is_switched_by_its_weight(term: str) -> None:
    exact = term in ('field', 'inverse')
    once = _loss(_objective(NO_TERMS.changed({term: 1.0}), exact=exact), 0.3, 1.0)
    twice = _loss(_objective(NO_TERMS.changed({term: 2.0}), exact=exact), 0.3, 1.0)
    both = NO_TERMS.changed({term: 2.0} if term == 'flow' else {term: 1.0, 'flow': 1.0})
    with_flow = _loss(_objective(both, exact=exact), 0.3, 1.0)
    assert twice == pytest.approx(2 * once)
    assert with_flow == pytest.approx(once + 0.49, abs=1e-3)
    if term != 'smooth':
        assert once > 0


def test_action_comes_in_late_and_rises() -> None:
    objective = _objective(NO_TERMS.changed({'flow': 1.0, 'action': 1.0}), action_from=0.5)
    early, risen, late = (_loss(objective, 0.0, share) for share in (0.5, 0.525, 0.9))
    assert (early, risen, late) == pytest.approx((1.0, 1.5, 2.0), abs=1e-4)


def test_check_scores_the_zero_field_one_and_adds_a_third_of_the_action() -> None:
    for exact, name in ((True, 'field'), (False, 'flow')):
        objective = _objective((EXACT_LABELS if exact else ESTIMATED_LABELS).weights, exact=exact)
        with torch.inference_mode():
            figures = objective.check(Uniform(0.0))
        assert figures == pytest.approx({name: 1.0, 'action': 1.0, 'score': 4 / 3}, abs=1e-4)


def test_trust_of_estimated_labels_learns_from_what_is_not_explained() -> None:
    objective = _objective(NO_TERMS.changed({'trust': 1.0}))
    # Uniform's logit is 20 times its factor: trusting a true field costs nothing; trusting none of it costs -log of the trust.
    assert _loss(objective, 1.0, 0.0) == pytest.approx(0.0, abs=1e-4)
    assert _loss(objective, 0.0, 0.0) > 1.0


def test_description_tells_runs_apart() -> None:
    first, second = _objective(EXACT_LABELS.weights), _objective(EXACT_LABELS.weights.changed({'cycle': 0.1}))
    assert first.describe() != second.describe()
    assert first.describe() == _objective(EXACT_LABELS.weights).describe()


def test_pair_batch_stacks_starts_middles_and_ends() -> None:
    data = _data(exact=False).pairs
    batch = pair_batch(data, np.array([3, 5]), None, waypoints=True)
    assert batch.picture.shape == (3 * 2 * VIEWS, 3, 32, 32)
    assert batch.view.tolist() == [0, 1] * 6
    np.testing.assert_allclose(batch.delta_q[1], data.delta_q[10:12], rtol=1e-6)
    np.testing.assert_allclose(batch.first_half, 0.4 * data.delta_q[[6, 10]], rtol=1e-6)
    np.testing.assert_allclose(batch.position[-1], data.delta_q[10], rtol=1e-6)
    assert batch.flow.shape == (2, STEPS, VIEWS, 2, CELLS, CELLS)


def test_jitter_changes_pictures_a_little_and_keeps_them_pictures() -> None:
    data = _data(exact=False).pairs
    grey = dataclasses.replace(data, pictures=np.full_like(data.pictures, 128))
    picture = pair_batch(grey, np.arange(4), np.random.default_rng(0)).picture
    assert 0 <= float(picture.min()) < float(picture.max()) <= 1
    assert abs(float(picture.mean()) - 128 / 255) < 0.1
    assert 0 < float(picture[0, 0].std()) < 0.025


def test_every_row_comes_once_before_any_comes_again() -> None:
    batches = cycle(6, 2, np.random.default_rng(0))
    assert sorted(np.concatenate([next(batches) for _ in range(3)]).tolist()) == [0, 1, 2, 3, 4, 5]


def test_weights_are_changed_by_name() -> None:
    changed = EXACT_LABELS.changed(parse_weights(['cycle=0.1', ' trust =0'])).weights
    assert (changed.cycle, changed.trust, changed.field) == (0.1, 0.0, 1.0)
    with pytest.raises(ConfigError, match=r"unknown loss 'cicle'; known: action, cycle, field, .*Did you mean 'cycle'\?"):
        EXACT_LABELS.changed({'cicle': 1.0})
    with pytest.raises(ConfigError, match='weight flow is -1'):
        EXACT_LABELS.changed({'flow': -1.0})
    for text in ('cycle', 'cycle=much'):
        with pytest.raises(ConfigError, match=f"--weight '{text}' is not of the form name=value"):
            parse_weights([text])


@pytest.mark.parametrize(
    ('change', 'text'), [({'ridge': 0.0}, 'ridge is 0'), ({'charbonnier_px': -1.0}, 'px is -1'), ({'action_from': 2.0}, 'from is 2')]
)
def test_unusable_settings_are_refused(change: dict[str, float], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        LossSettings(**change)  # type: ignore[arg-type]
