# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One task from reset to result, and the row of figures it leaves; demo and evaluation both run tasks this way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from vera_bringup.measures import duty_cycle, image_to_command_latency
from vera_bringup.outcome import TaskOutcome
from vera_bringup.recorder import Recorder
from vera_bringup.session import Session
from vera_bringup.statistics import median, percentile
from vera_core.embodiment import Embodiment
from vera_core.goals import Goal
from vera_core.ros import qos
from vera_core.ros.stamps import to_ns
from vera_msgs.action import ExecuteTask
from vera_msgs.msg import FlowField, JointVelocityEstimate, SafetyStatus, SceneStatus, VideoPlan

VIOLATION_KINDS = ('position', 'velocity', 'acceleration', 'jerk')
SETTLE_S = 0.6
"""After the result the simulator is watched this much longer: its check wants the touch to last 0.3 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """What one task is: everything that is drawn before it starts."""

    seed: int
    target: str
    prompt: str
    held_out: bool
    """Whether the wording was kept out of the planner's training."""
    task: str = 'reach'
    direction: str = ''
    onto: str = ''
    held_out_goal: bool = False
    """Whether what is asked for was kept out of the planner's training."""

    @property
    def goal(self) -> Goal:
        """What is asked for, as the simulator checks it."""
        return Goal(task=self.task, target=self.target, direction=self.direction, onto=self.onto)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRow:
    """What came of it. A figure that could not be measured is None."""

    seed: int
    target: str
    prompt: str
    held_out: bool
    task: str = 'reach'
    direction: str = ''
    onto: str = ''
    held_out_goal: bool = False
    success: bool = False
    """The simulator's own check of the task."""
    check: str = ''
    """How far the task came, in the words of that check."""
    outcome: str = ''
    error: str = ''
    touched: tuple[str, ...] = ()
    final_distance_mm: float | None = None
    """Fingertip to the touch point of the target at the end."""
    time_s: float | None = None
    """From the goal's acceptance to its result."""
    duty_cycle: float | None = None
    """Share of that time in which the arm moved, from the measured joint velocities."""
    plans: int = 0
    plan_latency_s: float | None = None
    """Wall time of one dream, median over the plans of the task."""
    latency_p50_ms: float | None = None
    """From a camera picture to the first command that uses it, median."""
    latency_p95_ms: float | None = None
    violations: Mapping[str, int] = field(default_factory=dict)
    """Commands outside a limit, by kind: counted by the simulated driver and, independently, by the controller."""
    rejected_commands: int = 0
    late_commands: int = 0
    """Commands that reached the simulated driver after it had run past where they begin: a busy machine."""
    late_ticks: int = 0
    """Driver ticks outside a limit because of those; they are not violations of any command."""
    refused_messages: int = 0
    real_time_factor: float | None = None
    latencies_ms: tuple[float, ...] = ()

    @property
    def total_violations(self) -> int:
        """Violations of all kinds."""
        return sum(self.violations.values())


def topics_for_figures(robot: Embodiment) -> dict[str, tuple[type, QoSProfile]]:
    """Return the topics an episode's figures are computed from."""
    return {
        'joint_velocity': (JointVelocityEstimate, qos.STREAM),
        'plan': (VideoPlan, qos.PLAN),
        robot.driver.command_topic: (JointTrajectory, qos.COMMAND),
        robot.driver.joint_states_topic: (JointState, qos.SENSOR),
    }


def topics_for_video(robot: Embodiment) -> dict[str, tuple[type, QoSProfile]]:
    """Return the topics the demo's video is drawn from, those for figures among them."""
    images = {view.image_topic: (Image, qos.SENSOR) for view in robot.views}
    return {**topics_for_figures(robot), 'flow': (FlowField, qos.STREAM), **images}


