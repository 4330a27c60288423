# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The one interface of every planner: context pictures and a sentence in, a video plan out."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vera_core.errors import PlanningError
from vera_core.types import Frame, VideoPlan

MAX_PROMPT = 500
"""Longest sentence a planner takes, characters."""


class DreamWatch:
    """How far a dream has come, and whether it is still wanted. Safe between the thread that dreams and those that look on."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._progress = 0.0

    @property
    def progress(self) -> float:
        """Share of the dream that is done, 0..1."""
        return self._progress

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody wants the dream any more."""
        return self._cancelled.is_set()

    def report(self, progress: float) -> None:
        """Note the share that is done, 0..1; it never falls.

        Raises:
            PlanningError: If the dream was cancelled: a backend that reports at every step ends there.
        """
        self._progress = max(self._progress, min(1.0, progress))
        if self.is_cancelled:
            raise PlanningError(f'the dream was cancelled at {self._progress:.0%}')

    def cancel(self) -> None:
        """Say that the dream is not wanted any more; it ends at its next report."""
        self._cancelled.set()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlanRequest:
    """What a planner is asked to dream."""

    task_id: int
    plan_id: int
    prompt: str
    context: Mapping[str, tuple[Frame, ...]]
    """View name to real frames, oldest first, about `step_dt_s` apart, no frame twice. At least one per view."""
    step_dt_s: float
    """Spacing of the context frames, s."""
    seed: int = 0
    is_sample: bool = False
    """Whether another of the many possible plans is wanted in place of the likeliest one: the one before it was refused, or several are compared."""
    task_age_s: float = 0.0
    """Time from the start of the task to the newest context frame, s; a recording is played from there."""
    watch: DreamWatch = field(default_factory=DreamWatch)
    """Where slow backends report progress and learn that they may stop."""

    @property
    def stamp_ns(self) -> int:
        """Oldest of the views' newest stamps, ns: from then on every view is known."""
        return min(frames[-1].stamp_ns for frames in self.context.values())


class VideoPlanner(Protocol):
    """Dreams the next seconds of every view."""

    name: str
    """Backend and weights, for status and plan."""

    def plan(self, request: PlanRequest) -> VideoPlan:
        """Return a plan whose frame 0 is the newest real frame of every view. How long it took is noted by the caller.

        Raises:
            PlanningError: If no plan can be made; the text says what to change.
        """
        ...


def check_prompt(prompt: str) -> str:
    """Return the sentence without outer blanks.

    Raises:
        PlanningError: If it is empty, blank, or longer than MAX_PROMPT characters.
    """
    text = prompt.strip()
    if not text:
        raise PlanningError("the task sentence is empty; write what to do, for example 'touch the red cube'")
    if len(text) > MAX_PROMPT:
        raise PlanningError(f'the task sentence has {len(text)} characters, at most {MAX_PROMPT} are read; say it shorter')
    return text


def check_request(request: PlanRequest, views: tuple[str, ...]) -> None:
    """Check that every view the planner needs has at least one frame.

    Raises:
        PlanningError: If the sentence cannot be used or a view has no picture; the text names it.
    """
    check_prompt(request.prompt)
    for view in views:
        if not request.context.get(view):
            raise PlanningError(f"no picture of view '{view}' yet; the planner needs {', '.join(views)}. Is the camera running?")
