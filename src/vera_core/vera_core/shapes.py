# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Named-axis checks of arrays at package doors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vera_core.errors import ShapeError

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.floating[Any]]
RgbArray = npt.NDArray[np.uint8]


def check_shapes(**named: tuple[Array, str]) -> dict[str, int]:
    """Check arrays against axis patterns and return the sizes of the named axes.

    A pattern is a list of axes such as `'H W 2'`: a number must match exactly, a name must stand for the same size everywhere.

    Raises:
        ShapeError: If an array does not fit; the text names the array, its shape and the pattern.
    """
    sizes: dict[str, int] = {}
    for name, (array, pattern) in named.items():
        axes = pattern.split()
        if array.ndim != len(axes):
            raise ShapeError(f'{name} has shape {array.shape} but ({pattern}) was expected')
        for axis, size in zip(axes, array.shape, strict=True):
            wanted = int(axis) if axis.isdigit() else sizes.setdefault(axis, size)
            if size != wanted:
                raise ShapeError(f'{name} has shape {array.shape} but ({pattern}) was expected with {axis} = {wanted}')
    return sizes


def check_finite(**named: Array) -> None:
    """Refuse arrays that hold a NaN or an infinity.

    Raises:
        ShapeError: Names the array, how many values are not finite and where the first one is.
    """
    for name, array in named.items():
        finite = np.isfinite(array)
        if not finite.all():
            where = tuple(int(i) for i in np.argwhere(~finite)[0])
            raise ShapeError(
                f'{name} has {int((~finite).sum())} values that are not finite, the first at {where}; the whole input is refused'
            )
