# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How much a message may hold. Whoever reads one refuses it whole when it holds more, before any of it is worked on."""

from __future__ import annotations

from collections.abc import Sequence

from vera_core.errors import ShapeError

MAX_EDGE = 4096
"""Longer edge of a picture or flow, px."""
MAX_VIEWS = 16
"""Camera views of one message."""
MAX_NAMES = 256
"""Joints of one message, those of other robots on the same topic included."""
MAX_POINTS = 10_000
"""Points of one trajectory."""
MAX_PLAN_FRAMES = 2000
"""Pictures of one plan, all views together."""
MAX_PLAN_PIXELS = 2**28
"""Pixels of one plan, all views together: 400 frames of two views of 480 x 640 px are less."""
MAX_STEP_S = 60.0
"""Time between two planned frames, and of one joint step, s."""
MAX_TEXT = 2000
"""Characters of a sentence that are kept; what follows is cut off."""


def check_count(what: str, count: int, most: int) -> None:
    """Refuse what is too long.

    Raises:
        ShapeError: Names the number and the limit.
    """
    if count > most:
        raise ShapeError(f'{what}: {count} are too many, at most {most} are taken; the whole message is refused')


def few(names: Sequence[object], most: int = 12) -> str:
    """Return names for an error text, each cut short; of more than `most` only the first."""
    words = ', '.join(str(name)[:40] for name in names[:most])
    return words if len(names) <= most else f'{words} and {len(names) - most} more'
