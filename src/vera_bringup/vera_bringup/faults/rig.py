# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A running system with a hand on its throat: gives tasks, waits for motion, breaks things, and measures when the arm rests."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rclpy.qos import QoSProfile

from vera_bringup.asking import SessionError
from vera_bringup.outcome import HomeResult, TaskOutcome
from vera_bringup.recordings import ExpertClips
from vera_bringup.session import Session
from vera_bringup.supervision import running_system
from vera_bringup.system import SystemSpec
from vera_bringup.task_run import Episode, topics_for_video
from vera_bringup.up import SystemProcesses
from vera_core.embodiment import load_embodiment
from vera_core.ros import qos
from vera_core.shapes import FloatArray
from vera_msgs.msg import SafetyStatus

REST_RAD_S = 0.02
"""Measured joints slower than this, all together, count as at rest."""
MOVING_RAD_S = 0.12
"""A fault is worth something only while the arm is this fast."""
SCENES = 4
"""So many scenes are tried until the arm is under way in one; nothing is broken in those before."""
PROMPT = 'touch the green cube'
TARGET = 'green_cube'


class NeverMovedError(SessionError):
    """The arm did not set out, so nothing was broken and nothing can be said."""


@dataclass
class Rig:
    """The running system as a test sees it."""

    processes: SystemProcesses
    session: Session
    clips: ExpertClips
    lines: list[tuple[str, str]]
    states_topic: str
    """Where the simulated driver itself publishes its joints, before anything spoils them."""
    seeds: Iterator[int] = field(default_factory=lambda: itertools.count(2**33))
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))
    held: ExitStack = field(default_factory=ExitStack)
    """What a fault keeps open until it is mended."""
    task: Future[TaskOutcome] | Future[HomeResult] | None = None

    # Before a fault.

    def begin(self) -> None:
        """Set a new scene and make everybody ready.

        Always another scene: the driver cannot tell its controller that it was put elsewhere, and the controller takes a few hundredths of a
        radian for sag.
        """
        episode = Episode(seed=next(self.seeds), target=TARGET, prompt=PROMPT, held_out=False)
        self.session.reset_scene(episode.seed, episode.target)
        self.clips.prepare(self.session, episode)
        self.session.make_ready(timeout_s=20.0)

    def give(self, prompt: str = PROMPT, max_duration_s: float = 0.0) -> Future[TaskOutcome]:
        """Send the sentence; the result comes later."""
        self.session.recorder.start()
        task = self.task = self.pool.submit(self.session.execute, prompt, max_duration_s=max_duration_s)
        return task

    def wait_moving(self, speed_rad_s: float = MOVING_RAD_S) -> None:
        """Wait until the arm is well under way.

        Raises:
            NeverMovedError: If it does not get there, or the task ends before.
        """
        task = self.task
        try:
            self.session.wait_for(
                lambda: self.session.scene.arm_speed > speed_rad_s or (task is not None and task.done()),
                timeout_s=12.0,
                what=f'motion at {speed_rad_s} rad/s',
            )
        except SessionError as error:
            raise NeverMovedError(str(error)) from error
        if task is not None and task.done():
            raise NeverMovedError(f'the task ended before the arm moved: {task.result()}')

    def end_task(self) -> str:
        """Cancel what still runs and return how the task ended, in words; empty when it did not end by itself."""
        assert self.task is not None  # somebody began one
        was_done = self.task.done()
        if not was_done:
            self.session.cancel()
        try:
            outcome = self.task.result(timeout=8.0)
        except (SessionError, LateError) as error:
            return f'{type(error).__name__}: {error}'
        return '' if not was_done else f'{outcome.outcome}: {outcome.text}'

    # Faults.

    def spoil(self, text: str) -> None:
        """Tell the relay what is wrong from now on; empty: nothing."""
        self.session.set_parameter('fault_relay_node', 'faults', text)

    def send_signal(self, name: str, number: int) -> None:
        """Send a signal to the process of a node."""
        os.kill(self.processes.pid(name), number)

    def kill(self, name: str) -> int:
        """Kill a process the hard way and return when, ns."""
        now_ns = self.now_ns()
        self.send_signal(name, signal.SIGKILL)
        return now_ns

    def bring_back(self, name: str) -> None:
        """Start a node that has ended again and wait until it is active."""
        self.processes.restart(name)
        self.session.wait_active(self.processes.system.node_names, timeout_s=30.0)

    # What came of it.

    def now_ns(self) -> int:
        """Clock that arrivals are stamped with, ns."""
        return int(self.session.node.get_clock().now().nanoseconds)

    def wait_text(self, words: str, timeout_s: float = 3.0) -> None:
        """Wait until the controller says something."""
        self.session.wait_for(
            lambda: words in (self.session.safety.text if self.session.safety else ''), timeout_s=timeout_s, what=f"'{words}'"
        )

    def speeds(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return arrival times, shape (T,), ns, joint speeds, shape (T,), rad/s, and joints, shape (T, n), rad, since the recording began."""
        arm = self.session.robot.joint_names
        times, speeds, joints = [], [], []
        for recorded in self.session.recorder.messages(self.states_topic):
            state = recorded.message
            order = [list(state.name).index(name) for name in arm]
            times.append(recorded.arrival_ns)
            speeds.append(float(np.linalg.norm(np.array(state.velocity)[order])))
            joints.append(np.array(state.position)[order])
        return np.array(times, dtype=np.int64), np.array(speeds), np.array(joints)

    def newest_joints(self) -> FloatArray:
        """Return the newest recorded joints, shape (n,), rad; NaN before the first."""
        newest = self.session.recorder.newest(self.states_topic)
        if newest is None:
            return np.full(len(self.session.robot.joint_names), np.nan)
        order = [list(newest.name).index(name) for name in self.session.robot.joint_names]
        return np.array(newest.position)[order]

    def statuses(self) -> list[tuple[int, SafetyStatus]]:
        """Return when the controller said what since the recording began."""
        return [(recorded.arrival_ns, recorded.message) for recorded in self.session.recorder.messages('safety_status')]

    def rest_after_s(self, since_ns: int) -> float:
        """Return how long after `since_ns` the measured joints last moved, s, watching them for a second and a half."""
        time.sleep(max(0.0, 1.5 - (self.now_ns() - since_ns) * 1e-9))
        self.session.recorder.stop()
        times, speeds, _ = self.speeds()
        if len(times) < 50:
            raise SessionError(f'only {len(times)} joint states arrived; nothing can be said about rest')
        moving = times[(speeds > REST_RAD_S) & (times > since_ns)]
        return float((moving.max() - since_ns) * 1e-9) if moving.size else 0.0

    def violations(self) -> int:
        """Commands outside a limit since the last reset, as the simulated driver counts them."""
        scene = self.session.scene
        return int(scene.position_violations + scene.velocity_violations + scene.acceleration_violations + scene.jerk_violations)

    def late_ticks(self) -> int:
        """Driver ticks outside a limit because a command came too late, which its points are not to blame for."""
        return int(self.session.scene.late_ticks)

    def said(self, node: str, words: str) -> bool:
        """Whether a node has printed some words."""
        return any(name == node and words in line for name, line in list(self.lines))


@contextmanager
def running_rig(
    system: SystemSpec, *, log_file: Path | None = None, states_topic: str = '', record: Mapping[str, tuple[type, QoSProfile]] | None = None
) -> Iterator[Rig]:
    """Start a system with an operator who records what the figures need; called from the main thread.

    Args:
        system: What to run.
        log_file: Where everything the nodes print goes.
        states_topic: Where the driver's joint states are, if not on the topic of the robot file.
        record: More topics to record.

    Raises:
        SessionError: If the system does not start.
    """
    robot = load_embodiment(system.robot)
    states = robot.driver.joint_states_topic
    topics = {**topics_for_video(robot), 'safety_status': (SafetyStatus, qos.STATUS), **(record or {})}
    if states_topic:
        topics[states_topic] = topics[states]
    lines: list[tuple[str, str]] = []

    def on_line(node: str, line: str) -> None:
        lines.append((node, line))

    with (
        ExpertClips('recorded') as clips,
        running_system(system, record=topics, log_file=log_file, on_line=on_line) as (processes, session),
    ):
        rig = Rig(processes, session, clips, lines, states_topic or states)
        try:
            yield rig
        finally:
            rig.held.close()
            rig.pool.shutdown(wait=False, cancel_futures=True)
