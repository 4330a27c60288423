# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which losses a Jacobian field is trained with and how much each counts; stored beside the weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from vera_core.errors import ConfigError, nearest_name_hint
from vera_jidm.solve.joint_step import SolveSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weight of every term; 0 switches it off. Terms marked * score 1.0 for a field that is zero everywhere. Equations: losses.py."""

    field: float = 1.0
    """* Predicted against exact field; needs exact labels."""
    flow: float = 0.0
    """* Predicted against seen motion of a joint step."""
    action: float = 0.33
    """* Joint step that the ridge solve finds in the seen flow, against the measured one; comes in late, see LossSettings."""
    inverse: float = 0.3
    """* Joint step that the ridge solve finds in the exact motion of any step, against that step; needs exact labels; see LossSettings."""
    cycle: float = 0.0
    """* solve(J dq) against dq for random dq."""
    there_and_back: float = 0.0
    """* Mean of the motion predicted at the start and, for the way back, at the end, against the seen motion."""
    halves: float = 0.0
    """* Motion of the first half, then of the second half where the first one ends, against the seen motion."""
    smooth: float = 0.0
    """Steps of the field between neighbouring cells that look alike."""
    trust: float = 0.05
    """Trust against what it should be: the robot's share of a cell, or with estimated labels how well the seen motion is explained."""

    def __post_init__(self) -> None:
        for term in fields(self):
            value = getattr(self, term.name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f'weight {term.name} is {value}; it must be finite and >= 0')

    def changed(self, changes: Mapping[str, float]) -> LossWeights:
        """Return a copy with other weights.

        Raises:
            ConfigError: If there is no such term or a weight is negative.
        """
        known = [term.name for term in fields(self)]
        for name in changes:
            if name not in known:
                raise ConfigError(f"unknown loss '{name}'; {nearest_name_hint(name, known)}")
        return dataclasses.replace(self, **changes)

    @property
    def needs_pairs(self) -> bool:
        """Whether any term but the late action loss looks at pairs of moments."""
        return any((self.flow, self.cycle, self.there_and_back, self.halves))

    @property
    def needs_waypoints(self) -> bool:
        """Whether a term looks at more of a pair than its first picture."""
        return any((self.there_and_back, self.halves))


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """Weights of the terms and what else shapes them."""

    weights: LossWeights = LossWeights()
    ridge: float = SolveSettings().ridge
    """Ridge of the action, inverse and cycle losses, px²/rad²; the running system's by default."""
    charbonnier_px: float = 0.0
    """Length from which errors of motion count linearly, px [VERA, Eq. 5]; 0: squared errors. With most cells at rest a small value teaches
    the field to be zero."""
    action_from: float = 0.85
    """Share of the run after which the action loss comes in, rising over ACTION_RISE of the run: a field that says nothing yet has no
    inverse worth teaching."""
    inverse_from: float = 0.35
    """The same for the inverse loss, which comes in over INVERSE_RISE of the run."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ridge) and self.ridge > 0):
            raise ConfigError(f'ridge is {self.ridge}; it must be finite and > 0')
        if not (math.isfinite(self.charbonnier_px) and self.charbonnier_px >= 0):
            raise ConfigError(f'charbonnier_px is {self.charbonnier_px}; it must be finite and >= 0')
        for name in ('action_from', 'inverse_from'):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f'{name} is {getattr(self, name)}; it must be in [0, 1]')

    def changed(self, changes: Mapping[str, float]) -> LossSettings:
        """Return a copy with other weights; raises as LossWeights.changed."""
        return dataclasses.replace(self, weights=self.weights.changed(changes))


EXACT_LABELS = LossSettings()
"""For training on the exact field."""
ESTIMATED_LABELS = LossSettings(weights=LossWeights(field=0.0, inverse=0.0, flow=1.0, action=1.0), ridge=1000.0, action_from=0.1)
"""For training on flow alone. Flow is dominated by the joints that move much of the picture; only the action loss tells the columns of the others,
so it comes in early and counts in full, with a ridge that keeps its gradient tame while they are still wrong."""


def parse_weights(options: Sequence[str]) -> dict[str, float]:
    """Return the changes in `name=value` options of the command line.

    Raises:
        ConfigError: If one is not of this form; names are checked by LossWeights.changed.
    """
    changes: dict[str, float] = {}
    for option in options:
        name, _, value = option.partition('=')
        try:
            changes[name.strip()] = float(value)
        except ValueError:
            raise ConfigError(f"--weight '{option}' is not of the form name=value, for example cycle=0.1") from None
    return changes
