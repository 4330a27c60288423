# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains a Jacobian field within a time budget; can be stopped at any moment and goes on where it stood."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vera_core.errors import ConfigError
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.network import FieldNetwork
from vera_jidm.solve.joint_step import SolveSettings
from vera_jidm.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from vera_jidm.training.objective import Data, Objective

Observer = Callable[[Progress, float, dict[str, float]], None]
"""Called now and then with the progress, the share of the budget used and the newest figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How to train; what made the shipped weights is noted beside them, under `options` in field.json."""

    minutes: float = 18.0
    """Time of one core for the steps themselves, min: the same result on a busy machine, only later. Reading and labelling come before."""
    seed: int = 0
    batch: int = 8
    """Pictures per step."""
    learning_rate: float = 3e-3
    action_share: float = 0.15
    """Last share of the time, in which the action loss is on. It gave a little of the field's R² (.989 to .987) for a better joint step from
    estimated flow (relative error .21 to .16; one seed, 240 held-out pairs)."""
    action_learning_rate: float = 4e-4
    ridge: float = SolveSettings().ridge
    """Ridge of the action loss, px²/rad²; the running system's."""
    check_every_s: float = 45.0
    """Time between checks on unseen recordings, each followed by a checkpoint, s."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.minutes) and self.minutes > 0):
            raise ConfigError(f'minutes is {self.minutes}; it must be finite and > 0')
        if self.batch < 2:
            raise ConfigError(f'batch is {self.batch}; it must be at least 2')
        if not 0 <= self.action_share < 1:
            raise ConfigError(f'action_share is {self.action_share}; it must be in [0, 1)')


def train_field(
    config: FieldConfig,
    train: Data,
    validation: Data,
    folder: Path,
    options: TrainingOptions,
    *,
    observe: Observer | None = None,
    clock: Callable[[], float] = time.process_time,
) -> tuple[FieldNetwork, Progress]:
    """Train, keep the weights that do best on the validation recordings and return them.

    The learning rate falls as a half cosine in the time spent (by default the time this process had a core), so a run that was stopped and
    resumed is the same run with a pause.

    Raises:
        ConfigError: If the folder holds the checkpoint of another run, or the loss stops being finite.
    """
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    network = FieldNetwork(config)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=1e-4, fused=True)
    sizes = {'moments': 0 if train.moments is None else len(train.moments), 'pairs': len(train.pairs)}
    contract = {'network': config.to_json(), **asdict(options), **sizes}
    resumed = load_checkpoint(folder, network, optimiser, rng, contract)
    progress, best = resumed if resumed else (Progress(), _snapshot(network))
    objective = Objective(train, validation, ridge=options.ridge, batch=options.batch, rng=rng)
    run = _Run(network, optimiser, objective, options, progress, best)
    spent, mark, checked = progress.elapsed_s, clock(), progress.elapsed_s
    while progress.elapsed_s < 60 * options.minutes:
        run.step()
        progress.elapsed_s = spent + clock() - mark
        if progress.elapsed_s - checked >= options.check_every_s or progress.elapsed_s >= 60 * options.minutes:
            figures = run.check()
            save_checkpoint(folder, network, run.best, optimiser, progress, rng, contract)
            checked = progress.elapsed_s = spent + clock() - mark
            if observe:
                observe(progress, run.share, figures)
        elif observe and progress.step % 20 == 0:
            observe(progress, run.share, {'loss': run.smoothed})
    network.load_state_dict(run.best)
    return network.eval(), progress


class _Run:
    """The moving parts of one training."""

    def __init__(
        self,
        network: FieldNetwork,
        optimiser: torch.optim.Optimizer,
        objective: Objective,
        options: TrainingOptions,
        progress: Progress,
        best: dict[str, Tensor],
    ) -> None:
        self._network, self._optimiser, self._objective = network, optimiser, objective
        self._options, self._progress, self.best = options, progress, best
        self.smoothed = 1.0
        self._warm = 0

    @property
    def share(self) -> float:
        """Share of the time that is spent, 0..1."""
        return min(1.0, self._progress.elapsed_s / (60 * self._options.minutes))

    def step(self) -> None:
        """Take one optimiser step in the phase and with the learning rate that belong to this moment."""
        turn = 1 - self._options.action_share
        if self._progress.phase == 'field' and self.share >= turn:
            self._enter_action_phase()
        first = self._progress.phase == 'field'
        part = self.share / turn if first else (self.share - turn) / max(1 - turn, 1e-9)
        peak = self._options.learning_rate if first else self._options.action_learning_rate
        for group in self._optimiser.param_groups:
            group['lr'] = peak * max(0.01, 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))) * self._warm_up()
        loss = self._objective.training_loss(self._network, self._progress.phase)
        if not torch.isfinite(loss):
            raise ConfigError(
                f'the loss is {float(loss)} at step {self._progress.step}; lower the learning rate or look for damaged recordings'
            )
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimiser.step()
        self.smoothed += 0.02 * (float(loss.detach()) - self.smoothed)
        self._progress.step += 1
        self._progress.pictures += self._objective.pictures_per_step

    def check(self) -> dict[str, float]:
        """Score on the validation recordings and keep the weights if they are the best of this phase."""
        progress = self._progress
        figures = self._objective.check(self._network)
        score = figures['field'] if progress.phase == 'field' else FIELD_SCORE_WEIGHT * figures['field'] + figures['action']
        progress.history.append({'elapsed_s': progress.elapsed_s, 'pictures': progress.pictures, 'loss': self.smoothed, **figures})
        if score < progress.best_score:
            progress.best_score = score
            self.best = _snapshot(self._network)
        return figures

    def _enter_action_phase(self) -> None:
        self.check()
        self._network.load_state_dict(self.best)
        self._progress.phase, self._progress.best_score = 'action', float('inf')
        # The moments of the first phase belong to other, smaller gradients: with them the first steps throw the network off.
        self._optimiser.state.clear()
        self._warm = 0

    def _warm_up(self) -> float:
        self._warm += 1
        return min(1.0, self._warm / WARM_UP_STEPS)


WARM_UP_STEPS = 50
"""Steps over which the learning rate rises at the start, after a pause and when the action loss comes in."""
FIELD_SCORE_WEIGHT = 3.0
"""How much the field loss counts beside the action loss when the best weights are chosen."""


def _snapshot(network: FieldNetwork) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


__all__ = ['Observer', 'TrainingOptions', 'train_field']
