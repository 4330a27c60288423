# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Plans as they come in, verdicts as they go out: one by one, the best of several, and again while a plan is followed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from vera_core.errors import ConfigError
from vera_core.types import JointVelocity, VideoPlan
from vera_jidm.executability.check import Moment, PlanCheck, Verdict

MAX_CANDIDATES = 16


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Judged:
    """A verdict on one plan."""

    plan_id: int
    task_id: int
    stamp_ns: int
    """Stamp of the pictures it was judged by, ns."""
    verdict: Verdict


class Inspection:
    """Judges plans in the order they come. Not safe between threads."""

    def __init__(self, check: PlanCheck) -> None:
        self._check = check
        self._group: list[tuple[VideoPlan, Judged]] = []

    def look(self, plan: VideoPlan, moment: Moment) -> list[Judged]:
        """Return the verdicts that are now known, an accepted plan first: of a plan on its own at once, of candidates once the last has come.

        Raises:
            ShapeError: If plan and pictures do not fit each other.
        """
        verdict = self._check.judge(plan, moment)
        judged = Judged(plan_id=plan.plan_id, task_id=plan.task_id, stamp_ns=moment.stamp_ns, verdict=verdict)
        if plan.candidates == 1:
            return [judged]
        if plan.candidate == 0 or (self._group and not _are_of_one_choice(self._group[-1][0], plan)):
            self._group = []
        self._group = [*self._group, (plan, judged)][-MAX_CANDIDATES:]
        if plan.candidate < plan.candidates - 1:
            return []
        known, self._group = [entry for _, entry in self._group], []
        return best_first(known)


def _are_of_one_choice(before: VideoPlan, plan: VideoPlan) -> bool:
    return before.task_id == plan.task_id and before.candidates == plan.candidates and before.candidate < plan.candidate


def best_first(known: list[Judged]) -> list[Judged]:
    """Return the candidates by score, with all but the best refused."""
    best, *others = sorted(known, key=lambda entry: -entry.verdict.score)
    if not best.verdict.is_accepted:
        return [best, *others]
    text = f'plan {best.plan_id} is better (score {best.verdict.score:.2f})'
    return [best, *(_outdone(entry, text) if entry.verdict.is_accepted else entry for entry in others)]


def _outdone(entry: Judged, text: str) -> Judged:
    return replace(entry, verdict=replace(entry.verdict, is_accepted=False, reason=text))


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """When a plan that is being followed is dropped."""

    residual_ratio: float = 0.9
    """Above this share of motion that no joint motion explains, over `memory_s`, the plan is dropped."""
    residual_floor_px: float = 0.6
    """Unexplained motion below this is noise, px rms."""
    memory_s: float = 1.0
    """Time over which estimates are averaged, and which a plan is given at first, s."""

    def __post_init__(self) -> None:
        for name, low, high in (('residual_ratio', 0.1, 1.01), ('residual_floor_px', 0.0, 100.0), ('memory_s', 0.05, 60.0)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f'{name} is {getattr(self, name)}; it must be between {low:g} and {high:g}')


@dataclass(slots=True)
class StepWatch:
    """The look at every step, made of what the inversion found anyway."""

    settings: WatchSettings = field(default_factory=WatchSettings)
    _plan_id: int = 0
    _begin_ns: int = 0
    _stamp_ns: int = 0
    _mean: float = 0.0

    def look(self, estimate: JointVelocity) -> str | None:
        """Take in an estimate; return why its plan has to be dropped, in words, None as long as it may be followed."""
        doubt = estimate.residual_ratio if estimate.residual_px > self.settings.residual_floor_px else 0.0
        if estimate.plan_id != self._plan_id or estimate.stamp_ns < self._stamp_ns:
            self._plan_id, self._begin_ns, self._mean = estimate.plan_id, estimate.stamp_ns, doubt
        passed_s = (estimate.stamp_ns - self._stamp_ns) * 1e-9
        share = 1.0 - float(np.exp(-max(passed_s, 0.0) / self.settings.memory_s))
        self._stamp_ns = estimate.stamp_ns
        self._mean += share * (doubt - self._mean)
        followed_s = (estimate.stamp_ns - self._begin_ns) * 1e-9
        if followed_s < self.settings.memory_s or self._mean <= self.settings.residual_ratio:
            return None
        self._begin_ns = estimate.stamp_ns  # said once; again when it is followed on all the same
        return (
            f'joint motion makes only {max(1.0 - self._mean, 0.0):.0%} of the motion that frame {estimate.step} asks for '
            f'({estimate.residual_px:.1f} px rms are left)'
        )
