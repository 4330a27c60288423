# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a soak run sees, by hand and for a minute of the whole stack; ten minutes are `make nightly`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from vera_bringup.evaluate import EvaluationRequest, draw_episodes
from vera_bringup.false_stops import GoodEpisode, Hold, Kind, holds_in, summarise
from vera_bringup.process_figures import private_mb, waited_s
from vera_bringup.soak import SoakReport, growth, soak
from vera_control.safety import Reason, SafetyState
from vera_msgs.msg import SafetyStatus

SECOND = 1_000_000_000


def test_growth_compares_what_follows_the_warm_up():
    times = [float(second) for second in range(100)]
    filling = [min(50.0, 2.0 * second) for second in times]
    assert growth(times, filling) == (50.0, 50.0)
    leaking = [100.0 + second for second in times]
    assert growth(times, leaking) == (137.0, 187.0)
    assert growth([], []) is None
    assert growth([0.0, 1.0], [1.0, 1.0]) is None


def report_with(**values: object) -> SoakReport:
    return SoakReport(times_s=[float(second) for second in range(40)], **values)


def test_a_good_run_has_no_complaints_and_plain_figures():
    report = report_with(
        memory_mb={'flow_node': [80.0] * 40},
        rest_s=[0.2, 0.3],
        rates_hz=[100.0, 99.0],
        waiting_shares=[0.0, 0.3],
        outcomes=['succeeded', 'stopped'],
    )
    assert report.complaints() == []
    plain = report.as_dict()
    assert (plain['tasks'], plain['succeeded'], plain['stops'], plain['longest_rest_s']) == (2, 1, 2, 0.3)
    assert plain['memory']['flow_node']['growth'] == 0.0


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'memory_mb': {'flow_node': [80.0 + second for second in range(40)]}}, 'flow_node grew from 94.5 to 114.5 MB'),
        ({'rest_s': [0.2, 0.9]}, 'a stop took 0.90 s to rest'),
        ({'rates_hz': [100.0, 100.0, 70.0], 'waiting_shares': [0.0, 0.1, 0.4]}, 'joint states came 70 times a second, usually 100'),
        ({'violations': 2}, '2 commands outside a limit'),
        ({'faults': ['sim_node ended by itself']}, 'sim_node ended by itself'),
    ],
)
def test_every_complaint_names_the_value(values, words):
    complaints = report_with(**values).complaints()
    assert len(complaints) == 1 and complaints[0].startswith(words), complaints


def test_small_growth_is_the_allocators():
    assert report_with(memory_mb={'a': [10.0 + 0.05 * second for second in range(40)]}).complaints() == []


