# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The newest pictures of every view, encoded once however many pages look, and only when somebody does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from vera_core.errors import ShapeError, VeraError
from vera_core.imaging import to_working_size
from vera_core.shapes import RgbArray

KINDS = ('camera', 'flow', 'field')
JPEG_QUALITY = 80
LONGEST_PX = 320
"""Longer edge of the pictures on the page."""


@dataclass(slots=True)
class _Slot:
    """One stream of pictures: how the newest is made, and the newest one made."""

    number: int = 0
    make: Callable[[], RgbArray] | None = None
    encoded_number: int = 0
    encoded: bytes = b''
    lock: threading.Lock = field(default_factory=threading.Lock)


class PictureBoard:
    """The newest picture per view and kind. Safe between threads; drawing happens in the reader's thread."""

    def __init__(self, views: tuple[str, ...]) -> None:
        """Have one place per view and kind."""
        self.views = views
        self._slots = {(view, kind): _Slot() for view in views for kind in KINDS}
        self._plan: tuple[int, tuple[tuple[bytes, ...], ...]] = (0, ())

    def put(self, view: str, kind: str, make: Callable[[], RgbArray]) -> None:
        """Put up a picture; `make` is called when somebody looks at it, at most once."""
        slot = self._slots[view, kind]
        with slot.lock:
            slot.number += 1
            slot.make = make

    def put_plan(self, plan_id: int, frames: tuple[tuple[bytes, ...], ...]) -> None:
        """Put up a plan: per view its encoded frames."""
        self._plan = (plan_id, frames)

    @property
    def plan(self) -> tuple[int, tuple[tuple[bytes, ...], ...]]:
        """Id and encoded frames per view of the newest plan; id 0 and nothing before the first."""
        return self._plan

    def newer(self, view: str, kind: str, number: int) -> tuple[int, bytes] | None:
        """Return number and JPEG of the newest picture if it is not the one with `number`, otherwise None; None also for what is no picture."""
        slot = self._slots[view, kind]
        with slot.lock:
            if slot.number == number or slot.make is None:
                return None
            if slot.encoded_number != slot.number:
                try:
                    slot.encoded = to_jpeg(slot.make())
                except (VeraError, cv2.error):  # the nodes it is meant for refuse it and say why; here it is only not shown
                    slot.make = None
                    return None
                slot.encoded_number = slot.number
            return slot.number, slot.encoded


def to_jpeg(rgb: RgbArray) -> bytes:
    """Return a picture of shape (H, W, 3), uint8, as JPEG."""
    done, data = cv2.imencode('.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ShapeError(f'a picture of shape {rgb.shape} cannot be written as JPEG')
    return data.tobytes()


def preview(rgb: RgbArray, *, size: tuple[int, int] | None = None) -> RgbArray:
    """Return a picture at (height, width) `size`, or brought down to the size of the page's pictures."""
    if size is None:
        shrink = max(1.0, max(rgb.shape[:2]) / LONGEST_PX)
        size = (max(1, round(rgb.shape[0] / shrink)), max(1, round(rgb.shape[1] / shrink)))
    return to_working_size(np.ascontiguousarray(rgb), size)
