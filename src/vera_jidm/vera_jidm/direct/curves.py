# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads learning curves: how much data one estimator needs for the accuracy another reaches with more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def size_for_error(curve: Mapping[int, float], wanted: float) -> float | None:
    """Return the training-set size at which a curve first comes down to an error, between its points along straight lines in log-log.

    Args:
        curve: Error by training-set size.
        wanted: Error to reach, > 0.

    Returns:
        The smallest size of the curve when its error is low enough already (so the true answer may be smaller still); None when the
        curve never gets there.
    """
    sizes = sorted(curve)
    for number, size in enumerate(sizes):
        if curve[size] <= wanted:
            if number == 0:
                return float(size)
            before = sizes[number - 1]
            part = np.log(curve[before] / wanted) / np.log(curve[before] / curve[size])
            return float(before * (size / before) ** part)
    return None


def data_ratio(fewer: Mapping[int, float], more: Mapping[int, float], size: int) -> float | None:
    """Return which share of `size` the first estimator needs for the error that the second one has there; None when it never gets there."""
    needed = size_for_error(fewer, more[size])
    return None if needed is None else needed / size
