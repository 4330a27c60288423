# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the server keeps for one client: the order being dreamt, and at most one that waits. The newest order wins."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from vera_planner.planner import VideoPlanner
from vera_planner.service.words import Order


@dataclass(slots=True, eq=False)
class Session:
    """State of one client."""

    planner: VideoPlanner
    running: Order | None = None
    waiting: Order | None = None
    due: float = 0.0
    """When the client of the waiting order gives up, loop time, s."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, order: Order, now: float) -> Order | None:
        """Take in an order; whatever it replaces is cancelled, and returned if it had not begun."""
        replaced, self.waiting, self.due = self.waiting, order, now + order.deadline_s
        if self.running is not None:
            self.running.request.watch.cancel()
        self.arrived.set()
        return replaced

    def cancel(self, request_id: int) -> Order | None:
        """Forget an order the client does not want any more; returned if it had not begun."""
        if self.running is not None and self.running.request_id == request_id:
            self.running.request.watch.cancel()
        if self.waiting is None or self.waiting.request_id != request_id:
            return None
        replaced, self.waiting = self.waiting, None
        return replaced

    async def take(self) -> tuple[Order, float]:
        """Wait for an order; return it with the loop time its client gives up at."""
        while self.waiting is None:
            self.arrived.clear()
            await self.arrived.wait()
        self.running, self.waiting = self.waiting, None
        return self.running, self.due

    def end(self) -> None:
        """Cancel everything."""
        self.waiting = None
        if self.running is not None:
            self.running.request.watch.cancel()
