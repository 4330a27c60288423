# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_bringup.measures import duty_cycle, image_to_command_latency

MS = 1_000_000


def test_duty_cycle_counts_the_time_until_the_next_sample():
    # Moves from 1 s to 3 s of a task from 0 s to 4 s: half of it.
    stamps = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    speeds = np.array([0.0, 0.5, 0.5, 0.0, 0.0])
    assert duty_cycle(stamps, speeds, 0.0, 4.0) == pytest.approx(0.5)


def test_duty_cycle_ignores_motion_outside_the_task():
    # Moving all the time, sampled from -2 s to 2 s; the task lasts from 0 s to 4 s, its second half without samples counts as rest.
    assert duty_cycle(np.linspace(-2, 2, 41), np.ones(41), 0.0, 4.0) == pytest.approx(0.5)


def test_duty_cycle_of_an_arm_that_trembles_is_zero():
    assert duty_cycle(np.linspace(0, 1, 11), np.full(11, 0.004), 0.0, 1.0) == 0.0


def test_duty_cycle_without_samples_is_zero():
    assert duty_cycle(np.zeros(0), np.zeros(0), 0.0, 1.0) == 0.0


def test_latency_runs_from_picture_to_first_command_after_the_estimate():
    # Pictures at 0 and 100 ms, estimates out at 40 and 150 ms, commands every 20 ms: the first uses are at 40 and 160 ms.
    latencies = image_to_command_latency([0, 100 * MS], [40 * MS, 150 * MS], [20 * MS * k for k in range(20)])
    assert latencies == pytest.approx([0.040, 0.060])


def test_latency_has_no_value_for_an_overtaken_estimate():
    # Both estimates were out before the next command at 100 ms: only the newer one was used.
    assert image_to_command_latency([0, 10 * MS], [50 * MS, 60 * MS], [0, 100 * MS]) == pytest.approx([0.090])


def test_latency_has_no_value_when_no_command_follows():
    assert image_to_command_latency([0], [50 * MS], [10 * MS]) == []
