# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A slot between a callback that receives and a worker that is slower: the newest value wins, the ones never taken are counted."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar('T')


class Latest(Generic[T]):
    """Holds at most one value. Safe between threads; the writer never waits for the reader."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._value: T | None = None
        self._fresh = False
        self._received = 0
        self._dropped = 0

    def put(self, value: T) -> None:
        """Store a value in place of whatever is there."""
        with self._ready:
            self._received += 1
            self._dropped += self._fresh
            self._value = value
            self._fresh = True
            self._ready.notify()

    def take(self) -> T | None:
        """Return the newest value not taken yet, or None. The value stays there for `peek`."""
        with self._ready:
            if not self._fresh:
                return None
            self._fresh = False
            return self._value

    def wait(self, timeout_s: float) -> T | None:
        """Like `take`, but wait up to `timeout_s` for a value."""
        with self._ready:
            if not self._ready.wait_for(lambda: self._fresh, timeout_s):
                return None
            self._fresh = False
            return self._value

    def peek(self) -> T | None:
        """Return the newest value, taken or not; None before the first."""
        with self._ready:
            return self._value

    def clear(self) -> None:
        """Forget the value; the counts stay."""
        with self._ready:
            self._value = None
            self._fresh = False

    @property
    def received(self) -> int:
        """Values put since the start."""
        with self._ready:
            return self._received

    @property
    def dropped(self) -> int:
        """Values replaced before anybody took them."""
        with self._ready:
            return self._dropped
