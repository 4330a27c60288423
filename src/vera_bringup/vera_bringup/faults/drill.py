# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One fault from a moving arm to a row of figures."""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from vera_bringup.asking import SessionError
from vera_bringup.faults.fault import REST_WITHIN_S, Fault, FaultRow
from vera_bringup.faults.rig import REST_RAD_S, SCENES, NeverMovedError, Rig
from vera_control.safety import Reason, SafetyState
from vera_core.shapes import FloatArray
from vera_msgs.msg import SafetyStatus

STILL_RAD = 0.02
"""Less motion than this after rest is none."""
SETTLE_NS = 150_000_000
"""The end of a motion, not a new one."""
AFTER_MEND_S = 1.0


@dataclass
class Seen:
    """What was recorded around one fault."""

    times: FloatArray
    speeds: FloatArray
    joints: FloatArray
    statuses: list[tuple[int, SafetyStatus]]
    since_ns: int
    mended_ns: int
    problems: list[str] = field(default_factory=list)
    scenes: int = 1
    """How many scenes it took until the arm set out in one."""

    def told(self, reasons: tuple[Reason, ...]) -> tuple[int, SafetyStatus] | None:
        """Return when one of the reasons was told first, and the words."""
        return next((entry for entry in self.statuses if entry[0] > self.since_ns and Reason(entry[1].reason) in reasons), None)

    def rest_ns(self, until_ns: int, *, by_command: bool) -> int:
        """Return when the arm last moved before a time, ns."""
        if by_command:
            moving = [at for at, status in self.statuses if np.linalg.norm(status.commanded_velocity) > REST_RAD_S]
            return max((at for at in moving if self.since_ns < at < until_ns), default=self.since_ns)
        moving_ns = self.times[(self.speeds > REST_RAD_S) & (self.times > self.since_ns) & (self.times < until_ns)]
        return int(moving_ns.max()) if moving_ns.size else self.since_ns

    def moved(self, begin_ns: int, end_ns: int) -> float:
        """Return the largest joint motion between two times, rad."""
        rows = self.joints[(self.times >= begin_ns) & (self.times <= end_ns)]
        return float(np.abs(rows - rows[0]).max()) if len(rows) else 0.0


def run_fault(rig: Rig, fault: Fault, *, set_up: str = '') -> FaultRow:
    """Bring the arm into motion, break something, watch, mend it, watch again.

    A part that does not answer gives a row with that problem.
    """
    try:
        seen = _observe_in_motion(rig, fault)
    except (SessionError, LateError) as error:
        return FaultRow(
            name=fault.name, text=fault.text, set_up=set_up, passed=False, problem=f'{type(error).__name__}: {error}', measured=_now()
        )
    return _row(rig, fault, seen, set_up, rig.end_task())


def _observe_in_motion(rig: Rig, fault: Fault) -> Seen:
    """Observe in the first scene in which the arm sets out: a plan may be refused, and then there was no motion to break."""
    scenes = 1
    while True:
        rig.begin()
        try:
            seen = _observe(rig, fault)
        except NeverMovedError:
            if scenes == SCENES:
                raise
            rig.end_task()
            scenes += 1
        else:
            seen.scenes = scenes
            return seen


def _observe(rig: Rig, fault: Fault) -> Seen:
    if fault.during == 'start':
        since_ns = rig.now_ns()
        fault.act(rig)
        rig.give()
    elif fault.during == 'nothing':
        since_ns = rig.now_ns()
        fault.act(rig)
    else:
        if fault.during == 'homing':
            rig.session.recorder.start()
            rig.task = rig.pool.submit(rig.session.go_home)
        else:
            rig.give()
        rig.wait_moving()
        since_ns = rig.now_ns()
        fault.act(rig)
    time.sleep(max(0.0, fault.watch_s - (rig.now_ns() - since_ns) * 1e-9))
    mended_ns = rig.now_ns()
    fault.mend(rig)
    time.sleep(AFTER_MEND_S)
    rig.session.recorder.stop()
    return Seen(*rig.speeds(), rig.statuses(), since_ns, mended_ns)


