# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Divergence: the pictures do not show the motion that the joints report, so field, cameras and robot do not belong together.

Swapped, mirrored or moved cameras, a joint with the wrong sign, a field of another robot: all of them look like plausible estimates, one
by one, and only the motion they lead to gives them away. Slow -> hold -> plan anew -> stop, with hysteresis.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from vera_control.params import ControllerParams
from vera_core.types import MotionEvidence

GAIN_STOP = -0.3
"""Below this a joint moves the image the wrong way, beyond doubt: no new plan can help."""
AGREEMENT_STOP = 0.1
"""Below this expected and seen motion have nothing in common."""
ENOUGH_PX2 = 12.0
"""The agreement is judged once this much image motion was expected, px² over 4 px cells. Lowest in good motions from here to 30 px²: .87."""
TRIES = 3
"""So many holds within one task stop the arm for good."""
RECOVERY = 0.05
"""A doubt is given up once gain and agreement are this much above the bound that raised it."""
PROBATION_SHARE = 0.3
"""Share of the speed right after a hold, and where evidence is about to become one."""
UNPROVEN_SHARE = 0.75
"""Share of the speed while no motion has been seen yet: whatever is wrong shows before the arm is fast."""
PROVEN_PX2 = 6.0
"""The full speed is used once this much motion has been expected and seen; a thin robot does not show much more at the beginning."""
PROBATION = 4
"""Pieces of evidence under a new plan before the old ones count again."""


class Doubt(IntEnum):
    """How bad it looks, in rising order."""

    NONE = 0
    SLOW = 1
    HOLD = 2
    STOP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DivergenceRule:
    """When to doubt."""

    gain_slow: float = 0.3
    """Slower once any joint moves the image by less than this share of what it should. Lowest in 20 good motions: .20."""
    gain_hold: float = 0.1
    """Hold below this share."""
    agreement_slow: float = 0.8
    """Slower below this cosine between expected and seen motion. Lowest in good motions: .83."""
    agreement_hold: float = 0.72
    """Hold below this cosine."""

    def doubt(self, evidence: MotionEvidence, *, above: float = 0.0) -> Doubt:
        """Return how bad one piece of evidence looks. It counts all the motion of some time, so one noisy picture does not turn it.

        Args:
            evidence: What the pictures show.
            above: Hysteresis: so much is added to the bound below which the arm is slow.
        """
        gain = float(np.min(evidence.gain))
        agreement = evidence.agreement if evidence.expected_px2 >= ENOUGH_PX2 else 1.0
        if gain < GAIN_STOP or agreement < AGREEMENT_STOP:
            return Doubt.STOP
        if gain < self.gain_hold or agreement < self.agreement_hold:
            return Doubt.HOLD
        is_slow = gain < self.gain_slow + above or agreement < self.agreement_slow + above
        return Doubt.SLOW if is_slow else Doubt.NONE

    def share(self, evidence: MotionEvidence) -> float:
        """Return the share of the speed to use, PROBATION_SHARE..1: falling from the slow to the hold bound."""
        by_gain = (float(np.min(evidence.gain)) - self.gain_hold) / (self.gain_slow - self.gain_hold)
        by_agreement = (evidence.agreement - self.agreement_hold) / (self.agreement_slow - self.agreement_hold)
        if evidence.expected_px2 < ENOUGH_PX2:
            by_agreement = 1.0
        return float(np.clip(min(by_gain, by_agreement), PROBATION_SHARE, 1.0))


def divergence_rule(params: ControllerParams) -> DivergenceRule:
    """Return the rule that the node's parameters describe."""
    return DivergenceRule(
        gain_slow=params.gain_slow,
        gain_hold=params.gain_hold,
        agreement_slow=params.agreement_slow,
        agreement_hold=params.agreement_hold,
    )


class DivergenceWatch:
    """Follows the evidence of one task: what to do about it now."""

    def __init__(self, rule: DivergenceRule) -> None:
        self.rule = rule
        self.forget()

    def forget(self) -> None:
        """Begin anew: an operator has looked, or another task begins."""
        self.doubt = Doubt.NONE
        """What to do now."""
        self.text = ''
        """Why, in one sentence; empty while there is no doubt."""
        self.holds = 0
        """Holds within this task so far."""
        self._task_id: int | None = None
        self._plan_id = 0
        self._held_plan_id: int | None = None
        self._probation = 0
        self._latest: MotionEvidence | None = None

    def update(self, evidence: MotionEvidence | None, *, task_id: int, plan_id: int) -> None:
        """Take in what an accepted estimate says about the motion so far. The same evidence again changes nothing."""
        if task_id != self._task_id:
            self.forget()
            self._task_id = task_id
        self._plan_id = plan_id
        if self.doubt is Doubt.STOP:
            return
        if self.doubt is Doubt.HOLD:
            if plan_id == self._held_plan_id:
                return
            self._probation = PROBATION
            self.doubt = Doubt.SLOW
        if evidence is None or _is_same(evidence, self._latest):
            return
        self._latest = evidence
        self._judge(evidence)

    def share(self) -> float:
        """Return the share of the speed that this doubt leaves, 0..1."""
        if self.doubt >= Doubt.HOLD:
            return 0.0
        if self._probation:
            return PROBATION_SHARE
        if self._latest is None:
            return 1.0
        proven = min(self._latest.expected_px2 / PROVEN_PX2, 1.0)
        return self.rule.share(self._latest) * (UNPROVEN_SHARE + (1.0 - UNPROVEN_SHARE) * proven)

    def _judge(self, evidence: MotionEvidence) -> None:
        found = self.rule.doubt(evidence, above=RECOVERY if self.doubt is not Doubt.NONE else 0.0)
        if self._probation and found < Doubt.STOP:
            self._probation -= 1
            if self._probation:
                return
        if found is Doubt.HOLD:
            self.holds += 1
            self._held_plan_id = self._plan_id
        self.doubt = Doubt.STOP if self.holds >= TRIES else found
        self.text = self._explain(evidence) if self.doubt is not Doubt.NONE else ''

    def _explain(self, evidence: MotionEvidence) -> str:
        worst = int(np.argmin(evidence.gain))
        remedy = 'are cameras swapped or moved, is a joint sign wrong, does the field belong to this robot?'
        return (
            f'the pictures do not show the motion the joints report: agreement {evidence.agreement:.2f} (holding below '
            f'{self.rule.agreement_hold}), joint {worst + 1} shows {evidence.gain[worst]:.2f} of its motion (holding below {self.rule.gain_hold}); {remedy}'
        )


def _is_same(first: MotionEvidence, second: MotionEvidence | None) -> bool:
    return second is not None and first.expected_px2 == second.expected_px2 and bool(np.array_equal(first.gain, second.gain))
