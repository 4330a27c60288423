# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole graph, started once for all tests of a file, and an operator beside it."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from vera_bringup.outcome import TaskOutcome
from vera_bringup.recordings import ExpertClips
from vera_bringup.session import Session
from vera_bringup.supervision import isolate, running_system
from vera_bringup.system import load_system
from vera_bringup.task_run import Episode, topics_for_video
from vera_bringup.up import SystemProcesses
from vera_core.embodiment import load_embodiment
from vera_core.ros.messages import to_ns

REST_RAD_S = 0.02
PROMPT = 'touch the green cube'


@dataclass
class Graph:
    """The running system as a test sees it."""

    processes: SystemProcesses
    session: Session
    clips: ExpertClips
    lines: list[tuple[str, str]]
    seeds: Iterator[int] = field(default_factory=lambda: itertools.count(2**33))
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))
    task: Future[TaskOutcome] | None = None

    def begin(self) -> None:
        """Set a new scene and make everybody ready.

        Always another scene: the driver cannot tell its controller that it was put elsewhere, and the controller takes a few hundredths of a
        radian for sag.
        """
        episode = Episode(seed=next(self.seeds), target='green_cube', prompt=PROMPT, held_out=False)
        self.session.reset_scene(episode.seed, episode.target)
        self.clips.prepare(self.session, episode)
        self.session.make_ready(timeout_s=20.0)

    def give(self, prompt: str = PROMPT, max_duration_s: float = 0.0) -> Future[TaskOutcome]:
        """Send the sentence; the result comes later."""
        self.session.recorder.start()
        self.task = self.pool.submit(self.session.execute, prompt, max_duration_s=max_duration_s)
        return self.task

    def wait_moving(self, speed_rad_s: float = 0.12) -> None:
        """Wait until the arm is well under way."""
        assert self.task is not None, 'give() comes first'
        task = self.task
        self.session.wait_for(
            lambda: self.session.scene.arm_speed > speed_rad_s or task.done(), timeout_s=12.0, what=f'motion at {speed_rad_s} rad/s'
        )
        assert not task.done(), f'the task ended before the arm moved: {task.result()}'

    def wait_text(self, words: str, timeout_s: float = 3.0) -> None:
        """Wait until the controller says something."""
        self.session.wait_for(
            lambda: words in (self.session.safety.text if self.session.safety else ''), timeout_s=timeout_s, what=f"'{words}'"
        )

    def kill(self, name: str) -> int:
        """Kill a process the hard way and return when, ns."""
        now_ns = self.session.node.get_clock().now().nanoseconds
        os.kill(self.processes.pid(name), signal.SIGKILL)
        return int(now_ns)

    def rest_after_s(self, since_ns: int) -> float:
        """Return how long after `since_ns` the measured joints last moved, s, watching them for another second."""
        time.sleep(max(0.0, 1.5 - (self.session.node.get_clock().now().nanoseconds - since_ns) * 1e-9))
        self.session.recorder.stop()
        arm = set(self.session.robot.joint_names)
        moving_ns = [since_ns]
        for recorded in self.session.recorder.messages(self.session.robot.driver.joint_states_topic):
            state = recorded.message
            speed = np.linalg.norm([rate for name, rate in zip(state.name, state.velocity, strict=False) if name in arm])
            if speed > REST_RAD_S:
                moving_ns.append(to_ns(state.header.stamp))
        assert self.session.recorder.count(self.session.robot.driver.joint_states_topic) > 50
        return (max(moving_ns) - since_ns) * 1e-9

    def bring_back(self, name: str) -> None:
        """Start a killed node again and wait for its sign of life."""
        self.processes.restart(name)
        self.session.wait_alive(self.processes.system.node_names, timeout_s=30.0)

    def violations(self) -> int:
        """Commands outside a limit since the last reset, as the simulated driver counts them."""
        scene = self.session.scene
        return int(scene.position_violations + scene.velocity_violations + scene.acceleration_violations + scene.jerk_violations)

    def said(self, node: str, words: str) -> bool:
        """Whether a node has printed some words."""
        return any(name == node and words in line for name, line in list(self.lines))


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 5.0) -> None:
    """Wait for something outside of the session's reports."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture(name='wait_until')
def wait_until_fixture() -> Callable[..., None]:
    return wait_until


@pytest.fixture(scope='module')
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """The set-up panda_sim with the recorded planner in a domain of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv('ROS_DOMAIN_ID', raising=False)
        isolate()
        robot = load_embodiment('panda')
        system = load_system('panda_sim', planner='recorded')
        lines: list[tuple[str, str]] = []
        log: Path = tmp_path_factory.mktemp('graph') / 'nodes.log'
        assert threading.current_thread() is threading.main_thread()
        with (
            ExpertClips('recorded') as clips,
            running_system(system, record=topics_for_video(robot), log_file=log, on_line=lambda *line: lines.append(line)) as (
                processes,
                session,
            ),
        ):
            made = Graph(processes, session, clips, lines)
            yield made
            made.pool.shutdown(wait=False, cancel_futures=True)
        patch.delenv('ROS_DOMAIN_ID', raising=False)
