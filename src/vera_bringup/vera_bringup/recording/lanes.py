# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the callbacks that receive and the disk: two lanes, one that loses nothing and one that loses its oldest pictures first."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

from vera_bringup.recording.topics import Topic
from vera_core.errors import VeraError

SMALL_LANE_BYTES = 256 * 1024 * 1024
"""Far more than seconds of everything but pictures; beyond it the disk has failed and losing words silently would be worse than ending."""


class QueueFullError(VeraError):
    """More was waiting for the disk than may be kept; the recording ends rather than lose commands."""


class Item(NamedTuple):
    """One message on its way."""

    topic: Topic
    data: bytes
    log_ns: int
    publish_ns: int


class Lanes:
    """A bounded queue between one process's callbacks and its writer thread."""

    def __init__(self, *, bulky_bytes: int, small_bytes: int = SMALL_LANE_BYTES) -> None:
        """Make it empty.

        Args:
            bulky_bytes: Pictures and flow waiting at most; the oldest go.
            small_bytes: Everything else waiting at most; past it `put` raises.
        """
        self._limits = {True: bulky_bytes, False: small_bytes}
        self._bytes = {True: 0, False: 0}
        self._items: dict[bool, deque[Item]] = {True: deque(), False: deque()}
        self._changed = threading.Condition()
        self._closed = False
        self.dropped: dict[str, int] = {}
        """Messages that were given up, by topic."""

    def put(self, item: Item) -> None:
        """Add a message.

        Raises:
            QueueFullError: If something that may not be lost has no room.
        """
        bulky = item.topic.is_bulky
        with self._changed:
            self._items[bulky].append(item)
            self._bytes[bulky] += len(item.data)
            while self._bytes[bulky] > self._limits[bulky]:
                if not bulky:
                    raise QueueFullError(
                        f'{self._bytes[False] / 2**20:.0f} MB of messages wait for the disk, at most {self._limits[False] / 2**20:.0f} MB are kept; '
                        'record to a faster disk'
                    )
                oldest = self._items[True].popleft()
                self._bytes[True] -= len(oldest.data)
                self.dropped[oldest.topic.name] = self.dropped.get(oldest.topic.name, 0) + 1
            self._changed.notify()

    def take(self, timeout_s: float) -> Item | None:
        """Return the oldest message of both lanes; None when none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._items[True] or self._items[False] or self._closed, timeout_s)
            lanes = [lane for lane in self._items.values() if lane]
            if not lanes:
                return None
            item = min(lanes, key=lambda lane: lane[0].log_ns).popleft()
            self._bytes[item.topic.is_bulky] -= len(item.data)
            return item

    def close(self) -> None:
        """Let whoever waits in `take` go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
