# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The few statistics an evaluation reports, without SciPy: Wilson interval, median, percentile."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vera_core.errors import ConfigError


def wilson_interval(successes: int, trials: int, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return the Wilson score interval of a share, [Wilson 1927].

    With p = successes / trials: centre (p + z²/2n) / (1 + z²/n), half width z / (1 + z²/n) * sqrt(p(1-p)/n + z²/4n²).

    Args:
        successes: Number of successes, 0..trials.
        trials: Number of independent trials, >= 1.
        z: Quantile of the normal distribution; the default gives 95 %.

    Raises:
        ConfigError: If the counts cannot be counts of that kind.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ConfigError(f'{successes} successes of {trials} trials have no interval; need trials >= 1 and 0 <= successes <= trials')
    share = successes / trials
    shrink = 1.0 + z * z / trials
    centre = (share + z * z / (2.0 * trials)) / shrink
    half = z / shrink * math.sqrt(share * (1.0 - share) / trials + z * z / (4.0 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the percentile (`share` in 0..100, linear between neighbours), or None of no values."""
    return float(np.percentile(np.asarray(values, dtype=np.float64), share)) if len(values) else None


def median(values: Sequence[float]) -> float | None:
    """Return the median, or None of no values."""
    return percentile(values, 50.0)
