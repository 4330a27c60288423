# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What one open page is sent, message by message: text for the state, bytes for pictures."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

from vera_bringup.operator.model import Cursor, OperatorModel
from vera_bringup.operator.pictures import KINDS, PictureBoard

HEADER = struct.Struct('>BBHI')
"""Of a picture: kind, index of the view, frame of the plan, id of the plan; the encoded picture follows."""
DREAM = len(KINDS)
"""Kind of a plan's frame; the others are the places in KINDS."""
PLAN_PER_ROUND = 12
"""Frames of a plan per round and page, so that a new plan does not hold up the camera pictures behind it."""

REST_SHARE = 0.2
"""Of its period a page leaves at least this share to the others."""


class Feed:
    """Follows model and pictures for one page."""

    def __init__(self, model: OperatorModel, board: PictureBoard) -> None:
        """Begin with all that is remembered."""
        self._model = model
        self._board = board
        self._cursor = Cursor()
        self._seen: dict[tuple[str, str], int] = {}
        self._plan_id = 0
        self._waiting: list[bytes] = []

    def state(self, now_ns: int) -> str:
        """Return the newest state as JSON."""
        return json.dumps(self._model.snapshot(self._cursor, now_ns), separators=(',', ':'))

    def pictures(self) -> list[bytes]:
        """Return the pictures that are newer than those sent before, and the next frames of a new plan."""
        messages = []
        for place, view in enumerate(self._board.views):
            for kind, name in enumerate(KINDS):
                fresh = self._board.newer(view, name, self._seen.get((view, name), 0))
                if fresh is not None:
                    self._seen[view, name] = fresh[0]
                    messages.append(HEADER.pack(kind, place, 0, 0) + fresh[1])
        plan_id, frames = self._board.plan
        if plan_id != self._plan_id:
            self._plan_id = plan_id
            longest = max((len(view) for view in frames), default=0)
            self._waiting = [
                HEADER.pack(DREAM, place, step, plan_id % 2**32) + view[step]
                for step in range(longest)
                for place, view in enumerate(frames)
                if step < len(view)
            ]
        messages += self._waiting[:PLAN_PER_ROUND]
        del self._waiting[:PLAN_PER_ROUND]
        return messages

    def run(self, send: Callable[[str | bytes], None], now_ns: Callable[[], int], wait: Callable[[float], bool], period_s: float) -> None:
        """Send rounds until `wait(seconds)` says that the page is gone: one every period, and none in a hurry after one that took longer."""
        while True:
            began_ns = now_ns()
            send(self.state(began_ns))
            for message in self.pictures():
                send(message)
            spent_s = max(0, now_ns() - began_ns) * 1e-9
            if wait(max(REST_SHARE * period_s, period_s - spent_s)):
                return
