# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rolling memory of real pictures: what a planner is conditioned on."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from vera_core.errors import ConfigError
from vera_core.types import Frame


class ContextBuffer:
    """Keeps the pictures of the last seconds per view and picks context frames from them.

    A context never holds a picture twice: a repeated picture tells a video model that nothing moves. Right after the start it is shorter instead.
    """

    def __init__(self, views: Sequence[str], *, length: int, spacing_s: float) -> None:
        if length < 1 or not spacing_s > 0:
            raise ConfigError(f'context length is {length} and spacing {spacing_s} s; at least 1 and more than 0 are needed')
        self._length = length
        self._spacing_ns = round(spacing_s * 1e9)
        self._frames: dict[str, deque[Frame]] = {view: deque() for view in views}

    def add(self, frame: Frame) -> None:
        """Remember a picture. One that is not newer than the last of its view is ignored; after a clock that jumped back all others are forgotten.

        Raises:
            ConfigError: If the view is unknown.
        """
        if frame.view not in self._frames:
            raise ConfigError(f"no view '{frame.view}' in this context; it has {', '.join(self._frames)}")
        kept = self._frames[frame.view]
        if kept and kept[-1].stamp_ns - self._spacing_ns > frame.stamp_ns:
            kept.clear()
        if kept and frame.stamp_ns <= kept[-1].stamp_ns:
            return
        kept.append(frame)
        oldest = frame.stamp_ns - self._length * self._spacing_ns
        while kept[0].stamp_ns < oldest:
            kept.popleft()

    def forget_before(self, stamp_ns: int) -> None:
        """Forget the pictures from before a moment, for example the one in which the scene was changed."""
        for kept in self._frames.values():
            while kept and kept[0].stamp_ns < stamp_ns:
                kept.popleft()

    @property
    def missing(self) -> tuple[str, ...]:
        """Views without a picture."""
        return tuple(view for view, kept in self._frames.items() if not kept)

    def newest_ns(self) -> int:
        """Stamp up to which every view is known, ns; 0 while a view is missing."""
        return 0 if self.missing else min(kept[-1].stamp_ns for kept in self._frames.values())

    def context(self) -> Mapping[str, tuple[Frame, ...]]:
        """Return up to `length` frames per view, oldest first, the newest always among them, the others nearest to the wanted spacing."""
        return {view: self._pick(kept) for view, kept in self._frames.items()}

    def _pick(self, kept: deque[Frame]) -> tuple[Frame, ...]:
        if not kept:
            return ()
        newest = kept[-1].stamp_ns
        picked: list[Frame] = []
        for step in range(self._length - 1, -1, -1):
            wanted = newest - step * self._spacing_ns
            frame = min(kept, key=lambda candidate: abs(candidate.stamp_ns - wanted))
            if abs(frame.stamp_ns - wanted) <= self._spacing_ns // 2 and (not picked or frame.stamp_ns > picked[-1].stamp_ns):
                picked.append(frame)
        return tuple(picked)
