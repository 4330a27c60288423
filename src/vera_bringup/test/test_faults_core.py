# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The parts of the fault trials that need no running graph: what spoils a message, how rest is read, what the table says."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import Image, JointState

from vera_bringup.faults import drill
from vera_bringup.faults.catalogue import TRIALS
from vera_bringup.faults.drill import Seen
from vera_bringup.faults.fault import Fault, FaultRow
from vera_bringup.faults.report import read_rows, table, write_rows
from vera_bringup.faults.rig import SCENES, NeverMovedError
from vera_bringup.faults.spoil import SPOILERS, Setting, parse_settings
from vera_bringup.faults.streams import streams_of, with_relay
from vera_bringup.system import load_system
from vera_control.safety import Reason
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.ros.stamps import from_ns, to_ns
from vera_msgs.msg import JointVelocityEstimate, SafetyStatus, VideoPlan

SECOND = 1_000_000_000


def joints() -> JointState:
    message = JointState(name=['a', 'b', 'c'], position=[1.0, 2.0, 3.0], velocity=[0.1, 0.2, 0.3])
    message.header.stamp = from_ns(5 * SECOND)
    return message


def spoiled(fault: str, message, argument: str = ''):
    return SPOILERS[fault](message, Setting(fault, argument))


def test_settings_name_streams_and_faults():
    assert parse_settings('') == {}
    assert parse_settings('front=swap:side, joint_states=shift:-1.0') == {
        'front': Setting('swap', 'side'),
        'joint_states': Setting('shift', '-1.0'),
    }


@pytest.mark.parametrize(
    ('text', 'words'),
    [('front', 'is no fault'), ('front=freze', 'freeze'), ('front=late', 'finite time'), ('front=shift:inf', 'finite time')],
)
def test_settings_nobody_understands_are_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_settings(text)


def test_a_wrong_clock_moves_the_stamp():
    assert to_ns(spoiled('shift', joints(), '-1.5').header.stamp) == 3_500_000_000


def test_order_of_joints_with_and_without_their_names():
    turned = spoiled('reorder', joints())
    assert dict(zip(turned.name, turned.position, strict=True)) == {'a': 1.0, 'b': 2.0, 'c': 3.0}
    mixed = spoiled('shuffle', joints())
    assert (list(mixed.name), list(mixed.position)) == (['a', 'b', 'c'], [2.0, 3.0, 1.0])


def test_values_that_are_none_and_values_that_are_missing():
    estimate = JointVelocityEstimate(velocity=[1.0, 2.0], delta_q=[0.1, 0.2])
    assert math.isnan(spoiled('nan', estimate).velocity[0])
    assert list(spoiled('short', estimate).delta_q)[1:] == []
    assert math.isnan(spoiled('nan', joints()).position[0])
    assert len(spoiled('short', joints()).position) == 2
    assert math.isnan(spoiled('nan', VideoPlan(step_dt=0.3)).step_dt)
    assert len(spoiled('short', Image(data=bytes(10))).data) == 5


def test_the_relay_stands_between_both_ends_of_every_stream():
    system = with_relay(load_system('panda_sim', planner='recorded'))
    for stream in streams_of(load_embodiment('panda')):
        assert system.node(stream.sender).remappings[stream.topic] == stream.source
        assert stream.source != stream.topic
    assert system.companions[0].name == 'fault_relay_node'


