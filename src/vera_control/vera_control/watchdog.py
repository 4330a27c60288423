# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Who is still there: ages of the input streams, nodes that were alive and are gone, and whether the arm does what it is told."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vera_core.shapes import FloatArray


class StreamWatch:
    """When each input stream last brought something usable."""

    def __init__(self, names: Iterable[str]) -> None:
        self._newest: dict[str, int | None] = dict.fromkeys(names)

    @property
    def names(self) -> tuple[str, ...]:
        """Watched streams in fixed order."""
        return tuple(self._newest)

    def mark(self, name: str, now_ns: int) -> None:
        """Note that a message of a stream was accepted now."""
        self._newest[name] = now_ns

    def age_s(self, name: str, now_ns: int) -> float:
        """Return the age of the newest accepted message, s; -1 before the first."""
        newest = self._newest[name]
        return -1.0 if newest is None else max(0.0, (now_ns - newest) * 1e-9)

    def is_fresh(self, name: str, now_ns: int, limit_s: float) -> bool:
        """True when a message was accepted within the limit."""
        return 0.0 <= self.age_s(name, now_ns) <= limit_s

    def ages_s(self, now_ns: int) -> tuple[float, ...]:
        """Ages of all streams in the order of `names`, s."""
        return tuple(self.age_s(name, now_ns) for name in self._newest)


class NodeWatch:
    """Which nodes were seen alive and which of them are gone. A node never seen is not lost."""

    def __init__(self, watched: Iterable[str]) -> None:
        self.watched = tuple(watched)
        self._alive: dict[str, bool] = {}

    def report(self, node: str, *, is_alive: bool) -> None:
        """Take in a sign of life or of its end; nodes that are not watched are ignored, and so is the end of one never seen."""
        if node in self.watched and (is_alive or node in self._alive):
            self._alive[node] = is_alive

    @property
    def lost(self) -> tuple[str, ...]:
        """Nodes that were alive and are gone, in watched order."""
        return tuple(node for node in self.watched if self._alive.get(node) is False)


def explain_lost(nodes: Iterable[str]) -> str:
    """Say in one sentence which nodes are gone."""
    names = list(nodes)
    verb = 'is' if len(names) == 1 else 'are'
    return f'{", ".join(names)} {verb} gone (no sign of life); the arm rests; start {"it" if len(names) == 1 else "them"} again and give the task once more'


class FollowWatch:
    """Notices an arm that does not follow its commands: the error stays above a bound for some time."""

    def __init__(self, *, bound_rad: float, patience_s: float) -> None:
        self.bound_rad = bound_rad
        self.patience_s = patience_s
        self._since_ns: int | None = None
        self.worst_joint = 0
        self.worst_rad = 0.0

    def update(self, measured: FloatArray, reference: FloatArray, now_ns: int) -> bool:
        """Compare measured and commanded joints, shape (n,), rad; return True while the arm does not follow."""
        error = np.abs(measured - reference)
        self.worst_joint = int(np.argmax(error))
        self.worst_rad = float(error[self.worst_joint])
        if self.worst_rad <= self.bound_rad:
            self._since_ns = None
            return False
        if self._since_ns is None:
            self._since_ns = now_ns
        return (now_ns - self._since_ns) * 1e-9 > self.patience_s

    def reset(self) -> None:
        """Start over, for example after the reference was put to the measured joints."""
        self._since_ns = None
