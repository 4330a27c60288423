# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The object that a task moves: where it is in every view, what it looks like, and how it is laid into a dream.

It is found by grounding in the picture without the robot, cut out of the real picture when nothing covers it, left out of the remembered
background, and pasted where the dream has it. So it keeps its real edges and texture however far it is moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from vera_core.shapes import Array, FloatArray, RgbArray
from vera_planner.background import BackgroundMemory, grown
from vera_planner.models.grounding import Grounding, read_heat

WINDOW_PX = 14
"""Half of the window round the object's pixel in which it is cut out."""
DIFFERENT = (18.0, 40.0)
"""Difference from the background, 0..255, at which a pixel begins to belong to the object and at which it does so wholly."""
NEAR_PX = 4
"""So near to its pixel the object must show, or it is not cut out."""
SMALLEST_PX = 6
"""Fewer pixels are no object."""
COVERED = 0.15
"""Coverage by the robot, read from a thumbnail, from which on a pixel is not believed."""
SAME_PLACE_PX = 3.0
"""So near to where it was first an object shows as large as it was there."""
HELD_PX = 5.0
"""So near to the middle between the fingers an object out of sight moves with them."""
SEEN = 0.5
"""An object is held to be seen when grounding gives at most this probability that it is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """An object as it was last seen uncovered."""

    uv: FloatArray
    """Its pixel then, shape (2,)."""
    rgb: FloatArray
    """Shape (H, W, 3), 0..255."""
    alpha: FloatArray
    """Shape (H, W), 0..1."""

    @property
    def size(self) -> float:
        """Return the edge of a square of the same area, px."""
        return float(np.sqrt(self.alpha.sum()))

    def moved(self, uv: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return colour times alpha (H, W, 3), 0..255, and alpha (H, W) of the object at another pixel."""
        rows, cols = self.alpha.shape
        shift = np.array([[1.0, 0.0, uv[0] - self.uv[0]], [0.0, 1.0, uv[1] - self.uv[1]]])
        both = np.asarray(
            cv2.warpAffine(np.dstack([self.rgb * self.alpha[..., None], self.alpha]), shift, (cols, rows), flags=cv2.INTER_LINEAR),
            dtype=np.float32,
        )
        return both[..., :3], both[..., 3]


