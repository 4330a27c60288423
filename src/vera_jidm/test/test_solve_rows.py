# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of the inversion: pooling, stacking, weights."""

from __future__ import annotations

import numpy as np
import pytest

from vera_core.errors import ShapeError
from vera_core.types import FlowField, JacobianField
from vera_jidm.solve.rows import pool_to_cells, stack_rows


def field(view: str, cells: int = 2, stride: int = 4, confidence: float = 1.0) -> JacobianField:
    jacobian = np.arange(cells * cells * 2 * 3, dtype=float).reshape(cells, cells, 2, 3)
    return JacobianField(view=view, jacobian=jacobian, confidence=np.full((cells, cells), confidence), stride=stride)


def flow_field(views: dict[str, np.ndarray], confidence: float = 1.0) -> FlowField:
    trust = {view: np.full(flow.shape[:2], confidence) for view, flow in views.items()}
    return FlowField(stamp_ns=1, plan_id=1, task_id=1, step=1, dt_s=0.3, flow=views, confidence=trust, remaining_px=0.0, at_plan_end=False)


def test_pool_averages_whole_cells() -> None:
    # Cell (0, 1) of a 4 x 4 ramp 0..15 with 2 px cells holds 2, 3, 6, 7: mean 4.5.
    pooled = pool_to_cells(np.arange(16.0).reshape(4, 4), 2)
    assert pooled.shape == (2, 2)
    assert pooled[0, 1] == 4.5


def test_pool_refuses_pictures_that_do_not_divide() -> None:
    with pytest.raises(ShapeError, match='10 x 8 px does not divide into cells of 4 px'):
        pool_to_cells(np.zeros((10, 8, 2)), 4)


def test_rows_of_all_views_are_stacked_in_name_order() -> None:
    flow = {'side': np.full((8, 8, 2), 2.0), 'front': np.full((8, 8, 2), 1.0)}
    rows = stack_rows({'side': field('side'), 'front': field('front')}, flow_field(flow))
    assert rows.jacobian.shape == (8, 2, 3)
    np.testing.assert_array_equal(rows.flow[:, 0], [1, 1, 1, 1, 2, 2, 2, 2])


def test_weights_multiply_both_confidences_once() -> None:
    rows = stack_rows({'front': field('front', confidence=0.5)}, flow_field({'front': np.ones((8, 8, 2))}, confidence=0.25))
    np.testing.assert_allclose(rows.weights, 0.125)


def test_weights_carry_the_area_of_a_cell() -> None:
    # One 8 px cell covers four 4 px cells.
    rows = stack_rows({'front': field('front', cells=1, stride=8)}, flow_field({'front': np.ones((8, 8, 2))}))
    np.testing.assert_allclose(rows.weights, [4.0])


def test_cells_without_trust_are_left_out() -> None:
    rows = stack_rows({'front': field('front', confidence=0.0)}, flow_field({'front': np.ones((8, 8, 2))}))
    assert rows.jacobian.shape == (0, 2, 3)


def test_a_view_without_field_is_named() -> None:
    with pytest.raises(ShapeError, match='no Jacobian field for side'):
        stack_rows({'front': field('front')}, flow_field({'front': np.ones((8, 8, 2)), 'side': np.ones((8, 8, 2))}))


def test_grid_and_picture_must_agree() -> None:
    with pytest.raises(ShapeError, match='jacobian of front'):
        stack_rows({'front': field('front', cells=4)}, flow_field({'front': np.ones((8, 8, 2))}))
