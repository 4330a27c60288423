# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A block that neither planner nor cameras know of stands in the way of a reach: how hard and how long the arm pushes."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime

import numpy as np

from vera_bringup.asking import SessionError
from vera_bringup.faults.fault import FaultRow
from vera_bringup.faults.rig import SCENES, Rig
from vera_control.safety import Reason
from vera_msgs.msg import SafetyStatus

PLATE = (0.5, 0.0, 0.16, 0.4, 0.5, 0.005)
"""A pane of glass over the whole table, above every cube: centre and half edges, m."""
PUSH_TOPIC = 'sim/push'
CONTACT_N = 1.0
LIGHT_N = 20.0
"""A push below this is none."""
TOLD_WITHIN_S = 0.8
RELIEVED_WITHIN_S = 1.5
"""So long after the contact at the latest the arm does not push any more, s."""
SECOND_PUSH_S = 6.0
"""A task that goes on meets the pane again within this time, and is stopped for good."""
WATCH_S = 2.0
REASONS = (Reason.NOT_FOLLOWING, Reason.DIVERGED)
NAME = 'obstacle'
TEXT = 'an unseen pane of glass in the way of the reach'


def run_blocked(rig: Rig) -> FaultRow:
    """Let the arm reach into the pane, in the first scene in which it comes there, and measure from the contact on."""
    for _ in range(SCENES):
        rig.begin()
        rig.give(max_duration_s=15.0)
        # What does not happen is seen in the recording: a touch that nobody tells fails, a reach that never came to the pane says nothing.
        with contextlib.suppress(SessionError):
            rig.wait_moving()
            rig.session.wait_for(lambda: _is_held(rig), timeout_s=14.0, what='the arm being stopped by the pane')
            rig.session.wait_for(lambda: _is_latched(rig), timeout_s=SECOND_PUSH_S, what='the second stop')
        time.sleep(WATCH_S)
        rig.session.recorder.stop()
        rig.end_task()
        row = measure(rig)
        if row is not None:
            return row
    return _row(problem=f'the arm never met the pane in {SCENES} scenes')


def measure(rig: Rig) -> FaultRow | None:
    """Return the figures of what was recorded; None when the arm never touched anything."""
    pushes = [(recorded.arrival_ns, recorded.message.data) for recorded in rig.session.recorder.messages(PUSH_TOPIC)]
    times, newtons = np.array([at for at, _ in pushes]), np.array([push for _, push in pushes])
    touching = np.flatnonzero(newtons > CONTACT_N)
    problems: list[str] = []
    if not touching.size:
        return None
    contact_ns = int(times[touching[0]])
    told = next((entry for entry in rig.statuses() if entry[0] > contact_ns and Reason(entry[1].reason) in REASONS), None)
    if told is None:
        return _row(problem='neither NOT_FOLLOWING nor DIVERGED was told')
    # The first push only: a task that goes on may meet the pane again, and is stopped for good then.
    peak_at = int(np.argmax(newtons * (times < told[0] + 500_000_000)))
    relieved = np.flatnonzero((newtons < LIGHT_N) & (np.arange(len(newtons)) > peak_at))
    relieved_s = float((times[relieved[0]] - contact_ns) * 1e-9) if relieved.size else float('inf')
    known_s = (told[0] - contact_ns) * 1e-9
    if known_s > TOLD_WITHIN_S:
        problems.append(f'told {known_s:.2f} s after the contact, {TOLD_WITHIN_S} s allowed')
    if relieved_s > RELIEVED_WITHIN_S:
        problems.append(f'it pushed for {relieved_s:.2f} s, {RELIEVED_WITHIN_S} s allowed')
    last_n = float(newtons[-20:].max())
    if last_n > LIGHT_N:
        problems.append(f'it still pushed with {last_n:.0f} N in the end, {LIGHT_N:.0f} N allowed')
    if rig.violations():
        problems.append(f'{rig.violations()} commands outside the limits')
    return _row(
        problem='; '.join(problems),
        known_s=known_s,
        told=told[1],
        figures={'peak N': float(newtons.max()), 'push ends after s': relieved_s, 'last push N': last_n},
        violations=rig.violations(),
    )


def _is_held(rig: Rig) -> bool:
    return rig.session.safety is not None and Reason(rig.session.safety.reason) in REASONS


def _is_latched(rig: Rig) -> bool:
    return rig.session.safety is not None and rig.session.safety.state == SafetyStatus.STOPPED_LATCHED


def _row(
    *,
    problem: str,
    known_s: float | None = None,
    told: SafetyStatus | None = None,
    figures: dict[str, float] | None = None,
    violations: int = 0,
) -> FaultRow:
    return FaultRow(
        name=NAME,
        text=TEXT,
        set_up='obstacle',
        passed=not problem,
        problem=problem,
        known_s=known_s,
        reason='' if told is None else Reason(told.reason).name,
        said='' if told is None else told.text,
        figures=figures or {},
        violations=violations,
        measured=datetime.now(UTC).isoformat(timespec='seconds'),
    )
