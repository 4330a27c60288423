# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vera_bringup.statistics import median, percentile, wilson_interval
from vera_core.errors import ConfigError


def test_wilson_interval_of_all_successes_is_n_over_n_plus_z_squared():
    # p = 1: the lower end is n / (n + z²) = 30 / (30 + 3.8415) = 0.8865 and the upper one is 1.
    low, high = wilson_interval(30, 30)
    assert low == pytest.approx(0.8865, abs=1e-4)
    assert high == pytest.approx(1.0)


def test_wilson_interval_of_eight_in_ten_by_hand():
    # centre (0.8 + 3.8415/20) / (1 + 3.8415/10) = 0.99207/1.38415 = 0.71674
    # half   1.95996/1.38415 * sqrt(0.8*0.2/10 + 3.8415/400) = 1.41601 * 0.16001 = 0.22657
    assert wilson_interval(8, 10) == pytest.approx((0.49017, 0.94331), abs=2e-4)


def test_wilson_interval_of_no_success_starts_at_zero():
    # p = 0: the upper end is z² / (n + z²) = 3.8415 / 13.8415 = 0.2775.
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share_and_mirrors(counts):
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    mirrored = wilson_interval(trials - successes, trials)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(('successes', 'trials'), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_interval_refuses_impossible_counts(successes, trials):
    with pytest.raises(ConfigError, match=f'{successes} successes of {trials} trials'):
        wilson_interval(successes, trials)


def test_median_and_percentile_of_few_values():
    assert median([3.0, 1.0, 2.0]) == 2.0
    # Linear between neighbours: 95 % of the way from index 0 to 4 is 3.8, i.e. 4 + 0.8 * (10 - 4).
    assert percentile([0.0, 1.0, 2.0, 4.0, 10.0], 95.0) == pytest.approx(8.8)
    assert median([]) is None
