# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_control.confidence import ConfidenceRule, explain_low_confidence, freshness_share, speed_share

RULE = ConfidenceRule()


@pytest.mark.parametrize(
    ('ratio', 'share'),
    [(0.0, 1.0), (0.6, 1.0), (0.775, 0.5), (0.95, 0.0), (1.2, 0.0)],  # half way between 0.6 and 0.95 a smooth step is at one half
)
def test_speed_falls_smoothly_with_the_unexplained_share(estimate_of, ratio: float, share: float):
    assert speed_share(estimate_of(np.ones(7), 0, residual_ratio=ratio, residual_px=5.0), RULE) == pytest.approx(share)


def test_small_unexplained_flow_never_slows_the_arm(estimate_of):
    assert speed_share(estimate_of(np.ones(7), 0, residual_ratio=1.0, residual_px=0.5), RULE) == 1.0


def test_arm_nobody_sees_is_held(estimate_of):
    estimate = estimate_of(np.ones(7), 0, observability=np.zeros(7), residual_ratio=0.0)
    assert speed_share(estimate, RULE) == 0.0
    assert 'observability sums to 0.000' in explain_low_confidence(estimate, RULE)


def test_low_confidence_is_explained_with_its_numbers(estimate_of):
    text = explain_low_confidence(estimate_of(np.ones(7), 0, residual_ratio=0.97, residual_px=3.0), RULE)
    assert 'residual ratio 0.97, holding from 0.95; 3.00 px' in text


@pytest.mark.parametrize(('age_s', 'share'), [(0.0, 1.0), (0.1, 1.0), (0.15, 0.75), (0.2, 0.5), (0.3, 0.0), (0.4, 0.0)])
def test_speed_fades_in_the_last_part_of_the_timeout(age_s: float, share: float):
    assert freshness_share(age_s, 0.3) == pytest.approx(share)
