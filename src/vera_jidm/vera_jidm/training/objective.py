# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts data and losses together: what one training step minimises and what one check on unseen recordings scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vera_core.shapes import Array
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.training.batches import PairBatch, cycle, moment_batch, pair_batch
from vera_jidm.training.dataset import Moments, Pairs
from vera_jidm.training.losses import action_loss, field_loss, flow_loss, ridge_step, trust_loss

TRUST_WEIGHT = 0.05
"""Weight of the trust's cross entropy beside the field loss."""
FIELD_WEIGHT = 3.0
"""Weight of the field loss once the action loss is on, so that the field stays the true one."""
CHECK_ROWS = 192
"""Pictures, and a quarter as many pairs, in a check on unseen recordings."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Data:
    """What one run learns from; without exact labels the pairs alone have to do."""

    moments: Moments | None
    pairs: Pairs

    @property
    def views(self) -> int:
        """Number of views."""
        return int(self.pairs.flow.shape[1])


class FieldObjective:
    """Losses of a Jacobian field, normalised by the energy of the training data. Implements Objective."""

    def __init__(
        self, config: FieldConfig, train: Data, validation: Data, *, ridge: float, action_from: float, batch: int, rng: np.random.Generator
    ) -> None:
        self._config, self._action_from, self.rng = config, action_from, rng
        self._train, self._validation, self._ridge = train, validation, ridge
        self._energy = None if train.moments is None else torch.from_numpy(train.moments.energy()).float()
        self._flow_energy = train.pairs.energy()
        self._rows: Iterator[Array] | None = None if train.moments is None else cycle(len(train.moments) * train.views, batch, rng)
        self._pairs = cycle(len(train.pairs), max(1, batch // train.views), rng)
        self.pictures_per_step = batch

    def describe(self) -> Mapping[str, Any]:
        """Return what tells one run from another, see Objective."""
        sizes = {'moments': 0 if self._train.moments is None else len(self._train.moments), 'pairs': len(self._train.pairs)}
        return {'network': self._config.to_json(), 'ridge': self._ridge, 'action_from': self._action_from, **sizes}

    def training_loss(self, network: nn.Module, share: float) -> Tensor:
        """Return the loss of the next batch; late in the run it also holds the way back from flow to joints."""
        phase = 'field' if share < self._action_from else 'action'
        if phase == 'field' and self._rows is not None and self._train.moments is not None:
            return self._field(network, self._train.moments, next(self._rows), self.rng)[0]
        pairs = pair_batch(self._train.pairs, next(self._pairs), self.rng)
        jacobian, trust = network(pairs.picture, pairs.position, pairs.view)
        action = self._action(jacobian, trust, pairs)
        if self._rows is None or self._train.moments is None:
            flow = flow_loss(
                jacobian,
                _per_picture(pairs.delta_q, self._train.views),
                pairs.flow.flatten(0, 1),
                pairs.trust.flatten(0, 1),
                self._flow_energy,
            )
            return flow if phase == 'field' else FIELD_WEIGHT * flow + action
        return FIELD_WEIGHT * self._field(network, self._train.moments, next(self._rows), self.rng)[0] + action

    def check(self, network: nn.Module) -> dict[str, float]:
        """Return losses on unseen recordings: `field` and `action`, each 1.0 for a field that is zero everywhere."""
        scores: dict[str, list[float]] = {'field': [], 'action': []}
        if self._validation.moments is not None:
            for rows in _fixed(len(self._validation.moments) * self._train.views, CHECK_ROWS, 16):
                scores['field'].append(float(self._field(network, self._validation.moments, rows, None)[1]))
        for rows in _fixed(len(self._validation.pairs), CHECK_ROWS // 4, 8):
            pairs = pair_batch(self._validation.pairs, rows, None)
            jacobian, trust = network(pairs.picture, pairs.position, pairs.view)
            scores['action'].append(float(self._action(jacobian, trust, pairs)))
            if self._validation.moments is None:
                delta_q = _per_picture(pairs.delta_q, self._train.views)
                scores['field'].append(
                    float(flow_loss(jacobian, delta_q, pairs.flow.flatten(0, 1), pairs.trust.flatten(0, 1), self._flow_energy))
                )
        figures = {name: float(np.mean(values)) for name, values in scores.items()}
        return {**figures, 'score': FIELD_WEIGHT * figures['field'] + figures['action']}

    def _field(self, network: nn.Module, data: Moments, rows: Array, rng: np.random.Generator | None) -> tuple[Tensor, Tensor]:
        assert self._energy is not None
        batch = moment_batch(data, rows, rng)
        jacobian, trust = network(batch.picture, batch.position, batch.view)
        loss = field_loss(jacobian, batch.jacobian, batch.view, self._energy)
        return loss + TRUST_WEIGHT * trust_loss(trust, batch.coverage), loss

    def _action(self, jacobian: Tensor, trust: Tensor, pairs: PairBatch) -> Tensor:
        views = self._train.views
        stacked = jacobian.reshape(-1, views, *jacobian.shape[1:]).transpose(1, 2)
        weight = trust.sigmoid().reshape(-1, views, *trust.shape[1:]) * pairs.trust
        return action_loss(ridge_step(stacked, pairs.flow, weight, self._ridge), pairs.delta_q)


def _per_picture(delta_q: Tensor, views: int) -> Tensor:
    return delta_q.repeat_interleave(views, dim=0)


def _fixed(count: int, most: int, size: int) -> list[Array]:
    rows = np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
    return [rows[start : start + size] for start in range(0, len(rows), size)]
