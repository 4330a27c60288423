# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How a node is: rate, age and latency of its streams, what it refused, and the reason of every hold and stop. No ROS, no clock.

Times are seconds of a clock that is never set (`time.monotonic`), given by the caller. Safe between threads.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import IntEnum

WINDOW_S = 5.0
"""Rates are of this long."""
LATENCIES = 200
"""Percentiles are of this many messages."""
SILENT_S = 1.0
"""A required stream without a message for this long is silent."""
REFUSAL_MEMORY_S = 5.0
"""For this long after a refused message the node is not well."""


class Level(IntEnum):
    """The values of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(slots=True)
class _Stream:
    direction: str
    needed_for: str = ''
    count: int = 0
    first_s: float = 0.0
    times_s: deque[float] = field(default_factory=deque)
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES))

    def mark(self, now_s: float, latency_s: float | None) -> None:
        if not self.count:
            self.first_s = now_s
        self.count += 1
        self.times_s.append(now_s)
        self._forget(now_s)
        if latency_s is not None:
            self.latencies_s.append(latency_s)

    def _forget(self, now_s: float) -> None:
        while self.times_s and now_s - self.times_s[0] > WINDOW_S and len(self.times_s) > 1:
            self.times_s.popleft()

    def age_s(self, now_s: float) -> float:
        """Time since the newest message, s; infinite before the first."""
        return now_s - self.times_s[-1] if self.times_s else float('inf')

    def words(self, now_s: float) -> str:
        if not self.count:
            return 'nothing yet'
        self._forget(now_s)
        span_s = min(WINDOW_S, max(now_s - self.first_s, 1.0))
        recent = sum(now_s - at <= WINDOW_S for at in self.times_s)
        text = f'{recent / span_s:.1f} Hz, age {self.age_s(now_s):.2f} s'
        if self.latencies_s:
            ordered = sorted(self.latencies_s)
            p50, p95 = (ordered[round(share * (len(ordered) - 1))] * 1e3 for share in (0.5, 0.95))
            text += f', latency p50 {p50:.0f} ms p95 {p95:.0f} ms'
        return f'{text}, {self.count} in all'


@dataclass(frozen=True, slots=True)
class Report:
    """What is published: a level, one sentence, and everything else by name."""

    level: Level
    text: str
    values: tuple[tuple[str, str], ...]


class Diagnostics:
    """Collects what happens to one node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}
        self._refused: Counter[str] = Counter()
        self._last_refusal: tuple[str, float] | None = None
        self._incompatible: dict[str, str] = {}
        self._reason, self._text, self._level = '', '', Level.OK
        self._reasons: Counter[str] = Counter()
        self._reason_texts: dict[str, tuple[str, float]] = {}

    # What happens.

    def expect(self, topic: str, direction: str) -> None:
        """List a stream before its first message; the direction is `in` or `out`."""
        with self._lock:
            self._streams.setdefault(topic, _Stream(direction))

    def require(self, topic: str, needed_for: str) -> None:
        """Call a stream that comes in indispensable; the sentence says what lacks without it."""
        self.expect(topic, 'in')
        with self._lock:
            self._streams[topic].needed_for = needed_for

    def mark(self, topic: str, direction: str, now_s: float, latency_s: float | None = None) -> None:
        """Note a message, and how old its stamp was on the way in or out, s."""
        with self._lock:
            self._streams.setdefault(topic, _Stream(direction)).mark(now_s, latency_s)

    def refuse(self, what: str, text: str, now_s: float) -> None:
        """Note a message that was refused whole, and why."""
        with self._lock:
            self._refused[what] += 1
            self._last_refusal = (text, now_s)

    def incompatible(self, topic: str, policy: str) -> None:
        """Note that somebody on a topic wants another quality of service, so that nothing passes between the two."""
        with self._lock:
            self._incompatible[topic] = policy

    def say(self, reason: str, text: str, level: Level, now_s: float) -> None:
        """Note what the node does now; each time a reason other than the last one is no good news, it is counted and its sentence kept."""
        with self._lock:
            if reason != self._reason and level is not Level.OK:
                self._reasons[reason] += 1
            if level is not Level.OK:
                self._reason_texts[reason] = (text, now_s)
            self._reason, self._text, self._level = reason, text, level

    # What is known.

    def silent(self, now_s: float) -> tuple[str, ...]:
        """Sentences on the required streams that have been silent for `SILENT_S`, or since the start."""
        with self._lock:
            return tuple(s.needed_for for s in self._streams.values() if s.needed_for and s.age_s(now_s) > SILENT_S)

    def report(self, now_s: float) -> Report:
        """Return how the node is; the worst news is the sentence."""
        silent = self.silent(now_s)
        with self._lock:
            news = [(self._level, self._text)]
            news += [(Level.WARN, sentence) for sentence in silent]
            news += [
                (Level.WARN, f'{topic}: somebody there wants another {policy}, so nothing passes between the two')
                for topic, policy in self._incompatible.items()
            ]
            if self._last_refusal is not None and now_s - self._last_refusal[1] <= REFUSAL_MEMORY_S:
                news.append((Level.WARN, self._last_refusal[0]))
            level, text = max(news, key=lambda entry: entry[0])  # the first of the worst
            return Report(level, text, tuple(self._values(now_s)))

    def _values(self, now_s: float) -> list[tuple[str, str]]:
        values = [(f'{stream.direction} {topic}', stream.words(now_s)) for topic, stream in self._streams.items()]
        values += [('refused messages', str(sum(self._refused.values())))]
        values += [(f'refused {what}', str(count)) for what, count in self._refused.items()]
        values += [(f'incompatible quality of service on {topic}', policy) for topic, policy in self._incompatible.items()]
        for reason, count in self._reasons.items():
            text, at_s = self._reason_texts[reason]
            values.append((f'reason {reason}', f'{count} times, last {now_s - at_s:.0f} s ago: {text}'))
        return values
