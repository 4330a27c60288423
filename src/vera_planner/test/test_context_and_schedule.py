# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vera_core.errors import ConfigError
from vera_core.types import Frame, VideoPlan
from vera_planner.context import ContextBuffer
from vera_planner.schedule import ReplanSchedule

S = 1_000_000_000


def frame(stamp_s: float, view: str = 'front') -> Frame:
    return Frame(view=view, stamp_ns=round(stamp_s * S), rgb=np.zeros((4, 4, 3), np.uint8))


def stamps(buffer: ContextBuffer, view: str = 'front') -> list[float]:
    return [round(f.stamp_ns / S, 3) for f in buffer.context()[view]]


def test_context_is_one_frame_at_cold_start_and_grows_with_the_spacing() -> None:
    buffer = ContextBuffer(['front'], length=3, spacing_s=0.3)
    assert buffer.context()['front'] == () and buffer.missing == ('front',)
    for k in range(9):
        buffer.add(frame(10 + 0.1 * k))
        assert len(stamps(buffer)) == 1 + (k >= 2) + (k >= 5)
    # 10.8 is the newest; 0.3 and 0.6 s before it are 10.5 and 10.2.
    assert stamps(buffer) == [10.2, 10.5, 10.8]


def test_picture_that_stands_still_in_time_is_not_repeated() -> None:
    buffer = ContextBuffer(['front'], length=3, spacing_s=0.3)
    for _ in range(20):
        buffer.add(frame(10.0))
    assert stamps(buffer) == [10.0]


def test_clock_that_jumps_back_starts_anew() -> None:
    buffer = ContextBuffer(['front'], length=3, spacing_s=0.3)
    for k in range(9):
        buffer.add(frame(10 + 0.1 * k))
    buffer.add(frame(5.0))
    assert stamps(buffer) == [5.0]


def test_unknown_view_is_named() -> None:
    with pytest.raises(ConfigError, match="no view 'top'.*front"):
        ContextBuffer(['front'], length=1, spacing_s=0.3).add(frame(1.0, 'top'))


@given(st.lists(st.floats(0.01, 0.5), min_size=1, max_size=60), st.integers(1, 5))
def test_context_rises_strictly_and_ends_with_the_newest(gaps: list[float], length: int) -> None:
    buffer = ContextBuffer(['front'], length=length, spacing_s=0.3)
    now = 100.0
    for gap in gaps:
        now += gap
        buffer.add(frame(now))
    picked = [f.stamp_ns for f in buffer.context()['front']]
    assert picked[-1] == round(now * S) and len(picked) <= length
    assert picked == sorted(set(picked))


def test_replan_is_due_for_a_new_task_and_after_the_period_only() -> None:
    schedule = ReplanSchedule(period_s=2.0)
    plan = VideoPlan(plan_id=1, task_id=4, prompt='x', stamp_ns=10 * S, step_dt_s=0.3, frames={'front': np.zeros((3, 4, 4, 3), np.uint8)})
    ask = {'newest_ns': 11 * S, 'task_id': 4, 'plan': plan, 'plans_once': False}
    assert schedule.is_due(**ask | {'plan': None})
    assert schedule.is_due(**ask | {'task_id': 5})
    assert not schedule.is_due(**ask)
    assert schedule.is_due(**ask | {'newest_ns': 12 * S})
    assert schedule.is_due(**ask | {'newest_ns': 9 * S})
    assert not schedule.is_due(**ask | {'newest_ns': 60 * S, 'plans_once': True})
