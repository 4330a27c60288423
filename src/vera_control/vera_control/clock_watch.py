# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A clock that jumps makes every stored time meaningless: noticed here, from tick to tick."""

from __future__ import annotations

BACK_NS = 50_000_000
"""Set back by more than this is a jump, ns; less is the noise of clocks that are being synchronised."""
AHEAD_NS = 500_000_000
"""A tick this long after the last one, ns: the clock was set ahead, or this process stood still. Either way the world is not what it was."""


class ClockWatch:
    """Compares the times of consecutive ticks."""

    def __init__(self) -> None:
        self._last_ns: int | None = None

    def tick(self, now_ns: int) -> str | None:
        """Return what is wrong with the time of this tick; None when it follows the last one."""
        last_ns, self._last_ns = self._last_ns, now_ns
        if last_ns is None or -BACK_NS <= now_ns - last_ns <= AHEAD_NS:
            return None
        jump_s = (now_ns - last_ns) * 1e-9
        if jump_s < 0:
            return f'the clock went back by {-jump_s:.2f} s; everything received before is dropped, the arm rests and begins anew'
        return (
            f'the clock went ahead by {jump_s:.2f} s between two ticks (or this process stood still); '
            'everything received before is dropped, the arm rests and begins anew'
        )
