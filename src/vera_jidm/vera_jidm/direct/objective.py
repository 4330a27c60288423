# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a direct network is trained to do, scored so that one that always answers zero gets 1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vera_core.errors import ShapeError
from vera_jidm.direct.batches import step_batch
from vera_jidm.direct.config import DirectConfig
from vera_jidm.direct.pairs import FlowKind, StepPairs
from vera_jidm.training.batches import cycle

CHECK_BATCH = 16
"""Pairs looked at together in a check."""


def step_loss(predicted: Tensor, measured: Tensor, energy: Tensor) -> Tensor:
    """Return mean |dq_hat - dq|^2 / E|dq|^2.

    Args:
        predicted: Shape (P, n), rad.
        measured: Shape (P, n), rad.
        energy: E|dq|^2, mean over the training data, rad².
    """
    return (predicted - measured).square().sum(dim=1).mean() / energy


class DirectObjective:
    """The loss of one run and its check on unseen pairs. Implements the trainer's objective.

    Args:
        config: Of the network.
        train: Pairs to learn from.
        validation: Pairs of other recordings.
        kind: Which flow a network that looks at flow is given.
        batch: Pictures per step, as for the field: a pair counts one per view.
        rng: Draws and jitters.
        turned: See step_batch.

    Raises:
        ShapeError: If the two sets are not of one robot.
    """

    def __init__(
        self,
        config: DirectConfig,
        train: StepPairs,
        validation: StepPairs,
        *,
        kind: FlowKind,
        batch: int,
        rng: np.random.Generator,
        turned: bool = True,
    ) -> None:
        if train.frames.shape[1:] != validation.frames.shape[1:] or train.position.shape[1] != validation.position.shape[1]:
            raise ShapeError(
                f'training pairs have pictures {train.frames.shape[1:]} and {train.position.shape[1]} joints, '
                f'validation pairs {validation.frames.shape[1:]} and {validation.position.shape[1]}'
            )
        self._config, self._train, self._validation = config, train, validation
        self._kind, self._turned, self.rng = kind, turned, rng
        self._energy = torch.tensor(np.square(train.delta_q).sum(axis=1).mean(), dtype=torch.float32)
        pairs = max(1, batch // train.frames.shape[1])
        self._rows = cycle(len(train), pairs, rng)
        self.pictures_per_step = min(pairs, len(train)) * train.frames.shape[1]

    def describe(self) -> Mapping[str, Any]:
        """Return plain values that tell one run from another."""
        return {'network': self._config.to_json(), 'pairs': len(self._train), 'flow': self._kind, 'turned': self._turned}

    def training_loss(self, network: nn.Module, share: float) -> Tensor:
        """Return the loss of the next batch; the share of the time that is spent changes nothing."""
        sees = self._config.sees
        batch = step_batch(self._train, next(self._rows), sees=sees, kind=self._kind, rng=self.rng, turned=self._turned)
        return step_loss(network(batch.planes, batch.position), batch.delta_q, self._energy)

    @torch.inference_mode()
    def check(self, network: nn.Module) -> dict[str, float]:
        """Return `score`, sum |dq_hat - dq|^2 / sum |dq|^2 over all validation pairs."""
        error, energy = 0.0, 0.0
        for start in range(0, len(self._validation), CHECK_BATCH):
            rows = np.arange(start, min(start + CHECK_BATCH, len(self._validation)))
            batch = step_batch(self._validation, rows, sees=self._config.sees, kind=self._kind, rng=None, turned=False)
            error += float((network(batch.planes, batch.position) - batch.delta_q).square().sum())
            energy += float(batch.delta_q.square().sum())
        return {'score': error / energy}
