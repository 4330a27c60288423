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
    assert core.on_plan(answer(first)) is not None and core.state is PlannerState.FOLLOWING
    for k in range(1, 21):
        now = 10 * S + k * S // 10
        show(core, now)
        core.on_task(1, 'touch it', now, is_active=True)
        request = core.next_request(now, plans_once=False)
        assert (request is not None) == (k == 20)
    assert request is not None and (request.plan_id, request.seed) == (2, 8) and len(request.context['front']) == 3


def test_a_task_begins_with_what_is_seen_after_the_sentence() -> None:
    """The pictures before may show another scene: a planner that took them for the past of this one dreamt of things that were no longer there."""
    core = dreaming()
    for k in range(7):
        show(core, 10 * S + k * S // 10)
    core.on_task(1, 'touch it', 10_650_000_000, is_active=True)
    assert core.next_request(10_650_000_000, plans_once=False) is None and 'no picture of view front yet' in core.text
    show(core, 10_700_000_000)
    request = core.next_request(10_710_000_000, plans_once=False)
    assert request is not None and [frame.stamp_ns for frame in request.context['front']] == [10_700_000_000]
    for k in range(8, 14):
        show(core, 10 * S + k * S // 10)
    core.on_task(1, 'touch it', 11_300_000_000, is_active=True, replans=1)  # the same task: its past counts
    again = core.next_request(11_300_000_000, plans_once=False)
    assert again is not None and len(again.context['front']) == 3


def test_plan_of_a_task_that_ended_meanwhile_is_not_published() -> None:
    core = dreaming()
    show(core, 10 * S)
    core.on_task(1, 'touch it', 10 * S, is_active=True)
    request = core.next_request(10 * S, plans_once=False)
    assert request is not None
    core.on_task(1, 'touch it', 10 * S, is_active=False)
    assert core.on_plan(answer(request)) is None and core.state is PlannerState.IDLE


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


# Verdicts.


def told(core: Dreaming, plan_id: int, *, accepted: bool, now_s: float = 10.0, reason: str = 'frame 4 jumps') -> None:
    core.on_verdict(1, plan_id, round(now_s * S), is_accepted=accepted, reason='' if accepted else reason)


def dreamt(core: Dreaming, now_s: float = 10.0) -> PlanRequest:
    """Let one plan be dreamt, which has to be due."""
    show(core, round(now_s * S))
    core.on_task(1, 'touch it', round(now_s * S), is_active=True)
    request = core.next_request(round(now_s * S), plans_once=False)
    assert request is not None
    assert core.on_plan(answer(request)) is not None
    return request


def test_a_refused_plan_is_dreamt_again_with_another_seed_as_a_sample() -> None:
    core = dreaming()
    first = dreamt(core)
    assert not first.is_sample
    told(core, first.plan_id, accepted=False)
    assert core.state is PlannerState.PLANNING and 'plan 1 was refused (1 of 3)' in core.text and 'frame 4 jumps' in core.text
    second = dreamt(core)
    assert second.is_sample and second.seed == first.seed + 1
    told(core, second.plan_id, accepted=True)
    assert core.state is PlannerState.FOLLOWING and core.plans_refused == 1
    assert core.next_request(10 * S, plans_once=False) is None


def test_after_so_many_refusals_the_task_is_refused_with_the_last_reason() -> None:
    core = dreaming()
    for k in range(3):
        told(core, dreamt(core).plan_id, accepted=False, reason=f'reason {k}')
    assert core.state is PlannerState.REFUSED
    assert '3 plans in a row cannot be carried out by this robot' in core.text and 'reason 2' in core.text
    assert core.next_request(10 * S, plans_once=False) is None
    # The next task begins anew.
    core.on_task(2, 'touch it', 10 * S, is_active=True)
    assert core.next_request(10 * S, plans_once=False) is not None


def test_while_a_plan_is_followed_refused_ones_do_not_end_the_task() -> None:
    core = dreaming()
    first = dreamt(core)
    told(core, first.plan_id, accepted=True)
    show(core, 12 * S)
    core.task_timeout_s = 10.0
    core.plan = None  # the period is over
    for _ in range(3):
        told(core, dreamt(core, 10.4).plan_id, accepted=False, now_s=10.4)
    # The plan of answer() lasts 0.6 s.
    assert core.state is PlannerState.FOLLOWING and 'plan 1 goes on, 3 newer ones were refused' in core.text
    assert core.next_request(round(10.5 * S), plans_once=False) is None
    core.plan = None
    for _ in range(3):
        told(core, dreamt(core, 11.0).plan_id, accepted=False, now_s=11.0)
    assert core.state is PlannerState.REFUSED


def test_a_plan_dropped_on_its_way_is_dreamt_again() -> None:
    core = dreaming()
    told(core, dreamt(core).plan_id, accepted=True)
    told(core, 1, accepted=False, now_s=10.2, reason='only 3%')
    assert core.state is PlannerState.PLANNING and 'only 3%' in core.text
    assert dreamt(core, 10.3).is_sample
    # Words about plans nobody knows change nothing.
    told(core, 77, accepted=False)
    core.on_verdict(9, 2, 10 * S, is_accepted=False, reason='of another task')
    assert core.verdicts.refused == 1


def test_candidates_are_dreamt_one_after_the_other_and_refused_together() -> None:
    core = dreaming()
    core.candidates = 3
    first = [dreamt(core) for _ in range(3)]
    assert [request.is_sample for request in first] == [False, True, True]
    assert core.next_request(10 * S, plans_once=False) is None
    told(core, 2, accepted=True)
    told(core, 1, accepted=False, reason='plan 2 is better')
    told(core, 3, accepted=False, reason='plan 2 is better')
    assert core.verdicts.refused == 0 and core.next_request(10 * S, plans_once=False) is None
    core.plan = None
    for request in [dreamt(core) for _ in range(3)]:
        told(core, request.plan_id, accepted=False)
    assert core.verdicts.refused == 1 and core.verdicts.is_asked_again


def test_a_planner_that_is_too_slow_says_that_the_arm_holds() -> None:
    core = dreaming()
    told(core, dreamt(core).plan_id, accepted=True)
    core.plan, followed = None, core.plan
    show(core, round(10.4 * S))
    dream = core.next_request(round(10.4 * S), plans_once=False)
    assert dream is not None
    core.plan, core.state = followed, PlannerState.FOLLOWING
    core.note_lateness(round(10.5 * S), dream)
    assert core.state is PlannerState.FOLLOWING
    core.note_lateness(round(12.6 * S), dream)
    assert core.state is PlannerState.WAITING
    assert 'the arm holds: plan 1 ended 2.0 s ago' in core.text and '2.2 s so far' in core.text
    core.on_task(2, 'another', round(12.7 * S), is_active=True)
    core.note_lateness(round(12.7 * S), dream)
    assert core.state is PlannerState.WAITING and 'still dreams for task 1, which is over, 2.3 s so far' in core.text
