# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A long run of the whole stack: task after task, every so often a stop in the middle of the motion; memory, rates, rest and false stops are watched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rclpy.qos import QoSProfile

from vera_bringup.asking import SessionError
from vera_bringup.false_stops import REST_RAD_S, GoodEpisode, holds_in, summarise
from vera_bringup.process_figures import private_mb, waited_s
from vera_bringup.session import Session
from vera_bringup.statistics import median
from vera_bringup.task_run import Episode, EpisodeRow, run_task, topics_for_figures
from vera_bringup.up import SystemProcesses
from vera_core.embodiment import Embodiment
from vera_core.ros import qos
from vera_core.ros.stamps import to_ns
from vera_msgs.msg import SafetyStatus

GROWTH_LIMIT = 0.05
"""Share by which the memory of a process may grow after the warm-up."""
SLACK_MB = 2.0
"""Growth below this is the allocator's, MB."""
WARM_UP_SHARE = 0.25
REST_WITHIN_S = 0.5
MOVING_RAD_S = 0.12
STOP_EVERY = 4
WATCH_S = 1.5
STEADY_SHARE = 0.8
"""Joint states of a task below this share of the usual rate are a complaint."""
STARVED_SHARE = 0.5
"""Unless the simulator's threads waited for a processor for this share of the task's time: it is then the machine that has no time, not the stack."""


def growth(times_s: Sequence[float], sizes: Sequence[float]) -> tuple[float, float] | None:
    """Return the size after the warm-up and at the end: medians of the first and the last third of what follows the warm-up.

    Args:
        times_s: Rising.
        sizes: Of the same length.

    Returns:
        None when fewer than six samples follow the warm-up.
    """
    if not times_s:
        return None
    begin = times_s[0] + WARM_UP_SHARE * (times_s[-1] - times_s[0])
    warm = [size for at, size in zip(times_s, sizes, strict=True) if at >= begin]
    third = len(warm) // 3
    return (float(np.median(warm[:third])), float(np.median(warm[-third:]))) if third >= 2 else None


def topics_for_soak(robot: Embodiment) -> dict[str, tuple[type, QoSProfile]]:
    """Return the topics a soak run is judged by."""
    return {**topics_for_figures(robot), 'safety_status': (SafetyStatus, qos.STATUS)}


@dataclass(slots=True)
class SoakReport:
    """What was seen so far."""

    times_s: list[float] = field(default_factory=list)
    memory_mb: dict[str, list[float]] = field(default_factory=dict)
    rest_s: list[float] = field(default_factory=list)
    """Of every stop: from the call of the service until the measured joints rest."""
    rates_hz: list[float] = field(default_factory=list)
    """Joint states per second, of every task."""
    estimates_hz: list[float] = field(default_factory=list)
    """Joint velocity estimates per second of motion, of every task."""
    waiting_shares: list[float] = field(default_factory=list)
    """For what share of every task's time the simulator's threads were ready and had no processor, all together."""
    outcomes: list[str] = field(default_factory=list)
    """How every task ended, those that were stopped among them."""
    good: list[GoodEpisode] = field(default_factory=list)
    """The tasks that nobody stopped."""
    faults: list[str] = field(default_factory=list)
    violations: int = 0
    """Commands outside a limit in their own points."""
    late_commands: int = 0
    """Commands that came after the driver had run past where they begin."""
    late_ticks: int = 0
    """Driver ticks outside a limit because of those."""

    def sample(self, processes: Mapping[str, int], at_s: float) -> None:
        """Note the memory of every process, by name and process id."""
        sizes = {name: private_mb(pid) for name, pid in processes.items()}
        if None in sizes.values():
            return
        self.times_s.append(at_s)
        for name, size in sizes.items():
            self.memory_mb.setdefault(name, []).append(size or 0.0)

    def grown(self) -> dict[str, tuple[float, float]]:
        """Return per process its memory after the warm-up and at the end, MB; empty while the run is too short to tell."""
        found = {name: growth(self.times_s, sizes) for name, sizes in self.memory_mb.items()}
        return {name: pair for name, pair in found.items() if pair is not None}

    def complaints(self) -> list[str]:
        """Return what was not as it should be, one sentence each."""
        words = list(self.faults)
        for name, (warm, last) in self.grown().items():
            if last - warm > max(GROWTH_LIMIT * warm, SLACK_MB):
                words.append(f'{name} grew from {warm:.1f} to {last:.1f} MB ({last / warm - 1:.1%}, at most {GROWTH_LIMIT:.0%})')
        words += [f'a stop took {rest:.2f} s to rest (at most {REST_WITHIN_S} s)' for rest in self.rest_s if rest > REST_WITHIN_S]
        usual = median(self.rates_hz)
        if usual:
            words += [
                f'joint states came {rate:.0f} times a second, usually {usual:.0f}'
                for rate, waiting in zip(self.rates_hz, self.waiting_shares, strict=True)
                if rate < STEADY_SHARE * usual and waiting < STARVED_SHARE
            ]
        if self.violations:
            words.append(f'{self.violations} commands outside a limit')
        latched = [(episode, hold) for episode in self.good for hold in episode.holds if hold.is_latched]
        words += [f'episode {episode.seed}, in which nothing was wrong, was stopped for good: {hold.text}' for episode, hold in latched]
        return words

    def as_dict(self) -> dict[str, Any]:
        """Return everything in plain types."""
        grown = {
            name: {'after_warm_up_mb': warm, 'at_end_mb': last, 'growth': last / warm - 1} for name, (warm, last) in self.grown().items()
        }
        return {
            'seconds': self.times_s[-1] - self.times_s[0] if self.times_s else 0.0,
            'tasks': len(self.outcomes),
            'succeeded': self.outcomes.count('succeeded'),
            'stops': len(self.rest_s),
            'good': summarise(self.good),
            'longest_rest_s': max(self.rest_s, default=None),
            'joint_states_hz': [min(self.rates_hz, default=None), median(self.rates_hz), max(self.rates_hz, default=None)],
            'estimates_hz': [min(self.estimates_hz, default=None), median(self.estimates_hz), max(self.estimates_hz, default=None)],
            'waiting_share': [min(self.waiting_shares, default=None), median(self.waiting_shares), max(self.waiting_shares, default=None)],
            'violations': self.violations,
            'late_commands': self.late_commands,
            'late_ticks': self.late_ticks,
            'memory': grown,
            'good_episodes': [asdict(episode) for episode in self.good],
            'complaints': self.complaints(),
        }


