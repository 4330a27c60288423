# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_core.types import Frame, VideoPlan
from vera_planner.context import ContextBuffer
from vera_planner.dreaming import Dreaming, PlannerState
from vera_planner.planner import PlanRequest
from vera_planner.schedule import ReplanSchedule

S = 1_000_000_000


def dreaming() -> Dreaming:
    made = Dreaming(context=ContextBuffer(['front'], length=3, spacing_s=0.3), schedule=ReplanSchedule(period_s=2.0), step_dt_s=0.3, seed=7)
    made.on_available()
    return made


def show(core: Dreaming, now_ns: int) -> None:
    core.on_frame(Frame(view='front', stamp_ns=now_ns, rgb=np.zeros((4, 4, 3), np.uint8)))


def answer(request: PlanRequest) -> VideoPlan:
    frames = {view: np.repeat(pictures[-1].rgb[None], 3, axis=0) for view, pictures in request.context.items()}
    return VideoPlan(
        plan_id=request.plan_id,
        task_id=request.task_id,
        prompt=request.prompt,
        stamp_ns=request.stamp_ns,
        step_dt_s=0.3,
        frames=frames,
        inference_s=0.2,
    )


def test_task_is_planned_followed_and_planned_again() -> None:
    core = dreaming()
    show(core, 10 * S)
    assert core.next_request(10 * S, plans_once=False) is None and core.state is PlannerState.IDLE
    core.on_task(1, 'touch it', 10 * S, is_active=True)
    first = core.next_request(10 * S, plans_once=False)
    assert first is not None and (first.plan_id, first.seed, first.prompt) == (1, 7, 'touch it')
    assert core.state is PlannerState.PLANNING
    assert core.on_plan(answer(first)) and core.state is PlannerState.FOLLOWING
    for k in range(1, 21):
        now = 10 * S + k * S // 10
        show(core, now)
        core.on_task(1, 'touch it', now, is_active=True)
        request = core.next_request(now, plans_once=False)
        assert (request is not None) == (k == 20)
    assert request is not None and (request.plan_id, request.seed) == (2, 8) and len(request.context['front']) == 3


def test_plan_of_a_task_that_ended_meanwhile_is_not_published() -> None:
    core = dreaming()
    show(core, 10 * S)
    core.on_task(1, 'touch it', 10 * S, is_active=True)
    request = core.next_request(10 * S, plans_once=False)
    assert request is not None
    core.on_task(1, 'touch it', 10 * S, is_active=False)
    assert not core.on_plan(answer(request)) and core.state is PlannerState.IDLE


def test_silent_executive_ends_the_task_in_words() -> None:
    core = dreaming()
    core.on_task(1, 'touch it', 10 * S, is_active=True)
    show(core, 12 * S)
    assert core.next_request(12 * S, plans_once=False) is None
    assert core.state is PlannerState.IDLE and 'executive_node gone' in core.text


def test_missing_and_old_pictures_are_waited_for_in_words() -> None:
    core = dreaming()
    core.on_task(1, 'touch it', 10 * S, is_active=True)
    assert core.next_request(10 * S, plans_once=False) is None and 'no picture of view front' in core.text
    show(core, 8 * S)
    assert core.next_request(10 * S, plans_once=False) is None and '2.0 s old' in core.text
    assert core.state is PlannerState.WAITING


@pytest.mark.parametrize(('prompt', 'text'), [('  ', 'is empty'), ('x' * 10_000, '10000 characters')])
def test_bad_sentence_is_refused_once_and_the_next_task_is_not(prompt: str, text: str) -> None:
    core = dreaming()
    show(core, 10 * S)
    core.on_task(1, prompt, 10 * S, is_active=True)
    assert core.next_request(10 * S, plans_once=False) is None
    assert core.state is PlannerState.REFUSED and text in core.text
    assert core.next_request(10 * S, plans_once=False) is None and core.plans_refused == 1
    core.on_task(2, 'touch it', 10 * S, is_active=True)
    assert core.next_request(10 * S, plans_once=False) is not None


def test_refusal_in_mid_task_keeps_the_plan_in_force() -> None:
    core = dreaming()
    show(core, 10 * S)
    core.on_task(1, 'touch it', 10 * S, is_active=True)
    request = core.next_request(10 * S, plans_once=False)
    assert request is not None
    core.on_plan(answer(request))
    core.on_refused(1, 'sees no such cube')
    assert core.state is PlannerState.FOLLOWING and 'plan 1 goes on' in core.text and 'sees no such cube' in core.text


def test_task_fails_at_once_while_the_backend_cannot_be_loaded() -> None:
    core = dreaming()
    core.on_unavailable('weights are truncated; run vera train planner')
    core.on_task(1, 'touch it', 10 * S, is_active=True)
    assert core.state is PlannerState.FAILED and 'truncated' in core.text
    core.on_available()
    assert core.state is PlannerState.WAITING
