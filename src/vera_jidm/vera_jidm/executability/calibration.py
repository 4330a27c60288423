# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From the measures of a plan to one score: a small logistic model, fitted by benchmarks/plan_refusal.py --fit and stored beside this file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_jidm.executability.measures import FEATURES, PlanMeasures, sentence

SHIPPED = Path(__file__).with_name('calibration.json')
REFIT = 'python benchmarks/plan_refusal.py --fit makes it anew'
PULL = 1e-2
"""Pull of the weights towards zero per sample when they are fitted."""
ROUNDS = 4000
REST = 'motion_px'
"""Not held against a plan that may rest."""
ASKED_PX = 1.0
"""A robot that moves by this much is asked what moves it, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """score = 1 / (1 + exp(sum of weight x doubt - offset)); doubts as in `measures.FEATURES`."""

    weights: Mapping[str, float]
    """Measure to its weight, >= 0: nothing that speaks against a plan is ever in its favour."""
    usual: Mapping[str, float]
    """Measure to its doubt in a usual good plan: what is above it is worth a word."""
    offset: float
    least_score: float
    """A plan below it is refused, 0..1."""

    def __post_init__(self) -> None:
        if set(self.weights) != set(FEATURES) or set(self.usual) != set(FEATURES):
            raise ConfigError(f'the calibration has weights for {sorted(self.weights)} but {sorted(FEATURES)} are measured; {REFIT}')
        numbers = {**self.weights, 'offset': self.offset, 'least_score': self.least_score}
        bad = [name for name, value in numbers.items() if not np.isfinite(value) or (name in self.weights and value < 0)]
        if bad or not 0 < self.least_score < 1:
            raise ConfigError(f'the calibration has unusable numbers ({", ".join(bad) or "least_score"}); {REFIT}')

    def score(self, values: Mapping[str, float], *, may_rest: bool = False) -> float:
        """Return the score of the figures of a plan, 0..1."""
        against = sum(self.weights[name] * doubt for name, doubt in doubts_of(values, may_rest=may_rest).items())
        return 1.0 / (1.0 + float(np.exp(min(against - self.offset, 500.0))))

    def judge(self, measures: PlanMeasures, *, may_rest: bool = False) -> tuple[float, str]:
        """Return the score, 0..1, and the reason that speaks against the plan most, in words."""
        values = measures.values()
        doubts = doubts_of(values, may_rest=may_rest)
        loudest = max(doubts, key=lambda name: self.weights[name] * (doubts[name] - self.usual[name]))
        return self.score(values, may_rest=may_rest), sentence(loudest, getattr(measures, loudest))


def doubts_of(values: Mapping[str, float], *, may_rest: bool = False) -> dict[str, float]:
    """Return measure to how much it speaks against the plan."""
    doubts = {name: feature.doubt(values[name]) for name, feature in FEATURES.items()}
    # What hardly moves shows little of what moves it.
    doubts['unexplained_ratio'] *= 1.0 - float(np.exp(-max(values['motion_px'], 0.0) / ASKED_PX))
    if may_rest:
        doubts[REST] = 0.0
    return doubts


def load_calibration(path: Path = SHIPPED) -> Calibration:
    """Return a stored calibration.

    Raises:
        ConfigError: If the file is missing or cannot be used.
    """
    try:
        page: Any = json.loads(path.read_text(encoding='utf-8'))
        return Calibration(
            weights={str(name): float(value) for name, value in page['weights'].items()},
            usual={str(name): float(value) for name, value in page['usual'].items()},
            offset=float(page['offset']),
            least_score=float(page['least_score']),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f'{path} is no calibration of the plan check: {type(error).__name__}: {error}; {REFIT}') from error


def save_calibration(calibration: Calibration, path: Path, *, made_with: str) -> None:
    """Write a calibration, with a note on what it was made with."""
    page = {
        'made_with': made_with,
        'weights': {name: round(value, 4) for name, value in calibration.weights.items()},
        'usual': {name: round(value, 4) for name, value in calibration.usual.items()},
        'offset': round(calibration.offset, 4),
        'least_score': round(calibration.least_score, 4),
    }
    path.write_text(json.dumps(page, indent=1) + '\n', encoding='utf-8')


def fit(good: Sequence[Mapping[str, float]], spoiled: Sequence[Mapping[str, float]], *, refused_share: float) -> Calibration:
    """Fit weights >= 0 by projected gradient descent, and the least score so that this share of the good plans is refused.

    Args:
        good: Doubts (`doubts_of`) in plans the robot can follow.
        spoiled: Doubts in plans it cannot.
        refused_share: 0..1.

    Raises:
        ConfigError: If one of them is empty.
    """
    if not good or not spoiled:
        raise ConfigError('good and spoiled plans are needed to fit a calibration')
    doubts = np.array([[entry[name] for name in FEATURES] for entry in (*good, *spoiled)])
    is_good = np.repeat([1.0, 0.0], [len(good), len(spoiled)])
    balance = np.where(is_good > 0, 0.5 / len(good), 0.5 / len(spoiled))
    spread = np.maximum(doubts.std(axis=0), 1e-6)
    weights, offset = _descend(doubts / spread, is_good, balance)
    scores = 1.0 / (1.0 + np.exp(np.clip(doubts / spread @ weights - offset, -500, 500)))
    usual = np.median(doubts[is_good > 0], axis=0)
    return Calibration(
        weights=dict(zip(FEATURES, (weights / spread).tolist(), strict=True)),
        usual=dict(zip(FEATURES, usual.tolist(), strict=True)),
        offset=offset,
        least_score=float(np.clip(np.quantile(scores[is_good > 0], refused_share), 1e-3, 1 - 1e-3)),
    )


def _descend(doubts: FloatArray, is_good: FloatArray, balance: FloatArray) -> tuple[FloatArray, float]:
    weights, offset = np.zeros(doubts.shape[1]), 0.0
    centre = doubts.mean(axis=0)
    # The steepest the loss can curve is a quarter of the largest squared doubt.
    rate = 4.0 / float(balance @ (np.einsum('ij,ij->i', doubts - centre, doubts - centre) + 1.0))
    for _ in range(ROUNDS):
        good = 1.0 / (1.0 + np.exp(np.clip((doubts - centre) @ weights - offset, -500, 500)))
        gap = balance * (is_good - good)
        weights = np.maximum(weights - rate * (gap @ (doubts - centre) + PULL * weights), 0.0)
        offset += rate * float(gap.sum())
    return weights, offset + float(centre @ weights)
