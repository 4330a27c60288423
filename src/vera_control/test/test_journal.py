# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import json
from dataclasses import replace

import numpy as np
import pytest

from vera_control.controller import Controller
from vera_control.journal import Page, calls_of, journaled_methods, recall, remembered
from vera_control.memory import encode, restore
from vera_control.safety import Reason, SafetyState
from vera_core.errors import ConfigError, Refusal

MS = 1_000_000
VELOCITY = np.array([0.2, 0.1, -0.2, 0.15, 0.1, 0.2, -0.1])


def repeat(pages: list[Page], robot) -> tuple[Controller, list]:
    """What a fresh controller answers to a journal: every trajectory it makes."""
    controller = Controller(robot, remembered(pages[0], 'params'))
    recall(pages[0], controller)
    made = []
    for page in pages:
        for call in calls_of(page, Controller):
            answer = getattr(controller, call.method)(*call.arguments, **call.keywords)
            if call.method == 'tick' and answer is not None:
                made.append(answer)
    return controller, made


def record(loop, duration_ms: int, estimate) -> tuple[list[Page], list]:
    """Run a loop with its journal open from now on, a page every 20 ms; return the pages and the trajectories made."""
    made: list = []
    pages = []
    loop.controller.journal.open(loop.controller)
    original = Controller.tick

    def kept(self, now_ns):
        answer = original(self, now_ns)
        made.extend([answer] if answer is not None else [])
        return answer

    Controller.tick = kept
    try:
        for _ in range(duration_ms // 20):
            loop.run(20, estimate=estimate, estimate_every_ms=10)
            pages.append(loop.controller.journal.take_page())
    finally:
        Controller.tick = original
    return pages, made


def test_a_fresh_controller_repeats_a_run_bit_for_bit_from_its_middle(make_loop, robot, estimate_of):
    loop = make_loop()
    rng = np.random.default_rng(5)

    def storm(now_ns):
        if rng.random() < 0.2:
            return None
        return estimate_of(VELOCITY * rng.normal(0, 2), now_ns - 90 * MS, residual_ratio=rng.uniform(0, 1.0))

    loop.run(700, estimate=storm)
    assert loop.speed() > 0.0  # the journal begins while the arm moves
    pages, made = record(loop, 1000, storm)
    loop.controller.stop('enough', reason=Reason.OPERATOR_STOP)
    loop.run(20)
    pages.append(loop.controller.journal.take_page())
    again, repeated = repeat(pages, robot)
    assert len(made) > 40
    for first, second in zip(made, repeated, strict=False):
        assert first.first == second.first
        np.testing.assert_array_equal(first.position, second.position)
        np.testing.assert_array_equal(first.acceleration, second.acceleration)
    assert again.safety.state is SafetyState.STOPPED_LATCHED
    assert again.safety.text == 'enough'
    ours, theirs = loop.controller.status(loop.now_ns), again.status(loop.now_ns)
    np.testing.assert_array_equal(ours.commanded_velocity, theirs.commanded_velocity)
    assert (ours.refused_messages, ours.stream_ages, ours.reason) == (theirs.refused_messages, theirs.stream_ages, theirs.reason)


def test_every_method_that_changes_the_controller_is_noted():
    public = {name for name, member in inspect.getmembers(Controller, inspect.isfunction) if not name.startswith('_')}
    assert public == set(journaled_methods(Controller)), 'give the new method @journaled, or its calls are missing from recordings'


def test_nothing_is_noted_while_nobody_reads(make_loop):
    loop = make_loop()
    loop.run(100)
    assert loop.controller.journal.take_page() is None


def test_only_calls_from_outside_are_noted(make_loop, estimate_of):
    loop = make_loop()
    loop.controller.journal.open(loop.controller)
    loop.controller.on_estimate(estimate_of(VELOCITY, loop.now_ns - 9000 * MS), loop.now_ns)  # too old: it calls refuse()
    page = loop.controller.journal.take_page()
    assert [json.loads(call)[0] for call in page.calls] == ['on_estimate']


def test_memory_keeps_floats_shared_objects_and_enumerations_exactly():
    shared = np.array([0.1, np.nextafter(1.0, 2.0), np.nan])
    value = {'a': shared, 'b': [shared, (1, None, True)], 3: Refusal('code', 'text'), 'e': SafetyState.HOLDING}
    again = restore(json.loads(json.dumps(encode(value))), None)
    np.testing.assert_array_equal(again['a'], shared)
    assert again['b'][0] is again['a']
    assert again['b'][1] == (1, None, True)
    assert again[3] == Refusal('code', 'text')
    assert again['e'] is SafetyState.HOLDING


@pytest.mark.parametrize('name', ['os:system', 'subprocess:Popen', 'vera_control.journal:json', 'vera_control.nothing:Thing'])
def test_memory_makes_no_foreign_objects(name):
    with pytest.raises(TypeError, match='there is no class'):
        restore({'$object': name, 'state': {}, '#': 0}, None)


def test_a_journal_of_another_version_is_refused_in_words(make_loop, robot):
    loop = make_loop()
    loop.controller.journal.open(loop.controller)
    page = loop.controller.journal.take_page()
    with pytest.raises(ConfigError, match="calls 'explode', which this version does not know"):
        list(calls_of(replace(page, calls=('["explode",{"$tuple":[]},{"$dict":[],"#":0}]',)), Controller))
    with pytest.raises(ConfigError, match='malformed call'):
        list(calls_of(replace(page, calls=('["tick"',)), Controller))
    with pytest.raises(ConfigError, match='cannot be restored'):
        recall(replace(page, memory='{"state"'), Controller(robot, loop.controller.params))
