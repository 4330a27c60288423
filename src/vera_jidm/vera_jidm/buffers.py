# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Short memories of stamped things: the newest set of pictures, and what was nearest to a stamp."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

T = TypeVar('T')


class Once(Generic[T]):
    """A value that is made when it is first asked for, and then kept. Safe between threads."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = threading.Lock()

    def get(self) -> T:
        """Return the value; what making it raises is raised every time."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


class StampedBuffer(Generic[T]):
    """The last values of one stream with their stamps. Safe between one writer and one reader thread."""

    def __init__(self, span_s: float, *, longest: int) -> None:
        """Keep what is at most `span_s` older than the newest value, and never more than `longest` values."""
        self._span_ns = int(span_s * 1e9)
        self._items: deque[tuple[int, T]] = deque(maxlen=longest)
        self._lock = threading.Lock()

    def put(self, stamp_ns: int, value: T) -> None:
        """Add a value; one that is older than the newest means that time was set back, and everything before is forgotten."""
        with self._lock:
            if self._items and stamp_ns < self._items[-1][0] - self._span_ns:
                self._items.clear()
            self._items.append((stamp_ns, value))
            while stamp_ns - self._items[0][0] > self._span_ns:
                self._items.popleft()

    def nearest(self, stamp_ns: int) -> tuple[int, T] | None:
        """Return stamp and value nearest to a stamp, None when there is nothing."""
        with self._lock:
            return min(self._items, key=lambda item: abs(item[0] - stamp_ns), default=None)

    def newest(self) -> tuple[int, T] | None:
        """Return the stamp and the value added last, None when there is nothing."""
        with self._lock:
            return self._items[-1] if self._items else None


class NewestSet(Generic[T]):
    """The newest value of every view, given out once all views have one that was not given out before."""

    def __init__(self, views: Sequence[str]) -> None:
        self._views = tuple(views)
        self._newest: dict[str, T] = {}
        self._lock = threading.Lock()

    def put(self, view: str, value: T) -> None:
        """Store a value in place of the one there."""
        with self._lock:
            self._newest[view] = value

    def take(self) -> Mapping[str, T] | None:
        """Return a value of every view and start afresh, or None while a view is missing."""
        with self._lock:
            if len(self._newest) < len(self._views):
                return None
            complete, self._newest = self._newest, {}
            return complete

    def clear(self) -> None:
        """Forget what has not been taken."""
        with self._lock:
            self._newest.clear()

    @property
    def missing(self) -> tuple[str, ...]:
        """Views without a new value, in their order."""
        with self._lock:
            return tuple(view for view in self._views if view not in self._newest)
