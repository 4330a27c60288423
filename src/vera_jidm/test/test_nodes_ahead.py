# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The field of new pictures is made before it is asked for, and never that of other pictures."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from vera_core.errors import ShapeError
from vera_core.types import JacobianField
from vera_jidm.ahead import KEPT, PATIENCE_NS, FieldAhead, Turns
from vera_jidm.buffers import Once

POSITION = np.zeros(2)


class Slow:
    """Says which pictures it was asked for (by their first byte) and waits for leave to answer."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.started = threading.Semaphore(0)
        self.leave = threading.Semaphore(0)

    def predict(self, frames: Mapping[str, np.ndarray], position: np.ndarray) -> Mapping[str, JacobianField]:
        number = int(frames['front'].flat[0])
        self.begun.append(number)
        self.started.release()
        assert self.leave.acquire(timeout=10)
        if number == 13:
            raise ShapeError('picture 13 does not fit')
        return {'front': JacobianField(view='front', jacobian=np.full((1, 1, 2, 2), number), confidence=np.ones((1, 1)), stride=4)}


def picture(number: int) -> dict[str, np.ndarray]:
    return {'front': np.full((4, 4, 3), number, np.uint8)}


def number_of(fields: Mapping[str, JacobianField]) -> int:
    return int(fields['front'].jacobian.flat[0])


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def ahead(slow: Slow) -> Iterator[FieldAhead]:
    made = FieldAhead(slow)
    yield made
    slow.leave.release(100)
    made.close()


def test_a_field_that_was_begun_is_not_made_again(slow: Slow, ahead: FieldAhead) -> None:
    frames = picture(1)
    ahead.begin(frames, POSITION)
    assert slow.started.acquire(timeout=10)  # at work before anybody asks
    slow.leave.release()
    assert number_of(ahead.predict({'front': frames['front']}, POSITION)) == 1
    assert slow.begun == [1]


def test_equal_pictures_of_another_time_are_other_pictures(slow: Slow, ahead: FieldAhead) -> None:
    slow.leave.release(2)
    ahead.begin(picture(1), POSITION)
    assert number_of(ahead.predict(picture(1), POSITION)) == 1
    assert slow.begun == [1, 1]


def test_pictures_nobody_announced_are_answered(slow: Slow, ahead: FieldAhead) -> None:
    slow.leave.release()
    assert number_of(ahead.predict(picture(7), POSITION)) == 7


def test_newer_pictures_take_the_place_of_waiting_ones(slow: Slow, ahead: FieldAhead) -> None:
    sets = [picture(number) for number in range(4)]
    for frames in sets:
        ahead.begin(frames, POSITION)
    assert slow.started.acquire(timeout=10)
    slow.leave.release(10)
    assert number_of(ahead.predict(sets[3], POSITION)) == 3
    assert slow.begun in ([0, 3], [3])  # the first may have started before the others came


def test_pictures_that_were_given_up_are_answered_when_asked_for(slow: Slow, ahead: FieldAhead) -> None:
    first, second, third = picture(1), picture(2), picture(3)
    ahead.begin(first, POSITION)
    assert slow.started.acquire(timeout=10)
    ahead.begin(second, POSITION)
    ahead.begin(third, POSITION)
    slow.leave.release(10)
    assert number_of(ahead.predict(second, POSITION)) == 2
    assert number_of(ahead.predict(first, POSITION)) == 1


def test_old_fields_are_forgotten(slow: Slow, ahead: FieldAhead) -> None:
    slow.leave.release(100)
    frames = picture(0)
    ahead.begin(frames, POSITION)
    for number in range(1, KEPT + 1):
        ahead.begin(picture(number), POSITION)
    assert len(ahead._begun) == KEPT
    assert number_of(ahead.predict(frames, POSITION)) == 0


def test_what_is_wrong_with_the_pictures_is_told_to_whoever_asks(slow: Slow, ahead: FieldAhead) -> None:
    slow.leave.release(10)
    frames = picture(13)
    ahead.begin(frames, POSITION)
    with pytest.raises(ShapeError, match='picture 13 does not fit'):
        ahead.predict(frames, POSITION)
    assert number_of(ahead.predict(picture(1), POSITION)) == 1


def test_every_set_of_pictures_has_its_turn_once_and_waits_for_the_flow_before() -> None:
    turns = Turns()
    assert not turns.begin(0)  # a view has no picture yet
    assert turns.begin(100)
    assert not turns.begin(100)
    assert not turns.begin(200)  # flow_node is at work on 100
    turns.flow_came(100)
    assert turns.begin(200)
    assert turns.begin(200 + PATIENCE_NS)  # flow_node did not take 200


def test_pictures_whose_flow_has_come_are_not_begun_and_hold_up_nobody() -> None:
    turns = Turns()
    for stamp_ns in range(100, 1000, 100):
        turns.flow_came(stamp_ns)
        assert not turns.begin(stamp_ns)
        assert turns.begin(stamp_ns + 50)
        turns.flow_came(stamp_ns)  # late: 50 has been begun meanwhile
        assert not turns.begin(stamp_ns + 50)


def test_stamps_that_jump_back_have_their_turn() -> None:
    turns = Turns()
    turns.flow_came(10**12)
    for stamp_ns in (100, 200, 300):
        assert turns.begin(stamp_ns)
        turns.flow_came(stamp_ns)


def test_once_makes_its_value_once_and_a_fault_every_time() -> None:
    made: list[int] = []
    once = Once(lambda: made.append(1) or [])  # type: ignore[func-returns-value]
    assert once.get() is once.get()
    assert made == [1]
    never = Once(lambda: 1 // 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            never.get()