def seen(speeds: list[float]) -> Seen:
    times = np.arange(len(speeds), dtype=np.int64) * SECOND // 10
    joints = np.cumsum(np.array(speeds))[:, None] * np.ones((1, 7)) * 0.1
    statuses = [(2 * SECOND // 10, SafetyStatus(reason=0)), (4 * SECOND // 10, SafetyStatus(reason=1, commanded_velocity=[0.5] * 7))]
    return Seen(times, np.array(speeds), joints, statuses, since_ns=SECOND // 10, mended_ns=SECOND)


def test_rest_is_the_last_motion_before_the_fault_was_mended():
    found = seen([0.5, 0.5, 0.4, 0.2, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0, 0.0, 0.5])
    assert found.rest_ns(found.mended_ns, by_command=False) == 3 * SECOND // 10
    assert found.rest_ns(2 * SECOND, by_command=False) == 11 * SECOND // 10
    assert found.rest_ns(found.mended_ns, by_command=True) == 4 * SECOND // 10
    assert found.moved(4 * SECOND // 10, SECOND) == pytest.approx(0.001)


def test_a_reason_counts_from_the_fault_on():
    found = seen([0.5] * 12)
    told = found.told((Reason.STALE_ESTIMATE,))
    assert told is not None
    assert told[0] == 4 * SECOND // 10
    assert found.told((Reason.DIVERGED,)) is None


def test_rows_are_kept_and_shown(tmp_path):
    good = FaultRow(
        name='a',
        text='fault a',
        set_up='relay',
        passed=True,
        known_s=0.2,
        rest_s=0.35,
        bound_s=0.5,
        reason='NODE_LOST',
        measured='2026-11-22T10:00:00+00:00',
    )
    bad = FaultRow(
        name='b',
        text='fault b',
        set_up='relay',
        passed=False,
        problem='moved',
        figures={'peak N': 12.0},
        measured='2026-11-23T01:00:00+00:00',
    )
    path = tmp_path / 'rows.json'
    assert read_rows(path) == {}
    write_rows(path, [good, bad], 'python benchmarks/faults.py')
    assert read_rows(path) == {'a': good, 'b': bad}
    lines = table([good, bad]).splitlines()
    assert lines[0] == '1 of 2 as they have to be, 2026-11-22 to 2026-11-23:'
    assert lines[4] == '| fault a | 0.20 s | 0.35 s | 0.50 s |  | NODE_LOST | yes |'
    assert '**no**: moved' in lines[5]
    assert 'peak N 12' in lines[5]


def test_every_trial_has_a_name_of_its_own():
    names = [trial.name for trials in TRIALS.values() for trial in trials]
    assert len(names) == len(set(names))
    assert len(names) >= 50


class FakeRig:
    """A rig whose arm sets out in some scenes only, and a fault that counts how often it was made."""

    def __init__(self, *sets_out: bool) -> None:
        self.sets_out = list(sets_out)
        self.ended = self.begun = 0
        self.session = SimpleNamespace(recorder=SimpleNamespace(start=lambda: None, stop=lambda: None))

    def begin(self) -> None:
        self.begun += 1

    def give(self) -> None:
        pass

    def wait_moving(self) -> None:
        if not self.sets_out.pop(0):
            raise NeverMovedError('the task ended before the arm moved: planner failed: not feasible')

    def end_task(self) -> str:
        self.ended += 1
        return ''

    def now_ns(self) -> int:
        return SECOND

    def speeds(self):
        return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros((0, 7))

    def statuses(self):
        return []

    def violations(self) -> int:
        return 0

    def late_ticks(self) -> int:
        return 0


@pytest.mark.parametrize(('sets_out', 'made'), [((True,), 1), ((False, False, True), 1), ((False,) * SCENES, 0)])
def test_a_fault_is_made_in_the_first_scene_in_which_the_arm_sets_out(sets_out, made, monkeypatch):
    monkeypatch.setattr(drill.time, 'sleep', lambda _: None)
    rig, acts = FakeRig(*sets_out), []
    row = drill.run_fault(rig, Fault(name='a', text='fault a', act=acts.append))
    assert (len(acts), rig.begun) == (made, len(sets_out))
    if made:
        assert row.passed and row.figures == ({} if len(sets_out) == 1 else {'scenes in which the arm did not set out': len(sets_out) - 1})
        assert rig.ended == len(sets_out)
    else:
        assert not row.passed and row.problem.startswith('NeverMovedError: the task ended before the arm moved')
