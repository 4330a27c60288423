# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A small sample of benchmarks/shaper_limits.py, and that it would see a broken limit."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vera_core.embodiment import load_embodiment

SPEC = importlib.util.spec_from_file_location('shaper_limits', Path(__file__).parents[3] / 'benchmarks/shaper_limits.py')
assert SPEC is not None and SPEC.loader is not None
shaper_limits = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = shaper_limits  # dataclasses look their module up by name
SPEC.loader.exec_module(shaper_limits)
BENCHES = {name: shaper_limits.Bench(load_embodiment(name), clearance=False) for name in shaper_limits.ROBOTS}


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(number=st.integers(0, 2**31))
@pytest.mark.parametrize('name', ['panda', 'fr3', 'allegro'])
def test_random_commands_break_no_limit(name: str, number: int):
    count = shaper_limits.Count()
    shaper_limits.run_chunk(BENCHES[name], number, 15, count)
    assert (count.sequences, count.violations, count.refused) == (15, 0, 0)
    # The sample means something only if it goes to the limits.
    assert count.samples > 5_000
    assert count.peak_acceleration > 0.8 and count.peak_jerk > 0.7


@pytest.mark.parametrize(
    ('joint', 'state', 'broken'),
    [
        (0, [[-3.0, 0.0, 0.0], [-3.0, 0.0, 0.0]], 'position'),
        (0, [[0.0, 0.9, 0.0], [0.009, 0.9, 0.0]], 'velocity'),
        (1, [[1.4, 0.4, 0.0], [1.404, 0.4, 0.0]], 'velocity'),  # only near its position limit is that too fast
        (2, [[0.0, 0.0, 4.5], [0.000225, 0.045, 4.5]], 'acceleration'),
        (3, [[-2.0, 0.0, 0.0], [-1.9999, 0.0, 0.0]], 'jerk'),
    ],
)
def test_the_look_sees_a_broken_limit(joint: int, state: list[list[float]], broken: str):
    bench = shaper_limits.Bench(load_embodiment('fr3'), clearance=False)
    points = np.zeros((2, 3, 7))
    points[:, 0] = bench.robot.home
    points[:, :, joint] = state
    count = shaper_limits.Count()
    bench.look([points], count)
    assert getattr(count, broken) == 1
