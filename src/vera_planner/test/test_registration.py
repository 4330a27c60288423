# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A known object is found again by what of it is in sight, on pictures whose every pixel is known."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vera_planner.registration import ENOUGH, Expected, Template, register

SIZE, EDGE = 48, 7
BODY = np.tile(np.array([220.0, 30.0, 30.0], np.float32), (EDGE, EDGE, 1))
TEMPLATE = Template(colour=BODY, alpha=np.ones((EDGE, EDGE), np.float32), middle=np.array([3.0, 3.0]))
TABLE = np.full((SIZE, SIZE, 3), 90, np.uint8)


def picture(u: int, v: int) -> np.ndarray:
    made = TABLE.copy()
    made[v - 3 : v + 4, u - 3 : u + 4] = BODY
    return made


def hidden(columns: slice) -> np.ndarray:
    robot = np.zeros((SIZE, SIZE), bool)
    robot[:, columns] = True
    return robot


NOTHING = hidden(slice(0, 0))


@settings(max_examples=25, deadline=None)
@given(st.integers(16, 32), st.integers(16, 32), st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 5))
def test_the_place_is_exact_however_much_of_it_is_covered(u: int, v: int, du: int, dv: int, covered: int) -> None:
    robot = hidden(slice(u - 3, u - 3 + covered))
    uv, likelihood = register(TEMPLATE, picture(u, v), TABLE, robot, [Expected(uv=np.array([u + du, v + dv], float), std_px=3.0)])
    assert np.abs(uv - [u, v]).max() <= 0.25
    assert likelihood > ENOUGH


def test_what_is_out_of_sight_is_where_it_was_expected_most() -> None:
    here, there = Expected(uv=np.array([20.0, 24.0]), std_px=1.0), Expected(uv=np.array([27.0, 24.0]), std_px=1.0, doubt=2.0)
    for places in ([here, there], [there, here]):
        uv, likelihood = register(TEMPLATE, TABLE, TABLE, hidden(slice(0, SIZE)), places)
        assert np.array_equal(uv, here.uv)
        assert likelihood == 0.0


def test_what_is_seen_outweighs_what_was_expected() -> None:
    here, there = Expected(uv=np.array([20.0, 24.0]), std_px=1.0), Expected(uv=np.array([28.0, 24.0]), std_px=3.0, doubt=2.0)
    uv, likelihood = register(TEMPLATE, picture(29, 25), TABLE, NOTHING, [here, there])
    assert np.abs(uv - [29, 25]).max() <= 0.25
    assert likelihood > ENOUGH


def test_a_bare_table_where_it_should_be_says_that_it_is_not_there() -> None:
    _, likelihood = register(TEMPLATE, TABLE, TABLE, NOTHING, [Expected(uv=np.array([20.0, 24.0]), std_px=1.0)])
    assert likelihood < 0.0


def test_a_place_outside_the_picture_is_not_looked_at() -> None:
    uv, likelihood = register(TEMPLATE, TABLE, TABLE, NOTHING, [Expected(uv=np.array([500.0, 24.0]), std_px=1.0)])
    assert uv.tolist() == [500.0, 24.0]
    assert likelihood == 0.0