def test_memory_of_a_process_grows_with_what_it_keeps():
    # A process of its own: this one may have freed as much before, and would be given that again.
    keep = "print('ready', flush=True); input(); kept = bytearray(b'x') * (40 << 20); print('kept', flush=True); input()"
    with subprocess.Popen([sys.executable, '-c', keep], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        before = private_mb(child.pid)
        child.stdin.write('\n')
        child.stdin.flush()
        child.stdout.readline()
        after = private_mb(child.pid)
        child.kill()
    assert before is not None and after is not None and 39 < after - before < 42
    assert private_mb(2**30) is None


def said(*entries: tuple[float, SafetyState, Reason, float]) -> list[tuple[int, SafetyStatus]]:
    return [
        (
            round(at_s * SECOND),
            SafetyStatus(state=int(state), reason=int(reason), text=f'{reason.name} at {at_s}', commanded_velocity=[speed]),
        )
        for at_s, state, reason, speed in entries
    ]


RUNNING, HOLDING, LATCHED = SafetyState.RUNNING, SafetyState.HOLDING, SafetyState.STOPPED_LATCHED


def test_a_hold_stops_slows_or_keeps_waiting():
    stop, slowdown, wait = holds_in(
        said(
            (0.0, RUNNING, Reason.OK, 0.3),
            (0.1, HOLDING, Reason.STALE_ESTIMATE, 0.2),
            (0.2, HOLDING, Reason.STALE_ESTIMATE, 0.0),
            (0.3, RUNNING, Reason.OK, 0.0),
            (0.5, RUNNING, Reason.OK, 0.4),
            (0.6, HOLDING, Reason.STALE_ESTIMATE, 0.3),
            (0.7, RUNNING, Reason.OK, 0.1),
            (0.8, RUNNING, Reason.OK, 0.01),
            (1.4, RUNNING, Reason.OK, 0.01),
            (1.6, HOLDING, Reason.LOW_CONFIDENCE, 0.0),
            (1.8, HOLDING, Reason.LOW_CONFIDENCE, 0.0),
        )
    )
    assert (stop.reason, stop.text, stop.kind) == ('STALE_ESTIMATE', 'STALE_ESTIMATE at 0.1', Kind.STOP)
    assert (stop.seconds, stop.speed_before_rad_s, stop.speed_least_rad_s) == (pytest.approx(0.2), 0.3, 0.0)
    assert (slowdown.kind, slowdown.seconds, slowdown.speed_least_rad_s) == (Kind.SLOWDOWN, pytest.approx(0.1), 0.1)
    assert (wait.reason, wait.kind, wait.seconds, wait.speed_before_rad_s) == ('LOW_CONFIDENCE', Kind.WAIT, pytest.approx(0.2), 0.01)


def test_a_hold_for_another_reason_is_another_and_a_latched_one_is_always_a_stop():
    holds = holds_in(
        said((0.0, HOLDING, Reason.DIVERGED, 0.0), (0.1, HOLDING, Reason.BAD_INPUT, 0.0), (0.3, LATCHED, Reason.BAD_INPUT, 0.0))
    )
    assert [(hold.reason, hold.is_latched, hold.kind) for hold in holds] == [
        ('DIVERGED', False, Kind.WAIT),
        ('BAD_INPUT', False, Kind.WAIT),
        ('BAD_INPUT', True, Kind.STOP),
    ]
    assert holds_in([]) == []


def hold_of(reason: str = 'STALE_ESTIMATE', *, before: float, least: float = 0.0, is_latched: bool = False) -> Hold:
    return Hold(reason=reason, text='said', is_latched=is_latched, seconds=0.2, speed_before_rad_s=before, speed_least_rad_s=least)


def good_episode(*holds: Hold, success: bool = True, outcome: str = 'succeeded') -> GoodEpisode:
    return GoodEpisode(seed=7, success=success, outcome=outcome, holds=holds)


def test_good_episodes_are_counted_with_and_without_false_stops():
    stop, slowdown, wait = hold_of(before=0.3), hold_of(before=0.3, least=0.1), hold_of(before=0.0)
    good = [
        good_episode(),
        good_episode(stop, stop, wait),
        good_episode(wait, slowdown),
        good_episode(hold_of('DIVERGED', before=0.0, is_latched=True), success=False, outcome='stopped: said'),
    ]
    assert summarise(good) == {
        'episodes': 4,
        'successes': 3,
        'outcomes': {'succeeded': 3, 'stopped': 1},
        'latched_stops': 1,
        'with_a_stop': 2,
        'stop_reasons': {'STALE_ESTIMATE': 1, 'DIVERGED': 1},
        'with_a_slowdown': 1,
        'slowdown_reasons': {'STALE_ESTIMATE': 1},
        'with_a_wait': 2,
        'wait_reasons': {'STALE_ESTIMATE': 2},
    }
    report = report_with(good=good)
    assert report.complaints() == ['episode 7, in which nothing was wrong, was stopped for good: said']
    assert report.as_dict()['good']['episodes'] == 4 and report.as_dict()['good_episodes'][1]['holds'][0]['seconds'] == 0.2


def test_a_rate_that_fell_because_the_simulator_had_no_processor_is_not_the_stacks():
    assert report_with(rates_hz=[100.0, 100.0, 70.0], waiting_shares=[0.0, 0.1, 0.6]).complaints() == []


def test_the_time_a_process_waits_for_a_processor_grows_while_others_keep_it():
    ours = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        time.sleep(0.3)
        before = waited_s(ours[0].pid)
        time.sleep(1.0)
        after = waited_s(ours[0].pid)
    finally:
        for process in ours:
            process.kill()
            process.wait()
    assert before is not None and after is not None
    assert 0.2 < after - before < 1.5  # one half of the time of each is another's
    assert waited_s(ours[0].pid) is None


@pytest.mark.e2e
@pytest.mark.ros
@pytest.mark.sim
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_minute_of_tasks_and_stops(graph):
    request = EvaluationRequest(planner='recorded', episodes=1000, seed=5)
    # The black box remembers the last 30 s: until it has them its memory grows, as it is to.
    soak(graph.processes, graph.session, draw_episodes(replace(request, seed=4)), 32.0, prepare=graph.clips.prepare)
    report = soak(graph.processes, graph.session, draw_episodes(request), 60.0, prepare=graph.clips.prepare)
    assert report.complaints() == []
    assert len(report.rest_s) >= 1
    assert len(report.outcomes) >= 4
    assert report.as_dict()['good']['episodes'] >= 3
    assert len(report.memory_mb) == len(graph.processes.system.processes)
