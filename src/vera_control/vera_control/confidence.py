# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How much of an estimate's speed is used: all of it when joint motion explains the wanted flow, none when it explains next to nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vera_control.params import ControllerParams
from vera_core.types import JointVelocity

FADING_SHARE = 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceRule:
    """When to slow down and when to hold."""

    residual_full: float = 0.6
    """Up to this residual ratio the full speed is used."""
    residual_zero: float = 0.95
    """From this residual ratio on the arm holds."""
    residual_floor_px: float = 0.6
    """Unexplained flow of this size is noise of the flow itself and slows nothing down, px rms. (A small wanted motion has a high ratio by nature.)"""
    observability_min: float = 0.05
    """With a sum of observabilities below this the images show no joint at all, and the arm holds."""


def rule_of(params: ControllerParams) -> ConfidenceRule:
    """Return the rule that the node's parameters describe."""
    return ConfidenceRule(
        residual_full=params.residual_full,
        residual_zero=params.residual_zero,
        residual_floor_px=params.residual_floor_px,
        observability_min=params.observability_min,
    )


def speed_share(estimate: JointVelocity, rule: ConfidenceRule) -> float:
    """Return the share of the estimated speed to use, 0..1: a smooth step down between the two residual ratios."""
    if float(np.sum(estimate.observability)) < rule.observability_min:
        return 0.0
    doubt = (estimate.residual_ratio - rule.residual_full) / (rule.residual_zero - rule.residual_full)
    size = estimate.residual_px / rule.residual_floor_px - 1.0
    step = float(np.clip(min(doubt, size), 0.0, 1.0))
    return 1.0 - step * step * (3.0 - 2.0 * step)


def freshness_share(age_s: float, timeout_s: float) -> float:
    """Return the share of the speed to use by the age of the newest estimate, 0..1: full at first, falling to none over the last two thirds of the timeout.

    So a silent source means rest soon, and one that is merely late only a slower arm. After the last estimate the arm goes as far as at full speed for two
    thirds of the timeout: falling early and softly is how it can wait longer for a late one without going further.
    """
    return float(np.clip((timeout_s - age_s) / (FADING_SHARE * timeout_s), 0.0, 1.0))


def explain_low_confidence(estimate: JointVelocity, rule: ConfidenceRule) -> str:
    """Say in one sentence why the speed share is zero."""
    total = float(np.sum(estimate.observability))
    if total < rule.observability_min:
        return f'the images show no joint (observability sums to {total:.3f}, at least {rule.observability_min} is needed); is the arm in view?'
    return (
        f'joint motion explains too little of the wanted flow (residual ratio {estimate.residual_ratio:.2f}, holding from {rule.residual_zero}; '
        f'{estimate.residual_px:.2f} px); the plan asks for what this arm cannot do, or the field does not fit it'
    )
