# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sizes read off learning curves whose law is known."""

from __future__ import annotations

import pytest

from vera_jidm.direct.curves import data_ratio, size_for_error

ROOT = {size: 10 * size**-0.5 for size in (100, 400, 1600)}
"""Error 1, .5 and .25: falls with the root of the size, a straight line in log-log."""


def test_size_between_points_follows_the_power_law() -> None:
    # 10 / sqrt(N) = .4 at N = 625 and = .3 at N = 1111.
    assert size_for_error(ROOT, 0.4) == pytest.approx(625)
    assert size_for_error(ROOT, 0.3) == pytest.approx(1111.1, abs=0.1)
    assert size_for_error(ROOT, 0.25) == pytest.approx(1600)


def test_easy_errors_need_at_most_the_smallest_set_and_hard_ones_are_never_reached() -> None:
    assert size_for_error(ROOT, 2.0) == 100
    assert size_for_error(ROOT, 0.2) is None


def test_ratio_is_the_share_of_the_data_that_is_enough() -> None:
    # Half the error at every size: with the root law a quarter of the data is enough.
    better = {size: error / 2 for size, error in ROOT.items()}
    assert data_ratio(better, ROOT, 1600) == pytest.approx(0.25)
    assert data_ratio(better, ROOT, 400) == pytest.approx(0.25)
    assert data_ratio(ROOT, better, 1600) is None
