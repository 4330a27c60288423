# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Stack what all views say into one list of weighted rows: jacobian @ delta_q = flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vera_core.errors import ShapeError
from vera_core.shapes import FloatArray, check_shapes
from vera_core.types import FlowField, JacobianField

REFERENCE_CELL_PX = 4
"""A cell of this edge has area weight 1, so that the ridge means the same on finer and coarser grids."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rows:
    """One row pair (u and v) per grid cell of every view."""

    jacobian: FloatArray
    """Shape (N, 2, n), px/rad, float64."""
    flow: FloatArray
    """Shape (N, 2), px, float64."""
    weights: FloatArray
    """Shape (N,), unitless, >= 0: field confidence x flow confidence x cell area."""

    def __post_init__(self) -> None:
        check_shapes(jacobian=(self.jacobian, 'N 2 n'), flow=(self.flow, 'N 2'), weights=(self.weights, 'N'))


def pool_to_cells(values: FloatArray, stride: int) -> FloatArray:
    """Average pixels over cells: (H, W, ...) to (H / stride, W / stride, ...).

    Raises:
        ShapeError: If the picture does not divide into whole cells.
    """
    height, width = values.shape[:2]
    if height % stride or width % stride:
        raise ShapeError(f'a picture of {height} x {width} px does not divide into cells of {stride} px')
    cells = values.reshape(height // stride, stride, width // stride, stride, *values.shape[2:])
    return np.asarray(cells.mean(axis=(1, 3), dtype=np.float64))


def stack_rows(fields: Mapping[str, JacobianField], flow: FlowField) -> Rows:
    """Pool the flow of every view to the cells of its field and stack all views.

    Cells whose weight is zero are left out: they cannot change any answer.

    Raises:
        ShapeError: If a view of the flow has no field, or grid and picture do not fit.
    """
    missing = sorted(set(flow.flow) - set(fields))
    if missing:
        raise ShapeError(f'flow has views {sorted(flow.flow)} but there is no Jacobian field for {", ".join(missing)}')
    parts = [_rows_of_view(fields[view], flow.flow[view], flow.confidence[view]) for view in sorted(flow.flow)]
    return Rows(
        jacobian=np.concatenate([part.jacobian for part in parts]),
        flow=np.concatenate([part.flow for part in parts]),
        weights=np.concatenate([part.weights for part in parts]),
    )


def _rows_of_view(field: JacobianField, flow: FloatArray, confidence: FloatArray) -> Rows:
    pooled_flow = pool_to_cells(flow, field.stride)
    check_shapes(**{f'flow cells of {field.view}': (pooled_flow, 'h w 2'), f'jacobian of {field.view}': (field.jacobian, 'h w 2 n')})
    area = (field.stride / REFERENCE_CELL_PX) ** 2
    weights = field.confidence.astype(np.float64) * pool_to_cells(confidence, field.stride) * area
    seen = weights > 0
    return Rows(jacobian=field.jacobian[seen].astype(np.float64), flow=pooled_flow[seen], weights=weights[seen])
