# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for people show what the arrays say."""

from __future__ import annotations

import numpy as np
import pytest

from vera_core.errors import ShapeError
from vera_core.types import JacobianField
from vera_jidm.overlay import draw_field, draw_flow, field_mosaic

GREY = np.full((64, 64, 3), 100, np.uint8)


def field() -> JacobianField:
    jacobian = np.zeros((16, 16, 2, 3))
    jacobian[4:8, 4:8, 0, 0] = 50.0
    jacobian[4:8, 4:8, 0, 1] = -50.0
    return JacobianField(view='front', jacobian=jacobian, confidence=np.ones((16, 16)), stride=4)


def test_no_flow_draws_nothing() -> None:
    np.testing.assert_array_equal(draw_flow(GREY, np.zeros((64, 64, 2)), scale=1), GREY)


def test_arrows_are_drawn_where_something_moves_and_is_trusted() -> None:
    flow, trust = np.zeros((64, 64, 2)), np.ones((64, 64))
    flow[:32, :, 0] = 4.0
    trust[:, 32:] = 0.0
    changed = (draw_flow(GREY, flow, trust) != 100).any(axis=-1)
    assert changed.shape == (128, 128)
    assert changed[:64, :60].any()
    assert not changed[70:].any()
    assert not changed[:, 80:].any()


def test_field_is_coloured_where_the_joint_moves_the_picture() -> None:
    picture = draw_field(GREY, field(), 0, scale=1)
    changed = (picture != 100).any(axis=-1)
    assert changed[16:32, 16:32].all()
    assert changed.sum() == 16 * 16


def test_opposite_directions_have_different_colours() -> None:
    right, left = draw_field(GREY, field(), 0)[48, 48], draw_field(GREY, field(), 1)[48, 48]
    assert np.abs(right.astype(int) - left.astype(int)).max() > 80


def test_a_joint_that_moves_nothing_leaves_the_picture_alone() -> None:
    np.testing.assert_array_equal(draw_field(GREY, field(), 2, scale=1), GREY)


def test_mosaic_shows_every_joint() -> None:
    assert field_mosaic(GREY, field(), columns=2).shape == (128, 128, 3)


def test_wrong_joint_or_size_is_refused() -> None:
    with pytest.raises(ShapeError, match='joint 3 is not one of the 3 joints'):
        draw_field(GREY, field(), 3)
    with pytest.raises(ShapeError, match='field covers 64 x 64 px but the picture is 32 x 64 px'):
        draw_field(GREY[:32], field(), 0)