def run_task(
    session: Session,
    episode: Episode,
    *,
    max_duration_s: float = 0.0,
    prepare: Callable[[Session, Episode], None] = lambda _session, _episode: None,
    on_feedback: Callable[[ExecuteTask.Feedback], None] = lambda _: None,
) -> EpisodeRow:
    """Reset the scene, make the controller ready, give the sentence, wait for the end and measure.

    Args:
        session: The operator.
        episode: What to do.
        max_duration_s: Longest time the task may take, s; 0 leaves it to the executive.
        prepare: Called after the reset, before the sentence is given.
        on_feedback: Called from the session's thread with every feedback.

    Raises:
        SessionError: If a part of the system does not answer; what it says goes into the row of an evaluation.
    """
    session.reset_scene(episode.seed, episode.target, goal=episode.goal)
    prepare(session, episode)
    session.make_ready()
    before = session.safety
    session.recorder.start()
    try:
        outcome = session.execute(episode.prompt, max_duration_s=max_duration_s, on_feedback=on_feedback)
    finally:
        session.recorder.stop()
    time.sleep(SETTLE_S)
    return make_row(episode, outcome, session.scene, before, session.safety, session.recorder, session.robot)


def make_row(
    episode: Episode,
    outcome: TaskOutcome,
    scene: SceneStatus,
    before: SafetyStatus | None,
    after: SafetyStatus | None,
    recorder: Recorder,
    robot: Embodiment,
) -> EpisodeRow:
    """Compute the figures of a finished task."""
    latencies_ms = _latencies_ms(recorder, robot)
    plan_s = [to_ns(recorded.message.inference_time) * 1e-9 for recorded in recorder.messages('plan')]
    return EpisodeRow(
        **asdict(episode),
        success=bool(scene.success),
        check=scene.check_text,
        outcome=outcome.outcome,
        error='' if outcome.outcome == 'succeeded' else outcome.text,
        touched=tuple(scene.touched),
        final_distance_mm=scene.target_distance * 1e3 if scene.target_distance >= 0 else None,
        time_s=outcome.elapsed_s,
        duty_cycle=_duty_cycle(recorder, robot, outcome),
        plans=outcome.plans,
        plan_latency_s=median(plan_s),
        latency_p50_ms=median(latencies_ms),
        latency_p95_ms=percentile(latencies_ms, 95.0),
        violations={kind: _violations(kind, scene, before, after) for kind in VIOLATION_KINDS},
        rejected_commands=scene.rejected_commands,
        late_commands=scene.late_commands,
        late_ticks=scene.late_ticks,
        refused_messages=_count(after, 'refused_messages') - _count(before, 'refused_messages'),
        real_time_factor=scene.real_time_factor,
        latencies_ms=tuple(round(latency, 2) for latency in latencies_ms),
    )


def _violations(kind: str, scene: SceneStatus, before: SafetyStatus | None, after: SafetyStatus | None) -> int:
    """Violations the driver has seen since the reset plus those the controller has counted since the task began."""
    name = f'{kind}_violations'
    return int(getattr(scene, name)) + _count(after, name) - _count(before, name)


def _count(status: SafetyStatus | None, name: str) -> int:
    return int(getattr(status, name)) if status is not None else 0


def _duty_cycle(recorder: Recorder, robot: Embodiment, outcome: TaskOutcome) -> float:
    stamps, speeds = [], []
    names = set(robot.joint_names)
    for recorded in recorder.messages(robot.driver.joint_states_topic):
        state = recorded.message
        rates = [rate for name, rate in zip(state.name, state.velocity, strict=False) if name in names]
        stamps.append(to_ns(state.header.stamp) * 1e-9)
        speeds.append(float(np.linalg.norm(rates)))
    return duty_cycle(np.array(stamps), np.array(speeds), outcome.start_s, outcome.end_s)


def _latencies_ms(recorder: Recorder, robot: Embodiment) -> list[float]:
    images, published = [], []
    for recorded in recorder.messages('joint_velocity'):
        stamp = to_ns(recorded.message.header.stamp)
        images.append(stamp)
        published.append(stamp + to_ns(recorded.message.latency))
    commands = [to_ns(recorded.message.header.stamp) for recorded in recorder.messages(robot.driver.command_topic)]
    return [latency * 1e3 for latency in image_to_command_latency(images, published, commands)]
