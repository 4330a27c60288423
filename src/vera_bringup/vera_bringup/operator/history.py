# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A bounded memory that several readers follow, each at its own pace."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar('T')


class History(Generic[T]):
    """The last items of one kind, numbered from 0 since the start. Not safe between threads; its owner locks."""

    def __init__(self, longest: int) -> None:
        """Keep at most `longest` items."""
        self._items: deque[T] = deque(maxlen=longest)
        self._next = 0

    def add(self, item: T) -> None:
        """Add an item; the oldest one goes when there are too many."""
        self._items.append(item)
        self._next += 1

    def since(self, index: int) -> tuple[int, list[T]]:
        """Return the number the next item will get, and the items from number `index` on that are still there."""
        fresh = self._next - max(index, 0)
        return self._next, list(self._items)[max(len(self._items) - fresh, 0) :] if fresh > 0 else []

    @property
    def newest(self) -> T | None:
        """The item added last, None before the first."""
        return self._items[-1] if self._items else None
