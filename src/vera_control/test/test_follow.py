# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_control.follow import ReferenceHistory, velocity_towards

S = 1_000_000_000


def test_history_interpolates_and_holds_its_ends():
    history = ReferenceHistory(span_s=1.0)
    assert history.at(0) is None
    for index in range(5):
        history.add(index * S // 10, np.array([float(index)]))
    assert history.at(S // 4) == pytest.approx(2.5)
    assert history.at(-S) == pytest.approx(0.0)
    assert history.at(9 * S) == pytest.approx(4.0)
    history.add(2 * S, np.array([9.0]))
    assert history.at(0) == pytest.approx(9.0)  # everything older than a second is forgotten


@pytest.mark.parametrize('latency_s', [0.0, 0.1, 0.2, 0.4])
def test_arm_that_keeps_up_with_a_steady_plan_gets_exactly_its_speed(estimate_of, latency_s: float):
    speed = np.array([0.2, -0.1, 0.05, 0.0, 0.1, 0.3, -0.2])
    estimate = estimate_of(speed, 10 * S)
    moved = speed * latency_s
    start_ns = 10 * S + int(latency_s * S)
    velocity = velocity_towards(estimate, reference_then=np.zeros(7), reference_start=moved, start_ns=start_ns)
    np.testing.assert_allclose(velocity, speed, atol=1e-9)


def test_step_already_done_at_the_end_of_a_plan_asks_for_nothing_more(estimate_of):
    estimate = estimate_of(np.full(7, 0.2), 10 * S, at_plan_end=True)
    velocity = velocity_towards(estimate, reference_then=np.zeros(7), reference_start=estimate.delta_q, start_ns=10 * S + S // 5)
    np.testing.assert_allclose(velocity, 0.0, atol=1e-12)