def cut_out(picture: RgbArray, background: RgbArray, robot: Array, uv: FloatArray) -> Cutout | None:
    """Return the object at `uv`, or None when the robot touches it or it does not stand out.

    Args:
        picture: Shape (H, W, 3).
        background: The same place without the object, shape (H, W, 3).
        robot: Where the robot is, shape (H, W), bool.
        uv: The object's pixel, shape (2,).
    """
    rows, cols = robot.shape
    u, v = (round(float(x)) for x in uv)
    top, left = max(0, v - WINDOW_PX), max(0, u - WINDOW_PX)
    window = (slice(top, min(rows, v + WINDOW_PX + 1)), slice(left, min(cols, u + WINDOW_PX + 1)))
    if robot[window].size == 0:
        return None
    difference = np.abs(picture[window].astype(np.float32) - background[window]).max(axis=2)
    low, high = DIFFERENT
    alpha = np.clip((difference - low) / (high - low), 0.0, 1.0) * ~robot[window]
    count, labels = cv2.connectedComponents((alpha > 0.25).astype(np.uint8))
    grid_v, grid_u = np.mgrid[0 : alpha.shape[0], 0 : alpha.shape[1]]
    distance = np.hypot(grid_u + left - uv[0], grid_v + top - uv[1])
    near = [label for label in range(1, count) if (distance[labels == label] <= NEAR_PX).any() and (labels == label).sum() >= SMALLEST_PX]
    if not near:
        return None
    body = labels == max(near, key=lambda label: int((labels == label).sum()))
    around = cv2.dilate(body.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if (robot[window] & around).any():
        return None
    full = np.zeros((rows, cols), np.float32)
    full[window] = alpha * around
    return Cutout(np.asarray(uv, dtype=np.float64).copy(), picture.astype(np.float32), full)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sighting:
    """Where things are at one moment, px over all views: shape (V, 2) each."""

    now: FloatArray
    start: FloatArray
    """Where the object was when the task began."""
    onto: FloatArray
    """Where the other thing is; the middle of the picture for tasks without one."""
    is_seen: Array
    """Shape (V,): whether the object is in sight, or where it was last is given."""
    sizes: FloatArray
    """How large the object, and the other thing, showed where they were first, `Cutout.size`; shape (2, V), 0 where that is not known."""


class ObjectTracker:
    """Follows the object of a task from picture to picture."""

    def __init__(self, grounding: Grounding, plates: Mapping[str, RgbArray]) -> None:
        self._grounding = grounding
        self.views = tuple(plates)
        self._plates = plates
        self.memory = BackgroundMemory(plates)
        self.cutouts: dict[str, Cutout] = {}
        self._last: dict[str, FloatArray] = {}
        self._start: dict[str, FloatArray] = {}
        self._onto: dict[str, FloatArray] = {}
        self._hand: dict[str, FloatArray] = {}
        self._sizes: dict[str, float] = {}
        self._onto_sizes: dict[str, float] = {}
        self._task_id: int | None = None

    def begin(self, task_id: int) -> None:
        """Forget everything when the task is a new one."""
        self.memory.begin(task_id)
        if task_id != self._task_id:
            self._task_id = task_id
            for kept in (self.cutouts, self._last, self._start, self._onto, self._hand, self._sizes, self._onto_sizes):
                kept.clear()

    def look(
        self,
        pictures: Mapping[str, RgbArray],
        alphas: Mapping[str, FloatArray],
        target: Tensor,
        onto: Tensor | None,
        hand: FloatArray | None = None,
    ) -> Sighting:
        """Take in a moment.

        Args:
            pictures: View to (H, W, 3).
            alphas: View to the robot's coverage, (H, W), 0..1.
            target: Query of the object, shape (F + 1,).
            onto: Query of the thing it ends up on, or None.
            hand: Where the middle between the fingers is in every view, shape (V, 2), px: what is out of sight there moves with it.
        """
        seen = np.zeros(len(self.views), bool)
        for number, view in enumerate(self.views):
            picture, robot = pictures[view], grown(alphas[view] > COVERED)
            behind = self.memory.recall(view)
            free = np.where(robot[..., None], behind, picture)
            with torch.no_grad():
                features = self._grounding.features(torch.from_numpy(free).permute(2, 0, 1)[None].float() / 255)
            uv, seen[number] = find_object(features, target)
            if not seen[number]:
                uv = self._carried(view, uv, None if hand is None else hand[number])
            if hand is not None:
                self._hand[view] = hand[number].astype(np.float64)
            self._last[view] = uv
            if seen[number]:
                self._start.setdefault(view, uv)
                found = cut_out(picture, self._plates[view], robot, uv)
                if found is not None:
                    self.cutouts[view] = found
                    if np.linalg.norm(uv - self._start[view]) < SAME_PLACE_PX:
                        self._sizes.setdefault(view, found.size)
            if onto is not None:
                place, there = find_object(features, onto)
                if there or view not in self._onto:
                    self._onto[view] = place
                if there and view not in self._onto_sizes and (other := cut_out(picture, self._plates[view], robot, place)) is not None:
                    self._onto_sizes[view] = other.size
            self.memory.update(view, picture, np.maximum(robot.astype(np.float32), self._hidden(view, uv)))
        middle = np.array(next(iter(self._plates.values())).shape[1::-1]) / 2
        return Sighting(
            now=np.stack([self._last[view] for view in self.views]),
            start=np.stack([self._start.get(view, self._last[view]) for view in self.views]),
            onto=np.stack([self._onto.get(view, middle) for view in self.views]),
            is_seen=seen,
            sizes=np.array([[sizes.get(view, 0.0) for view in self.views] for sizes in (self._sizes, self._onto_sizes)]),
        )

    def _carried(self, view: str, guess: FloatArray, hand: FloatArray | None) -> FloatArray:
        """Where an object is that is not seen: where it was, moved with the hand when it was in it."""
        if view not in self._last:
            return guess
        last, before = self._last[view], self._hand.get(view)
        if hand is None or before is None or float(np.linalg.norm(last - before)) > HELD_PX:
            return last
        return np.asarray(last + hand - before)

    def _hidden(self, view: str, uv: FloatArray) -> FloatArray:
        """What the object hides of the background, (H, W), 0 or 1."""
        if view not in self.cutouts:
            hidden = np.zeros(self._plates[view].shape[:2], np.float32)
            u, v = (round(float(x)) for x in uv)
            hidden[max(0, v - WINDOW_PX // 2) : v + WINDOW_PX // 2 + 1, max(0, u - WINDOW_PX // 2) : u + WINDOW_PX // 2 + 1] = 1.0
            return hidden
        return grown(self.cutouts[view].moved(uv)[1] > 0.1).astype(np.float32)

    def behind(self, view: str, path: FloatArray) -> FloatArray:
        """Return the background with the object at each of the pixels `path` (T, 2), as (T, H, W, 3), 0..255."""
        still = self.memory.recall(view).astype(np.float32)
        if view not in self.cutouts:
            return np.repeat(still[None], len(path), axis=0)
        frames = []
        for uv in path:
            colour, alpha = self.cutouts[view].moved(uv)
            frames.append(colour + (1.0 - alpha[..., None]) * still)
        return np.stack(frames)


def query_of(grounding: Grounding, vectors: Tensor) -> Tensor:
    """Return the query that sentence vectors (N, 384) have in common, shape (F + 1,)."""
    with torch.no_grad():
        out: Tensor = grounding.answer(grounding.query(vectors)).float().mean(dim=0)
    return out


def robot_alphas(thumbnails: Tensor, shape: tuple[int, int]) -> FloatArray:
    """Return the robot's coverage (B, H, W), 0..1, from its thumbnails (B, 4, H/4, W/4)."""
    large = torch.nn.functional.interpolate(thumbnails[:, 3:], size=shape, mode='bilinear', align_corners=False)
    return np.asarray(large[:, 0].detach().numpy())


def find_object(features: Tensor, query: Tensor) -> tuple[FloatArray, bool]:
    """Return the pixel (2,) of what a query (F + 1,) asks for in the features (1, F, H/2, W/2) of a picture, and whether it is there at all."""
    logits = torch.einsum('bfhw,f->bhw', features.float(), query[:-1])
    found = read_heat(logits, query[-1:])
    return found.uv[0].numpy().astype(np.float64), float(found.nothing[0]) <= SEEN
