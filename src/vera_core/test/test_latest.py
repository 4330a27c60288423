# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from vera_core.latest import Latest


@given(st.lists(st.one_of(st.integers(), st.none())))
def test_every_value_is_taken_dropped_or_still_there(steps):
    slot = Latest()
    taken = 0
    newest = None
    for step in steps:
        if step is None:
            value = slot.take()
            assert value is None or value == newest
            taken += value is not None
        else:
            slot.put(step)
            newest = step
        assert slot.peek() == newest
    left = slot.take() is not None
    assert slot.received == taken + slot.dropped + left


def test_take_gives_the_newest_once():
    slot = Latest()
    slot.put(1)
    slot.put(2)
    assert (slot.take(), slot.take(), slot.peek(), slot.dropped) == (2, None, 2, 1)
    slot.clear()
    assert (slot.peek(), slot.received) == (None, 2)


def test_wait_wakes_for_a_value_and_gives_up_in_time():
    slot = Latest()
    assert slot.wait(0.01) is None
    threading.Timer(0.05, slot.put, ['plan']).start()
    assert slot.wait(5.0) == 'plan'
