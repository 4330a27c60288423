# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts data and losses together: what one training step of a field minimises and what one check on unseen recordings scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vera_core.shapes import Array
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.training import losses
from vera_jidm.training.batches import PairBatch, cycle, moment_batch, pair_batch
from vera_jidm.training.dataset import Moments, Pairs
from vera_jidm.training.loss_weights import LossSettings

ACTION_RISE = 0.05
"""Share of the run over which the action loss rises to its weight."""
INVERSE_RISE = 0.1
"""The same for the inverse loss."""
ACTION_SCORE = 1 / 3
"""How much the action loss counts beside the loss of field or flow when the best weights are chosen, whatever they were trained with."""
CHECK_ROWS = 192
"""Pictures, and a quarter as many pairs, in a check on unseen recordings."""
Terms = dict[str, Tensor]


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
        self, config: FieldConfig, train: Data, validation: Data, *, settings: LossSettings, batch: int, rng: np.random.Generator
    ) -> None:
        self._config, self._train, self._validation, self._settings, self.rng = config, train, validation, settings, rng
        self._joint_energy = None if train.moments is None else torch.from_numpy(train.moments.energy()).float()
        self._flow_energy, self._penalised_energy = train.pairs.energy(), train.pairs.energy(settings.charbonnier_px)
        self._spread = torch.from_numpy(np.sqrt(np.square(train.pairs.delta_q).mean(axis=0))).float()
        self._rows: Iterator[Array] | None = None if train.moments is None else cycle(len(train.moments), max(1, batch // train.views), rng)
        self._starts = cycle(len(train.pairs), max(1, batch // train.views), rng)
        self.pictures_per_step = batch

    def describe(self) -> Mapping[str, Any]:
        """Return what tells one run from another, see Objective."""
        sizes = {'moments': 0 if self._train.moments is None else len(self._train.moments), 'pairs': len(self._train.pairs)}
        return {'network': self._config.to_json(), 'losses': asdict(self._settings), **sizes}

    def training_loss(self, network: nn.Module, share: float) -> Tensor:
        """Return the weighted sum of the terms that are on at this share of the run."""
        weights = self._settings.weights
        rise = float(np.clip((share - self._settings.action_from) / ACTION_RISE, 0, 1))
        inverse = weights.inverse * float(np.clip((share - self._settings.inverse_from) / INVERSE_RISE, 0, 1))
        terms: Terms = {}
        if self._rows is not None and self._train.moments is not None:
            views = np.arange(self._train.views)
            rows = (next(self._rows)[:, None] * len(views) + views).ravel()
            terms |= self._moment_terms(network, self._train.moments, rows, self.rng, with_inverse=inverse > 0)
        if self._train.moments is None or weights.needs_pairs or weights.action * rise > 0:
            terms |= self._pair_terms(network, next(self._starts), with_action=weights.action * rise > 0)
        counts = asdict(weights) | {'action': weights.action * rise, 'inverse': inverse}
        return torch.stack([counts[name] * term for name, term in terms.items() if counts[name] > 0]).sum()

    def check(self, network: nn.Module) -> dict[str, float]:
        """Return losses on unseen recordings: `field` or `flow`, and `action`, each 1.0 for a field that is zero everywhere."""
        found: dict[str, list[tuple[float, int]]] = {}
        if self._validation.moments is not None:
            for rows in _fixed(len(self._validation.moments) * self._train.views, CHECK_ROWS, 16):
                loss = self._moment_terms(network, self._validation.moments, rows, None)['field']
                found.setdefault('field', []).append((float(loss), len(rows)))
        for rows in _fixed(len(self._validation.pairs), CHECK_ROWS // 4, 8):
            batch = pair_batch(self._validation.pairs, rows, None)
            jacobian, trust = self._run(network, batch)
            found.setdefault('action', []).append((float(self._action(jacobian[0], trust[0], batch)), len(rows)))
            if self._validation.moments is None:
                loss = losses.motion_loss(_motion(jacobian[0], batch.delta_q), batch.flow, batch.trust, self._flow_energy)
                found.setdefault('flow', []).append((float(loss), len(rows)))
        figures = {name: sum(loss * count for loss, count in parts) / sum(count for _, count in parts) for name, parts in found.items()}
        return {**figures, 'score': figures.get('field', figures.get('flow', 0.0)) + ACTION_SCORE * figures['action']}

    def _moment_terms(
        self, network: nn.Module, data: Moments, rows: Array, rng: np.random.Generator | None, *, with_inverse: bool = False
    ) -> Terms:
        """Return the terms of exact labels; the inverse one needs all views of every moment in consecutive rows."""
        assert self._joint_energy is not None
        batch = moment_batch(data, rows, rng)
        jacobian, trust = network(batch.picture, batch.position, batch.view)
        terms = {
            'field': losses.field_loss(jacobian, batch.jacobian, batch.view, self._joint_energy),
            'trust': losses.coverage_trust_loss(trust, batch.coverage),
        }
        if with_inverse:
            views = (-1, self._train.views)
            stacked, exact = (field.unflatten(0, views).transpose(1, 2) for field in (jacobian, batch.jacobian))
            terms['inverse'] = losses.inverse_loss(stacked, exact, trust.sigmoid().unflatten(0, views), self._spread, self._settings.ridge)
        if self._settings.weights.smooth > 0:
            terms['smooth'] = losses.smooth_loss(jacobian, batch.picture, self._spread, self._flow_energy)
        return terms

    def _pair_terms(self, network: nn.Module, starts: Array, *, with_action: bool) -> Terms:
        """Return the terms that look at pairs; the two that exact labels answer better come from pairs only where there are none."""
        weights, pairs = self._settings.weights, self._train.pairs
        batch = pair_batch(pairs, starts, self.rng, waypoints=weights.needs_waypoints)
        jacobian, trust = self._run(network, batch)
        motion = _motion(jacobian[0], batch.delta_q)
        terms: Terms = {}
        if weights.flow > 0:
            terms['flow'] = self._motion_loss(motion, batch.flow, batch.trust)
        if with_action:
            terms['action'] = self._action(jacobian[0], trust[0], batch)
        if weights.cycle > 0:
            step = torch.from_numpy(self.rng.standard_normal(batch.first_half.shape, dtype=np.float32)) * self._spread
            terms['cycle'] = losses.cycle_loss(jacobian[0].transpose(1, 2), trust[0].sigmoid(), step, self._settings.ridge)
        if weights.needs_waypoints:
            terms |= self._waypoint_terms(jacobian, motion[:, 0], batch)
        if self._train.moments is None:
            terms['trust'] = losses.residual_trust_loss(trust[0], motion, batch.flow, batch.trust)
            if weights.smooth > 0:
                rows = jacobian[0].flatten(0, 1)
                terms['smooth'] = losses.smooth_loss(rows, batch.picture[: len(rows)], self._spread, self._flow_energy)
        return terms

    def _waypoint_terms(self, jacobian: Tensor, motion: Tensor, batch: PairBatch) -> Terms:
        """Return the terms that look at a pair from its middle (jacobian[1]) and its end (jacobian[2]); flow and motion of the first pair."""
        stride, flow, trust = self._config.stride, batch.flow[:, 0].flatten(0, 1), batch.trust[:, 0].flatten(0, 1)
        step, first = batch.delta_q[:, 0], batch.first_half
        terms: Terms = {}
        if self._settings.weights.there_and_back > 0:
            back = _motion(jacobian[2], step[:, None])[:, 0].flatten(0, 1)
            mean, inside = losses.there_and_back(motion.flatten(0, 1), back, flow, stride)
            terms['there_and_back'] = self._motion_loss(mean, flow, trust * inside)
        if self._settings.weights.halves > 0:
            second = _motion(jacobian[1], (step - first)[:, None])[:, 0].flatten(0, 1)
            whole, inside = losses.halves(_motion(jacobian[0], first[:, None])[:, 0].flatten(0, 1), second, stride)
            terms['halves'] = self._motion_loss(whole, flow, trust * inside)
        return terms

    def _run(self, network: nn.Module, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Return jacobian (T, S, V, n, 2, h, w) and trust logit (T, S, V, h, w)."""
        jacobian, trust = network(batch.picture, batch.position, batch.view)
        sizes = (-1, len(batch.delta_q), self._train.views)
        return jacobian.unflatten(0, sizes), trust.unflatten(0, sizes)

    def _motion_loss(self, motion: Tensor, flow: Tensor, trust: Tensor) -> Tensor:
        return losses.motion_loss(motion, flow, trust, self._penalised_energy, self._settings.charbonnier_px)

    def _action(self, jacobian: Tensor, trust: Tensor, batch: PairBatch) -> Tensor:
        """Return the action loss over all K steps from each start; jacobian (S, V, n, 2, h, w) and trust (S, V, h, w)."""
        steps = batch.delta_q.shape[1]
        stacked = jacobian.transpose(1, 2).repeat_interleave(steps, dim=0)
        weight = (trust.sigmoid()[:, None] * batch.trust).flatten(0, 1)
        return losses.action_loss(
            losses.ridge_step(stacked, batch.flow.flatten(0, 1), weight, self._settings.ridge), batch.delta_q.flatten(0, 1)
        )


def _motion(jacobian: Tensor, delta_q: Tensor) -> Tensor:
    """Return J dq of shape (S, K, V, 2, h, w) for jacobian (S, V, n, 2, h, w) and delta_q (S, K, n)."""
    return torch.einsum('svnchw,skn->skvchw', jacobian, delta_q)


def _fixed(count: int, most: int, size: int) -> list[Array]:
    rows = np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
    return [rows[start : start + size] for start in range(0, len(rows), size)]
