# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vera_control import verdicts
from vera_control.safety import Reason, SafetyMachine, SafetyState
from vera_core.errors import Refusal

RUNNING = verdicts.following(1, 2, None)


def armed() -> SafetyMachine:
    machine = SafetyMachine()
    assert machine.arm(None) is None
    return machine


def test_disarmed_arm_ignores_every_verdict():
    machine = SafetyMachine()
    machine.judge(RUNNING)
    assert machine.state is SafetyState.DISARMED
    assert not machine.may_move


def test_arming_needs_a_clear_way():
    machine = SafetyMachine()
    refusal = machine.arm(Refusal('not_ready', 'no joint states'))
    assert refusal == Refusal('not_ready', 'not armed: no joint states')
    assert machine.state is SafetyState.DISARMED


def test_holding_goes_on_by_itself():
    machine = armed()
    machine.judge(RUNNING)
    assert machine.may_move
    machine.judge(verdicts.stale_estimate(0.3, 0.25))
    assert machine.state is SafetyState.HOLDING
    assert machine.reason is Reason.STALE_ESTIMATE
    assert '0.30 s (limit 0.25 s)' in machine.text
    machine.judge(RUNNING)
    assert machine.may_move


def test_stop_stays_until_reset_and_then_arm():
    machine = armed()
    machine.judge(RUNNING)
    machine.stop(Reason.OPERATOR_STOP, 'the operator')
    machine.judge(RUNNING)
    assert machine.state is SafetyState.STOPPED_LATCHED
    refusal = machine.arm(None)
    assert refusal is not None
    assert 'call reset first' in refusal.text
    assert machine.reset(is_at_rest=False) is not None
    assert machine.reset(is_at_rest=True) is None
    assert machine.state is SafetyState.DISARMED
    machine.judge(RUNNING)
    assert machine.state is SafetyState.DISARMED
    assert machine.arm(None) is None
    machine.judge(RUNNING)
    assert machine.may_move


def test_first_stop_keeps_its_reason():
    machine = armed()
    machine.stop(Reason.NOT_FOLLOWING, 'blocked')
    machine.stop(Reason.OPERATOR_STOP, 'later')
    assert (machine.reason, machine.text) == (Reason.NOT_FOLLOWING, 'blocked')


def test_reset_without_a_stop_says_so():
    refusal = armed().reset(is_at_rest=True)
    assert refusal is not None
    assert refusal.text == 'nothing to reset: the state is ARMED'


@given(st.lists(st.sampled_from(['run', 'hold', 'stop', 'reset', 'arm'])))
def test_after_a_stop_nothing_moves_without_reset_and_arm_in_that_order(acts: list[str]):
    machine = armed()
    machine.stop(Reason.OPERATOR_STOP, 'x')
    was_reset = was_armed = False
    for act in acts:
        if act == 'run':
            machine.judge(RUNNING)
        elif act == 'hold':
            machine.judge(verdicts.ready())
        elif act == 'stop':
            machine.stop(Reason.OPERATOR_STOP, 'x')
            was_reset = was_armed = False
        elif act == 'reset':
            if machine.reset(is_at_rest=True) is None:
                was_reset, was_armed = True, False
        elif act == 'arm' and machine.arm(None) is None:
            was_armed = was_reset
        assert not machine.may_move or (was_reset and was_armed)
