# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""All views in one picture, side by side, as video models see them; and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vera_core.errors import ConfigError, PlanningError, ShapeError
from vera_core.shapes import RgbArray, check_shapes
from vera_core.types import Frame, VideoPlan
from vera_planner.planner import PlanRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Where each view is: equal tiles from left to right, in the robot's order of views; tiles that are left over stay black."""

    views: tuple[str, ...]
    working_size: tuple[int, int]
    """(H, W) of a view outside of the canvas, px."""
    size: tuple[int, int]
    """(H, W) of the canvas, px."""
    tiles: int

    @property
    def tile_width(self) -> int:
        """Width of one tile, px."""
        return self.size[1] // self.tiles

    def put(self, context: Mapping[str, Sequence[Frame]], count: int) -> RgbArray:
        """Return the newest `count` moments of all views, shape (count, H, W, 3)."""
        height, width = self.size
        canvas = np.zeros((count, height, width, 3), np.uint8)
        for place, view in enumerate(self.views):
            left = place * self.tile_width
            for moment, frame in enumerate(context[view][-count:]):
                canvas[moment, :, left : left + self.tile_width] = _resize(frame.rgb, (height, self.tile_width))
        return canvas

    def take(self, frames: RgbArray) -> dict[str, RgbArray]:
        """Return the views of canvas pictures of shape (T, H, W, 3), each at the working size.

        Raises:
            ShapeError: If they have another size or type.
        """
        if frames.dtype != np.uint8:
            raise ShapeError(f'canvas pictures have dtype {frames.dtype}; uint8 was expected')
        check_shapes(canvas=(frames, f'T {self.size[0]} {self.size[1]} 3'))
        views = {}
        for place, view in enumerate(self.views):
            left = place * self.tile_width
            tile = frames[:, :, left : left + self.tile_width]
            views[view] = np.stack([_resize(picture, self.working_size) for picture in tile])
        return views


def make_canvas(views: tuple[str, ...], working_size: tuple[int, int], height: int, width: int, *, multiple: int, tiles: int = 0) -> Canvas:
    """Return the canvas of a robot's views; a height or width of 0 is that of the views side by side, rounded up to what the model takes.

    Raises:
        ConfigError: If a size is no multiple of `multiple`, not divisible among the views, or there are more views than tiles.
    """
    tiles = tiles or len(views)
    if len(views) > tiles:
        raise ConfigError(f'the robot has {len(views)} views, the model was made for {tiles}; name fewer views in the robot file')
    height = height or -(-working_size[0] // multiple) * multiple
    width = width or -(-working_size[1] // multiple) * multiple * tiles
    if height % multiple or width % (multiple * tiles):
        raise ConfigError(
            f'the canvas is {height} x {width} px; its height must be a multiple of {multiple}, its width of {multiple * tiles}'
        )
    return Canvas(views=views, working_size=working_size, size=(height, width), tiles=tiles)


def shared_context(request: PlanRequest, views: tuple[str, ...]) -> int:
    """Return how many moments all views have."""
    return min(len(request.context[view]) for view in views)


def plan_of(request: PlanRequest, canvas: Canvas, future: RgbArray, *, context_len: int, model: str) -> VideoPlan:
    """Return the plan with dreamt canvas pictures (T, H, W, 3) behind the newest real ones.

    Raises:
        PlanningError: If there is no dreamt picture.
    """
    if not len(future):
        raise PlanningError('the model returned no picture beyond those it was given; ask for a longer horizon')
    dreamt = canvas.take(future)
    return VideoPlan(
        plan_id=request.plan_id,
        task_id=request.task_id,
        prompt=request.prompt,
        stamp_ns=request.stamp_ns,
        step_dt_s=request.step_dt_s,
        frames={view: np.concatenate([request.context[view][-1].rgb[None], dreamt[view]]) for view in canvas.views},
        context_len=context_len,
        model=model,
        seed=request.seed,
    )


def _resize(rgb: RgbArray, size: tuple[int, int]) -> RgbArray:
    if rgb.shape[:2] == size:
        return rgb
    shrinks = size[0] <= rgb.shape[0] and size[1] <= rgb.shape[1]
    return np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), dtype=np.uint8)