def soak(
    processes: SystemProcesses,
    session: Session,
    episodes: Iterator[Episode],
    seconds: float,
    *,
    prepare: Callable[[Session, Episode], None] = lambda _session, _episode: None,
    on_task: Callable[[SoakReport], None] = lambda _: None,
) -> SoakReport:
    """Carry out tasks until the time is over; every fourth one is stopped while the arm moves.

    Args:
        processes: Whose memory is watched.
        session: The operator; its recorder has `topics_for_soak`.
        episodes: What to do.
        seconds: How long, s; the task in hand is finished.
        prepare: As of `run_task`.
        on_task: Called after every task.
    """
    report, begin = SoakReport(), time.monotonic()
    pids = {node.name: processes.pid(node.name) for node in processes.system.processes}
    for number, episode in enumerate(episodes):
        if time.monotonic() - begin > seconds:
            break
        mark = (time.monotonic(), waited_s(pids['sim_node']) or 0.0)
        try:
            if number % STOP_EVERY == STOP_EVERY - 1:
                _stopped_task(session, episode, prepare, report)
            else:
                row = run_task(session, episode, prepare=prepare)
                report.outcomes.append(row.outcome)
                report.good.append(_good_episode(session, row))
                report.violations += row.total_violations
                report.late_commands += row.late_commands
                report.late_ticks += row.late_ticks
            _rates(session, report, since=mark, waited=waited_s(pids['sim_node']) or 0.0)
        except SessionError as error:
            report.faults.append(f'task {number}: {error}')
        report.faults += [death.text for death in processes.new_deaths()]
        report.sample(pids, time.monotonic() - begin)
        on_task(report)
    return report


def _good_episode(session: Session, row: EpisodeRow) -> GoodEpisode:
    holds = holds_in((recorded.arrival_ns, recorded.message) for recorded in session.recorder.messages('safety_status'))
    return GoodEpisode(seed=row.seed, success=row.success, outcome=': '.join(filter(None, (row.outcome, row.error))), holds=tuple(holds))


def _stopped_task(session: Session, episode: Episode, prepare: Callable[[Session, Episode], None], report: SoakReport) -> None:
    """Give a sentence, stop the arm while it moves, and note when it rests."""
    session.reset_scene(episode.seed, episode.target)
    prepare(session, episode)
    session.make_ready()
    session.recorder.start()
    with ThreadPoolExecutor(max_workers=1) as pool:
        task = pool.submit(session.execute, episode.prompt)
        try:
            session.wait_for(lambda: session.scene.arm_speed > MOVING_RAD_S or task.done(), timeout_s=20.0, what='motion')
            stopped_ns = session.node.get_clock().now().nanoseconds
            session.trigger('stop')
        finally:
            outcome = task.result(timeout=120.0).outcome
    report.outcomes.append(outcome)
    time.sleep(WATCH_S)
    session.recorder.stop()
    report.rest_s.append(rest_after_s(session, stopped_ns))
    if outcome != 'stopped':
        report.faults.append(f'a stopped task ended as {outcome}')


def rest_after_s(session: Session, since_ns: int) -> float:
    """Return how long after a moment the measured joints of the recording last moved, s."""
    arm, moving_ns = set(session.robot.joint_names), [since_ns]
    for recorded in session.recorder.messages(session.robot.driver.joint_states_topic):
        state = recorded.message
        speed = np.linalg.norm([rate for name, rate in zip(state.name, state.velocity, strict=False) if name in arm])
        if speed > REST_RAD_S:
            moving_ns.append(to_ns(state.header.stamp))
    return (max(moving_ns) - since_ns) * 1e-9


def _rates(session: Session, report: SoakReport, *, since: tuple[float, float], waited: float) -> None:
    """Note how often joint states and estimates came in the task that was recorded last, and how long the simulator waited for a processor."""
    begin_s, waited_before = since
    joint_states, estimates = (_rate_hz(session, topic) for topic in (session.robot.driver.joint_states_topic, 'joint_velocity'))
    if joint_states is not None:
        report.rates_hz.append(joint_states)
        report.waiting_shares.append((waited - waited_before) / (time.monotonic() - begin_s))
    if estimates is not None:
        report.estimates_hz.append(estimates)


def _rate_hz(session: Session, topic: str) -> float | None:
    """Return how often messages of a topic came, Hz; None for too few of them to tell."""
    stamps = [recorded.arrival_ns for recorded in session.recorder.messages(topic)]
    return (len(stamps) - 1) / ((stamps[-1] - stamps[0]) * 1e-9) if len(stamps) > 10 else None