def _row(rig: Rig, fault: Fault, seen: Seen, set_up: str, ended: str) -> FaultRow:
    told = seen.told(fault.reasons)
    rest_ns = seen.rest_ns(seen.mended_ns, by_command=fault.rests_by_command)
    known_s = None if told is None else (told[0] - seen.since_ns) * 1e-9
    rest_s = (rest_ns - seen.since_ns) * 1e-9
    can_be_known_s = fault.known_after_s if fault.known_after_s is not None else known_s
    bound_s = None if fault.is_harmless or can_be_known_s is None else can_be_known_s + REST_WITHIN_S
    after_rad = seen.moved(rest_ns + SETTLE_NS, int(seen.times[-1])) if seen.times.size else 0.0
    problems = list(seen.problems)
    if fault.is_harmless:
        problems += _alarms(seen)
    else:
        if fault.reasons and told is None:
            said = sorted({Reason(status.reason).name for at, status in seen.statuses if at > seen.since_ns})
            problems.append(f'told {said} instead of {[reason.name for reason in fault.reasons]}')
        if bound_s is not None and rest_s > bound_s:
            problems.append(f'at rest after {rest_s:.2f} s, {bound_s:.2f} s allowed')
        if not fault.goes_on and after_rad > STILL_RAD:
            problems.append(f'moved by {after_rad:.3f} rad after it had come to rest')
    if rig.violations():
        problems.append(f'{rig.violations()} commands outside the limits')
    return FaultRow(
        name=fault.name,
        text=fault.text,
        set_up=set_up,
        passed=not problems,
        problem='; '.join(problems),
        known_s=known_s,
        rest_s=None if fault.is_harmless else rest_s,
        bound_s=bound_s,
        moved_rad=seen.moved(seen.since_ns, rest_ns),
        after_rad=after_rad,
        reason='' if told is None else Reason(told[1].reason).name,
        said=told[1].text if told is not None else ended,
        violations=rig.violations(),
        figures=_figures(rig, seen, is_harmless=fault.is_harmless),
        measured=_now(),
    )


def _figures(rig: Rig, seen: Seen, *, is_harmless: bool) -> dict[str, float]:
    """Return what is worth a word only where there is any."""
    figures = {
        'driver ticks after late commands': rig.late_ticks(),
        'scenes in which the arm did not set out': seen.scenes - 1,
        'holds for a late estimate': len(_late_estimates(seen)) if is_harmless else 0,
    }
    return {name: value for name, value in figures.items() if value}


def _held(seen: Seen) -> list[SafetyStatus]:
    """Return what was said while the arm was held or stopped between fault and mend."""
    bad = (SafetyState.HOLDING, SafetyState.STOPPED_LATCHED)
    return [status for at, status in seen.statuses if seen.since_ns < at < seen.mended_ns and SafetyState(status.state) in bad]


def _late_estimates(seen: Seen) -> list[str]:
    """Return the holds, in words, because an estimate was late: on a busy machine some are, whatever else is the matter."""
    return list(dict.fromkeys(status.text for status in _held(seen) if Reason(status.reason) is Reason.STALE_ESTIMATE))


def _alarms(seen: Seen) -> list[str]:
    """A harmless fault must not hold or stop the arm, and it must be under way to the end; an estimate that never comes leaves it at rest."""
    texts = [status.text for status in _held(seen) if Reason(status.reason) is not Reason.STALE_ESTIMATE]
    middle_ns = (seen.since_ns + seen.mended_ns) // 2
    still = [] if seen.moved(middle_ns, seen.mended_ns) > STILL_RAD else ['the arm stood still']
    return [f'held: {text}' for text in dict.fromkeys(texts)] + still


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec='seconds')
