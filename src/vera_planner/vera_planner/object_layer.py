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
from vera_planner.registration import ENOUGH, Expected, Template, register

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
HELD_PX = 7.0
"""So near to the middle between the fingers an object moves with them …"""
HELD_APART = 0.85
"""… when they are at most so far apart, in units of the object's size: 19 of 20 held ones in films, and few of those that fingers are about to take."""
CARRIED_STD_PX, FOUND_STD_PX = 1.2, 3.0
"""How exactly an object is where it was last or where the hand took it, and where grounding finds it."""
UNLIKELY = 2.0
"""By how much less likely (log) it is at another place than it should be."""
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

    @property
    def template(self) -> Template:
        """Return the part round the object."""
        v, u = np.nonzero(self.alpha)
        part = (slice(v.min(), v.max() + 1), slice(u.min(), u.max() + 1))
        alpha = self.alpha[part]
        return Template(colour=self.rgb[part] * alpha[..., None], alpha=alpha, middle=self.uv - np.array([u.min(), v.min()]))

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


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One view at one moment."""

    view: str
    picture: RgbArray
    behind: RgbArray
    """As remembered without robot and object."""
    robot: Array
    moved: FloatArray
    """How far the fingers took what they hold since the last look, shape (2,), px."""


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
        self._marks: dict[str, FloatArray] = {}
        self._in_sight: dict[str, bool] = {}
        self._sizes: dict[str, float] = {}
        self._onto_sizes: dict[str, float] = {}
        self._task_id: int | None = None

    def begin(self, task_id: int) -> None:
        """Forget everything when the task is a new one."""
        self.memory.begin(task_id)
        if task_id != self._task_id:
            self._task_id = task_id
            for kept in (self.cutouts, self._last, self._start, self._onto, self._marks, self._in_sight, self._sizes, self._onto_sizes):
                kept.clear()

    def look(
        self,
        pictures: Mapping[str, RgbArray],
        alphas: Mapping[str, FloatArray],
        target: Tensor,
        onto: Tensor | None,
        marks: FloatArray | None = None,
    ) -> Sighting:
        """Take in a moment.

        Args:
            pictures: View to (H, W, 3).
            alphas: View to the robot's coverage, (H, W), 0..1.
            target: Query of the object, shape (F + 1,).
            onto: Query of the thing it ends up on, or None.
            marks: Points on the fingers in every view, shape (V, M, 2), px: what is between closed fingers moves with them when it is out of sight.
        """
        seen = np.zeros(len(self.views), bool)
        is_held = self._is_held(marks)
        for number, view in enumerate(self.views):
            picture, robot = pictures[view], grown(alphas[view] > COVERED)
            behind = self.memory.recall(view)
            free = np.where(robot[..., None], behind, picture)
            with torch.no_grad():
                features = self._grounding.features(torch.from_numpy(free).permute(2, 0, 1)[None].float() / 255)
            moved = marks[number].mean(axis=0) - self._marks[view].mean(axis=0) if is_held and marks is not None else np.zeros(2)
            uv, seen[number] = self._place(_Seen(view, picture, behind, robot, moved), *find_object(features, target))
            if marks is not None:
                self._marks[view] = marks[number].astype(np.float64)
            self._in_sight[view] = bool(seen[number])
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

    def _place(self, seen: _Seen, found: FloatArray, is_found: bool) -> tuple[FloatArray, bool]:
        """Return the object's pixel (2,) and whether it is in sight: by its cut-out where there is one, else as grounding `found` it."""
        view = seen.view
        last = self._last.get(view, found)
        carried = last + seen.moved
        if view not in self.cutouts:
            return (found, True) if is_found else (carried, False)
        expected = [Expected(uv=carried, std_px=CARRIED_STD_PX)]
        if seen.moved.any():
            expected.append(Expected(uv=last, std_px=CARRIED_STD_PX, doubt=UNLIKELY))
        if is_found:
            expected.append(Expected(uv=found, std_px=FOUND_STD_PX, doubt=UNLIKELY))
        uv, likelihood = register(self.cutouts[view].template, seen.picture, seen.behind, seen.robot, expected)
        return uv, likelihood >= ENOUGH

    def _is_held(self, marks: FloatArray | None) -> bool:
        """Whether the object was between the fingers, in every view in which it was in sight or in all, and they (V, M, 2) are as near to each other as it is large."""
        known = [number for number, view in enumerate(self.views) if view in self._last and view in self._marks]
        if marks is None or not known:
            return False
        asked = [number for number in known if self._in_sight[self.views[number]]] or known
        for number in asked:
            view = self.views[number]
            apart = float(np.linalg.norm(marks[number, 0] - marks[number, -1]))
            is_around = np.linalg.norm(self._last[view] - self._marks[view].mean(axis=0)) < HELD_PX
            if not is_around or apart > HELD_APART * self._sizes.get(view, np.inf):
                return False
        return True

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
