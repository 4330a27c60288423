# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The last seconds of everything in memory, and when they are worth a file. Knows no ROS graph and no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from rclpy.qos import DurabilityPolicy

from vera_bringup.recording.lanes import Item
from vera_control.safety import Reason, SafetyState

NO_FAULT = frozenset({Reason.OK, Reason.NO_TASK})
"""Reasons to hold that are part of the work."""


class Memory:
    """What arrived in the last seconds, within a bound of bytes. Old pictures go first: words and commands are few and tell more."""

    def __init__(self, *, span_s: float, most_bytes: int, bulky_period_s: float) -> None:
        """Make it empty.

        Args:
            span_s: How far back it goes, s.
            most_bytes: What all messages may take together.
            bulky_period_s: Pictures (and flow) of one topic that follow each other faster are left out, s.
        """
        self._span_ns = int(span_s * 1e9)
        self._most_bytes = most_bytes
        # Half a period of slack, so that a camera at just this rate keeps all its pictures although they come unevenly.
        self._bulky_ns = int(bulky_period_s * 0.5e9)
        self._small: deque[Item] = deque()
        self._bulky: deque[Item] = deque()
        self._newest_bulky: dict[str, int] = {}
        self._in_force: dict[str, Item] = {}
        self.bytes = 0

    def put(self, item: Item) -> None:
        """Keep a message and forget what is too old or too much."""
        if item.topic.is_bulky:
            before = self._newest_bulky.get(item.topic.name)
            if before is not None and 0 <= item.log_ns - before < self._bulky_ns:
                return
            self._newest_bulky[item.topic.name] = item.log_ns
            self._bulky.append(item)
        else:
            self._small.append(item)
        self.bytes += len(item.data)
        oldest_ns = item.log_ns - self._span_ns
        for lane in (self._small, self._bulky):
            while lane and (lane[0].log_ns < oldest_ns or lane[0].log_ns > item.log_ns + self._span_ns):
                self._forget(lane)
        while self.bytes > self._most_bytes and (self._bulky or self._small):
            self._forget(self._bulky or self._small)

    def _forget(self, lane: deque[Item]) -> None:
        item = lane.popleft()
        self.bytes -= len(item.data)
        if item.topic.qos.durability == DurabilityPolicy.TRANSIENT_LOCAL:
            self._in_force[item.topic.name] = item

    def items(self) -> list[Item]:
        """Return what is kept, oldest first, and before it what was in force at its beginning (the plan); messages are shared, not copied."""
        return sorted([*self._in_force.values(), *self._small, *self._bulky], key=lambda item: item.log_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A stop, or a hold that a fault caused."""

    begin_ns: int
    state: SafetyState
    reason: Reason
    text: str

    @property
    def word(self) -> str:
        """What it is, for a file name."""
        return f'{"stop" if self.state is SafetyState.STOPPED_LATCHED else "hold"}_{self.reason.name}'


class EventWatch:
    """Turns the safety states of the controller into events: each stop once, each hold by a fault once, flickering holds not again and again."""

    def __init__(self, *, after_s: float, quiet_s: float) -> None:
        """Begin with nothing known.

        Args:
            after_s: How long after its beginning an event is written, so that the file shows what followed, s.
            quiet_s: A hold for the same reason within this time of the last one is told by the last file, s.
        """
        self._after_ns = int(after_s * 1e9)
        self._quiet_ns = int(quiet_s * 1e9)
        self._state: SafetyState | None = None
        self._reason = Reason.OK
        self._last_holds: dict[Reason, int] = {}
        self._due: Event | None = None

    def on_status(self, state: SafetyState, reason: Reason, text: str, now_ns: int) -> None:
        """Take in a report of the controller; the first one only says where it stands, unless it is a stop."""
        changed = (state, reason) != (self._state, self._reason)
        is_stop = state is SafetyState.STOPPED_LATCHED and self._state is not SafetyState.STOPPED_LATCHED
        is_hold = state is SafetyState.HOLDING and reason not in NO_FAULT and changed and self._state is not None
        self._state, self._reason = state, reason
        if is_hold:
            last_ns = self._last_holds.get(reason)
            self._last_holds[reason] = now_ns
            is_hold = last_ns is None or not 0 <= now_ns - last_ns < self._quiet_ns
        if is_stop or is_hold:
            before = self._due
            # A hold that becomes a stop before it was written is one event: that of the stop, told from its beginning.
            begin_ns = before.begin_ns if before is not None else now_ns
            if before is None or is_stop:
                self._due = Event(begin_ns=begin_ns, state=state, reason=reason, text=text)

    def take_due(self, now_ns: int) -> Event | None:
        """Return the event whose file is to be written now, once."""
        event = self._due
        if event is None or 0 <= now_ns - event.begin_ns < self._after_ns:
            return None
        self._due = None
        return event

    def take_last(self) -> Event | None:
        """Return an event that is not due yet, because this process ends."""
        event, self._due = self._due, None
        return event
