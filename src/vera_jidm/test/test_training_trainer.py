# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The trainer on a problem small enough to know the answer: one weight that should become 3."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vera_core.errors import ConfigError
from vera_jidm.training import precision
from vera_jidm.training.averaging import AveragedNetwork, average_decay
from vera_jidm.training.checkpoint import Progress
from vera_jidm.training.precision import InPrecision, available_precision, to_precision
from vera_jidm.training.trainer import TrainingOptions, seed_everything, train


class OneWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


class Three:
    """weight x should be 3 x, seen through noise; the checks can be told to get worse from some check on."""

    pictures_per_step = 4

    def __init__(self, seed: int = 0, best_check: int = 10**9) -> None:
        self.rng, self.shares, self.checked, self._best = seed_everything(seed), [], 0, best_check  # type: ignore[var-annotated]

    def describe(self) -> Mapping[str, Any]:
        return {'target': 3}

    def training_loss(self, network: nn.Module, share: float) -> Tensor:
        self.shares.append(share)
        x = torch.from_numpy(self.rng.normal(size=4).astype(np.float32))
        return (network(x) - 3 * x - 0.5 * torch.from_numpy(self.rng.normal(size=4).astype(np.float32))).square().mean()

    def check(self, network: nn.Module) -> dict[str, float]:
        self.checked += 1
        error = abs(float(network(torch.ones(1))) - 3)
        return {'error': error, 'score': float(self.checked) if self.checked >= self._best else -float(self.checked)}


class Ticks:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def _options(steps: int, **changes: Any) -> TrainingOptions:
    return TrainingOptions(**{'minutes': steps / 60, 'check_every_s': steps / 8, 'learning_rate': 0.1, 'average_decay': 0.9, **changes})


def test_trainer_finds_the_answer_and_returns_the_average(tmp_path: Path) -> None:
    objective = Three()
    network, progress = train(OneWeight(), objective, tmp_path, _options(300), clock=Ticks())
    assert float(network.weight.detach()) == pytest.approx(3, abs=0.1)
    assert not network.training
    assert progress.pictures == 4 * progress.step
    assert objective.shares == sorted(objective.shares)
    assert 0 < objective.shares[1] < 0.02
    assert progress.history[-1]['error'] == pytest.approx(abs(float(network.weight.detach()) - 3), abs=1e-5)


def test_training_ends_when_checks_stop_getting_better_and_keeps_the_best(tmp_path: Path) -> None:
    scores: list[float] = []

    def observe(progress: Progress, share: float, figures: dict[str, float]) -> None:
        if 'score' in figures:
            scores.append(figures['score'])

    _, progress = train(OneWeight(), Three(best_check=3), tmp_path, _options(300, patience_checks=2), observe=observe, clock=Ticks())
    assert scores == [-1, -2, 3, 4]
    assert progress.best_score == -2
    assert progress.elapsed_s < 300 * 0.7
    # A finished run that is started again is still finished.
    objective = Three(best_check=3)
    train(OneWeight(), objective, tmp_path, _options(300, patience_checks=2), clock=Ticks())
    assert objective.shares == []


def test_resumed_run_is_the_run_without_a_pause(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(progress: Progress, share: float, figures: dict[str, float]) -> None:
        if 'score' in figures and share > 0.4:
            raise Stop

    paused = tmp_path / 'paused'
    with pytest.raises(Stop):
        train(OneWeight(), Three(), paused, _options(200), observe=stop, clock=Ticks())
    _, progress = train(OneWeight(), Three(), paused, _options(200), clock=Ticks())
    _, straight = train(OneWeight(), Three(), tmp_path / 'straight', _options(200), clock=Ticks())
    # The clock ticks once more for the restart, and the learning rate warms up again; nothing else differs.
    assert abs(progress.step - straight.step) <= 2
    assert [entry['pictures'] for entry in progress.history[:3]] == [entry['pictures'] for entry in straight.history[:3]]
    assert progress.history[-1]['error'] == pytest.approx(straight.history[-1]['error'], abs=0.1)


def test_checkpoint_of_another_objective_is_refused(tmp_path: Path) -> None:
    class Four(Three):
        def describe(self) -> Mapping[str, Any]:
            return {'target': 4}

    train(OneWeight(), Three(), tmp_path, _options(20), clock=Ticks())
    with pytest.raises(ConfigError, match='belongs to another run: target differ'):
        train(OneWeight(), Four(), tmp_path, _options(20), clock=Ticks())


def test_loss_that_is_not_finite_ends_the_run_with_words(tmp_path: Path) -> None:
    class Broken(Three):
        def training_loss(self, network: nn.Module, share: float) -> Tensor:
            return super().training_loss(network, share) * float('nan')

    with pytest.raises(ConfigError, match='the loss is nan at step 0; lower the learning rate'):
        train(OneWeight(), Broken(), tmp_path, _options(20), clock=Ticks())


def test_average_follows_the_weights_as_worked_out_by_hand() -> None:
    network = OneWeight()
    average = AveragedNetwork(network, decay=0.5)
    with torch.no_grad():
        network.weight.fill_(1.0)
    average.update(network, 1)  # decay min(.5, 1 / 10): 0 + .9
    assert float(average.network.get_parameter('weight').detach()) == pytest.approx(0.9)
    average.update(network, 100)  # decay .5: .9 + .5 * .1
    assert float(average.network.get_parameter('weight').detach()) == pytest.approx(0.95)
    assert [average_decay(step, 0.999) for step in (1, 9, 10**6)] == [0.1, 0.5, 0.999]


def test_bf16_answers_in_float32_and_near_fp32() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 4, 3))
    picture = torch.rand(2, 3, 16, 16)
    wanted, found = InPrecision(network, 'fp32')(picture), InPrecision(network, 'bf16')(picture)
    assert found.dtype == torch.float32
    assert not torch.equal(wanted, found)
    torch.testing.assert_close(found, wanted, atol=0.02, rtol=0.02)
    copy.deepcopy(network).load_state_dict(network.state_dict())


def test_precision_falls_back_with_a_note_and_unknown_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, 'has_bf16_units', lambda: False)
    assert available_precision('bf16')[0] == 'fp32'
    assert 'no bf16 units' in available_precision('bf16')[1]
    assert available_precision('fp32') == ('fp32', '')
    monkeypatch.setattr(precision, 'has_bf16_units', lambda: True)
    assert available_precision('bf16') == ('bf16', '')
    with pytest.raises(ConfigError, match="unknown precision 'half'; known: bf16, fp32"):
        to_precision('half')


UNUSABLE: list[tuple[Callable[[], Any], str]] = [
    (lambda: TrainingOptions(minutes=0), 'minutes is 0'),
    (lambda: TrainingOptions(batch=1), 'batch is 1'),
    (lambda: TrainingOptions(learning_rate=float('inf')), 'learning_rate is inf'),
    (lambda: TrainingOptions(average_decay=1.0), 'average_decay is 1.0'),
    (lambda: TrainingOptions(patience_checks=-1), 'patience_checks is -1'),
    (lambda: TrainingOptions(threads=3), 'threads is 3'),
]


@pytest.mark.parametrize(('make', 'text'), UNUSABLE)
def test_unusable_options_are_refused(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()
