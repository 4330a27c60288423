# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains any network towards any objective within a time budget; can be stopped at any moment and goes on where it stood."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from vera_core.errors import ConfigError
from vera_jidm.training.averaging import AveragedNetwork
from vera_jidm.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from vera_jidm.training.precision import InPrecision, Precision, available_precision, to_precision

WARM_UP_STEPS = 50
"""Steps over which the learning rate rises at the start and after a pause."""
LOSS_MEMORY = 0.98
"""Share of the displayed loss that stays at every step."""
NetworkT = TypeVar('NetworkT', bound=nn.Module)
Observer = Callable[[Progress, float, dict[str, float]], None]
"""Called now and then with the progress, the share of the budget used and the newest figures; those of a check hold `score`."""


class Objective(Protocol):
    """What a network is trained for: draws its own batches, knows its own figures."""

    pictures_per_step: int
    """Pictures that one training loss looks at."""
    rng: np.random.Generator
    """Draws the batches; its state is kept in the checkpoint."""

    def describe(self) -> Mapping[str, Any]:
        """Return plain values that tell one run from another: a checkpoint is resumed only when they are the same."""
        ...

    def training_loss(self, network: nn.Module, share: float) -> Tensor:
        """Return the loss of the next batch when `share` of the budget, 0..1, is used."""
        ...

    def check(self, network: nn.Module) -> dict[str, float]:
        """Return figures on unseen data; `score`, lower is better, chooses the weights that are kept."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How to train; what made the shipped weights is noted beside them, under `options` in field.json."""

    minutes: float = 18.0
    """Time of one core for the steps themselves, min: the same result on a busy machine, only later. Reading and labelling come before."""
    seed: int = 0
    batch: int = 16
    """Pictures per step."""
    learning_rate: float = 3e-3
    average_decay: float = 0.999
    """Memory of the weight average that is checked and shipped, see AveragedNetwork."""
    patience_checks: int = 10
    """Checks in a row without a better score after which the training ends early; 0: never."""
    check_every_s: float = 45.0
    """Time between checks on unseen recordings, each followed by a checkpoint, s."""
    threads: int = 1
    """Threads of the training; 2 end sooner but cost more time of cores in all."""
    precision: Precision = 'fp32'
    """Of the network's forward and backward pass."""

    def __post_init__(self) -> None:
        for name in ('minutes', 'learning_rate', 'check_every_s'):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f'{name} is {value}; it must be finite and > 0')
        if self.batch < 2:
            raise ConfigError(f'batch is {self.batch}; it must be at least 2')
        if not 0 <= self.average_decay < 1:
            raise ConfigError(f'average_decay is {self.average_decay}; it must be in [0, 1)')
        if self.patience_checks < 0:
            raise ConfigError(f'patience_checks is {self.patience_checks}; it must be at least 0')
        if self.threads not in (1, 2):
            raise ConfigError(f'threads is {self.threads}; it must be 1 or 2')
        to_precision(self.precision)


def seed_everything(seed: int) -> np.random.Generator:
    """Make the first weights of the next network and all draws of a run the same for the same seed; return the generator for the draws."""
    torch.manual_seed(seed)
    return np.random.default_rng(seed)


def train(
    network: NetworkT,
    objective: Objective,
    folder: Path,
    options: TrainingOptions,
    *,
    observe: Observer | None = None,
    clock: Callable[[], float] = time.process_time,
) -> tuple[NetworkT, Progress]:
    """Train, keep the averaged weights that score best on unseen data and return the network with them.

    The learning rate falls as a half cosine in the time spent (by default the time this process had cores), so a run that was stopped and
    resumed is the same run with a pause.

    Raises:
        ConfigError: If the folder holds the checkpoint of another run, or the loss stops being finite.
    """
    torch.set_num_threads(options.threads)
    run = _Run(network, objective, folder, options)
    progress = run.progress
    spent, mark, checked = progress.elapsed_s, clock(), progress.elapsed_s
    while not run.ended:
        run.step()
        progress.elapsed_s = spent + clock() - mark
        if progress.elapsed_s - checked >= options.check_every_s or run.share >= 1:
            figures = run.check()
            run.save()
            checked = progress.elapsed_s = spent + clock() - mark
            if observe:
                observe(progress, run.share, figures)
        elif observe and progress.step % 20 == 0:
            observe(progress, run.share, {'loss': run.smoothed})
    network.load_state_dict(run.best)
    return network.eval(), progress


class _Run:
    """The moving parts of one training."""

    def __init__(self, network: nn.Module, objective: Objective, folder: Path, options: TrainingOptions) -> None:
        self._objective, self._folder, self._options = objective, folder, options
        self._network = network.train()
        self._average = AveragedNetwork(network, options.average_decay)
        self._optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=1e-4, fused=True)
        self._called = InPrecision(network, available_precision(options.precision)[0])
        self._contract: dict[str, Any] = json.loads(json.dumps({**objective.describe(), **asdict(options)}))
        resumed = load_checkpoint(folder, network, self._average.network, self._optimiser, objective.rng, self._contract)
        self.progress, self.best = resumed if resumed else (Progress(), self._average.snapshot())
        self.smoothed, self._warm = 1.0, 0

    @property
    def share(self) -> float:
        """Share of the time that is spent, 0..1."""
        return min(1.0, self.progress.elapsed_s / (60 * self._options.minutes))

    @property
    def ended(self) -> bool:
        """Whether the time is over or checks have stopped getting better."""
        patience = self._options.patience_checks
        return self.share >= 1 or 0 < patience <= self.progress.checks_since_best

    def step(self) -> None:
        """Take one optimiser step with the learning rate that belongs to this moment."""
        self._warm += 1
        warm = min(1.0, self._warm / WARM_UP_STEPS)
        for group in self._optimiser.param_groups:
            group['lr'] = self._options.learning_rate * max(0.01, 0.5 * (1 + math.cos(math.pi * self.share))) * warm
        loss = self._objective.training_loss(self._called, self.share)
        if not torch.isfinite(loss):
            raise ConfigError(
                f'the loss is {float(loss.detach())} at step {self.progress.step}; lower the learning rate or look for damaged recordings'
            )
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimiser.step()
        self.progress.step += 1
        self.progress.pictures += self._objective.pictures_per_step
        self._average.update(self._network, self.progress.step)
        self.smoothed += (1 - LOSS_MEMORY) * (float(loss.detach()) - self.smoothed)

    def check(self) -> dict[str, float]:
        """Score the averaged weights on unseen data and keep them if they are the best so far."""
        progress = self.progress
        with torch.inference_mode():
            figures = self._objective.check(self._average.network)
        progress.history.append({'elapsed_s': progress.elapsed_s, 'pictures': progress.pictures, 'loss': self.smoothed, **figures})
        progress.checks_since_best += 1
        if figures['score'] < progress.best_score:
            progress.best_score, progress.checks_since_best = figures['score'], 0
            self.best = self._average.snapshot()
        return figures

    def save(self) -> None:
        """Write everything a later run needs to go on from here."""
        save_checkpoint(
            self._folder,
            self._network,
            self._average.network,
            self.best,
            self._optimiser,
            self.progress,
            self._objective.rng,
            self._contract,
        )
