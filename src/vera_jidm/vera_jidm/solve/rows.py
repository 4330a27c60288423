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

    def __len__(self) -> int:
        """Number of row pairs."""
        return len(self.weights)

    def every(self, stride: int) -> Rows:
        """Return every `stride`-th row pair: they say the same as all of them, with 1 / stride of the image energy."""
        if stride == 1:
            return self
        return Rows(jacobian=self.jacobian[::stride].copy(), flow=self.flow[::stride].copy(), weights=self.weights[::stride].copy())

    def error(self, delta_q: FloatArray) -> FloatArray:
        """Return the image motion that a joint step leaves, ``flow_i - jacobian_i delta_q``, shape (N, 2), px."""
        error = self.jacobian.reshape(-1, len(delta_q)) @ delta_q
        np.subtract(self.flow.reshape(-1), error, out=error)
        return np.asarray(error.reshape(-1, 2))


def squared_length(vectors: FloatArray) -> FloatArray:
    """Return u² + v² of vectors of shape (N, 2), shape (N,), px²."""
    squares = vectors * vectors
    return np.asarray(squares[:, 0] + squares[:, 1])


def pool_to_cells(values: FloatArray, stride: int) -> FloatArray:
    """Average pixels over cells: (H, W, ...) to (H / stride, W / stride, ...), float64.

    Raises:
        ShapeError: If the picture does not divide into whole cells.
    """
    height, width = values.shape[:2]
    if height % stride or width % stride:
        raise ShapeError(f'a picture of {height} x {width} px does not divide into cells of {stride} px')
    if stride == 1:
        return np.asarray(values, dtype=np.float64)
    # Rows first, then columns: the first sum runs along memory, which is ten times faster than one mean over both axes.
    strips = values.reshape(height // stride, stride, -1).astype(np.float64).sum(axis=1)
    cells = strips.reshape(height // stride, width // stride, stride, *values.shape[2:])
    return np.asarray(np.einsum('ijk...->ij...', cells) / stride**2)


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
    jacobians, flows, weights = zip(*parts, strict=True)
    # One conversion into the stacked array: on fine grids copying the Jacobian costs as much as solving with it.
    return Rows(jacobian=np.concatenate(jacobians, dtype=np.float64), flow=np.concatenate(flows), weights=np.concatenate(weights))


def _rows_of_view(field: JacobianField, flow: FloatArray, confidence: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    pooled_flow = pool_to_cells(flow, field.stride)
    rows, columns = field.jacobian.shape[:2]
    if pooled_flow.shape != (rows, columns, 2):
        raise ShapeError(
            f'jacobian of {field.view} has shape {field.jacobian.shape} with cells of {field.stride} px, which is {columns * field.stride}x'
            f'{rows * field.stride} px, but its flow is {flow.shape[1]}x{flow.shape[0]} px'
        )
    area = (field.stride / REFERENCE_CELL_PX) ** 2
    weights = (field.confidence * pool_to_cells(confidence, field.stride) * area).reshape(-1)
    jacobian, pooled_flow = field.jacobian.reshape(-1, *field.jacobian.shape[2:]), pooled_flow.reshape(-1, 2)
    seen = weights > 0
    if seen.all():
        return jacobian, pooled_flow, weights
    return jacobian[seen], pooled_flow[seen], weights[seen]
