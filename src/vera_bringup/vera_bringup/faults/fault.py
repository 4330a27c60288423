# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a fault is, and the row of figures it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vera_bringup.faults.rig import Rig
from vera_control.safety import Reason

REST_WITHIN_S = 0.3
"""The arm has to be at rest this long after the fault can be known at the latest, s."""

During = Literal['task', 'start', 'homing', 'nothing']


def nothing(_rig: Rig) -> None:
    """There is nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong, and what has to come of it."""

    name: str
    text: str
    """What goes wrong, as the table says it."""
    act: Callable[[Rig], Any]
    """Makes it go wrong."""
    mend: Callable[[Rig], Any] = nothing
    """Makes it good again; nothing may move after that unless `goes_on`."""
    reasons: tuple[Reason, ...] = ()
    """One of them has to be told; empty: the fault is harmless, or there is nobody left to tell."""
    is_harmless: bool = False
    """The arm has to go on as if nothing were."""
    known_after_s: float | None = 0.0
    """When it can be known: the timeout, the lease of liveliness. None: only from what it leads to, so rest counts from when it is told."""
    during: During = 'task'
    """What is under way: a task whose arm moves, a task that begins (the fault comes before), a move home, or nothing yet."""
    goes_on: bool = False
    """Whether the same task may go on by itself when all is well again."""
    rests_by_command: bool = False
    """Rest is read from what is commanded, because the measured joints are gone."""
    watch_s: float = 1.6
    """How long it is watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """What came of it. A figure that there is none of is None."""

    name: str
    text: str
    set_up: str
    passed: bool
    problem: str = ''
    """What was not as it has to be, in words."""
    known_s: float | None = None
    """From the fault until the controller told it."""
    rest_s: float | None = None
    """From the fault until the measured joints rested."""
    bound_s: float | None = None
    moved_rad: float | None = None
    """Largest joint motion from the fault to rest."""
    after_rad: float | None = None
    """Largest joint motion from rest to the end, the fault mended meanwhile."""
    reason: str = ''
    said: str = ''
    """The controller's sentence, or how the task ended."""
    violations: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    measured: str = ''
    """When, ISO."""
