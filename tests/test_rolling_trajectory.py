# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The controller's rolling trajectory, as messages, in a stand-in for joint_trajectory_controller at 1 kHz: what the arm would feel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip('rclpy')

from vera_control.controller import Controller
from vera_control.params import ControllerParams
from vera_control.safety import SafetyState
from vera_control.wire import trajectory_to_msg
from vera_core.embodiment import load_embodiment
from vera_core.errors import Refusal
from vera_core.ros.messages import to_ns
from vera_core.types import JointVelocity, RobotState
from vera_sim.mock_controller import MockController
from vera_sim.ros.commands import trajectory_from_msg

MS = 1_000_000
START = 1_700_000_000_000 * MS + 123_457  # no multiple of anything


@dataclass
class Run:
    """One controller, its messages on their way, and the stand-in, on a common clock."""

    robot_name: str
    tick_hz: float
    options: dict[str, bool] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.robot = load_embodiment(self.robot_name)
        period_s = 1.0 / self.tick_hz
        # A message must hold some motion until the next one has arrived.
        params = ControllerParams(
            robot=self.robot_name, require_task=False, tick_hz=self.tick_hz, active_s=max(0.03, period_s + 0.01), require_home=False
        )
        self.controller, self.mock = Controller(self.robot, params), MockController(self.robot, **self.options)
        self.now_ns, self.in_flight = START, []

    def go(self, duration_ms: int, wanted: Callable[[int], np.ndarray | None], delay_ms: Callable[[], int]) -> None:
        tick_ms = round(1000 / self.tick_hz)
        for step in range(duration_ms):
            if step % 5 == 0:
                measured = self.mock.measured
                self.controller.on_state(
                    RobotState(stamp_ns=self.now_ns, position=measured.position, velocity=measured.velocity), self.now_ns
                )
            if step % 66 == 0 and (velocity := wanted(step)) is not None:
                self.controller.on_estimate(self.estimate(velocity), self.now_ns)
            if step % tick_ms == 0:
                trajectory = self.controller.tick(self.now_ns)
                if trajectory is not None:
                    message = trajectory_to_msg(trajectory, self.robot.joint_map, self.now_ns)
                    self.in_flight.append((self.now_ns + delay_ms() * MS, message))
            while self.in_flight and self.in_flight[0][0] <= self.now_ns:
                message = self.in_flight.pop(0)[1]
                found = trajectory_from_msg(message, self.robot)
                answer = found if isinstance(found, Refusal) else self.mock.receive(found, to_ns(message.header.stamp), self.now_ns)
                if answer is not None:
                    self.refusals.append(answer.text)
            self.mock.update(self.now_ns)
            self.now_ns += MS

    def estimate(self, velocity: np.ndarray) -> JointVelocity:
        n = len(self.robot.joints)
        return JointVelocity(
            stamp_ns=self.now_ns, plan_id=1, task_id=1, step=2, dt_s=0.35, delta_q=velocity * 0.35, std=np.full(n, 0.01), observability=np.ones(n),
            residual_ratio=0.2, residual_px=0.3, condition=10.0, remaining_px=20.0, at_plan_end=False,
        )  # fmt: skip


def follow_reversals(run: Run, seed: int, delay_ms: Callable[[], int]) -> None:
    """Arm, follow hard reversals for six seconds with a gap in the middle, and come to rest."""
    rng = np.random.default_rng(seed)
    top = np.array([joint.velocity for joint in run.robot.joints])
    wanted = np.zeros(len(top))

    def draw(step: int) -> np.ndarray | None:
        nonlocal wanted
        if step % (66 * 4) == 0:
            wanted = rng.uniform(-0.9, 0.9, len(top)) * top
        return None if 2500 <= step < 3200 else wanted

    run.go(500, lambda step: None, delay_ms)
    assert run.controller.arm(run.now_ns) is None
    run.go(6000, draw, delay_ms)
    assert run.controller.safety.state is SafetyState.RUNNING, run.controller.safety.text
    run.go(1500, lambda step: None, delay_ms)


@pytest.mark.parametrize(('robot', 'tick_hz'), [('fr3', 20.0), ('fr3', 50.0), ('panda', 20.0), ('panda', 50.0), ('allegro', 50.0)])
def test_arm_at_1_khz_stays_within_the_robots_limits(robot: str, tick_hz: float) -> None:
    run = Run(robot, tick_hz)
    rng = np.random.default_rng(1)
    follow_reversals(run, 0, lambda: int(rng.integers(1, 9)))
    assert not run.refusals
    assert run.mock.accepted > 4 * tick_hz
    peaks, counts = run.mock.watch.peaks, run.mock.watch.violations
    assert (counts.position, counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0, 0)
    # Not only below the manufacturer's limits: below the share of them that commands may use. (Differences over 1 ms add a little.)
    scale = run.robot.limit_scale
    assert 0.3 * scale.velocity < peaks.velocity <= scale.velocity * 1.001
    assert peaks.acceleration <= scale.acceleration * 1.01
    assert peaks.jerk <= scale.jerk * 1.02
    np.testing.assert_array_equal(run.mock.command.velocity, 0.0)


def test_late_and_bunched_messages_change_nothing() -> None:
    """Up to 60 ms on the way, several at once: still before the piece that is new takes over."""
    run = Run('fr3', 50.0)
    rng = np.random.default_rng(2)
    follow_reversals(run, 3, lambda: int(rng.choice([1, 5, 60])))
    assert not run.refusals
    counts = run.mock.watch.violations
    assert (counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0)


def test_sender_that_dies_leaves_the_arm_at_rest_within_the_tail() -> None:
    run = Run('fr3', 50.0)
    run.go(500, lambda step: None, lambda: 3)
    assert run.controller.arm(run.now_ns) is None
    run.go(1000, lambda step: np.full(7, 0.3), lambda: 3)
    assert np.abs(run.mock.command.velocity).max() > 0.05
    run.in_flight.clear()
    for k in range(400):
        run.mock.update(run.now_ns + k * MS)
        if not run.mock.command.velocity.any():
            break
    assert k <= 320  # 0.1 s lead, 0.04 s active, 0.17 s to stop
    counts = run.mock.watch.violations
    assert (counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0)


def test_same_stream_without_interpolate_from_desired_state_is_as_smooth() -> None:
    """Messages repeat the last 100 ms of the curve, so the driver never has to bridge from measured joints while it moves."""
    run = Run('fr3', 50.0, options={'interpolate_from_desired_state': False})
    follow_reversals(run, 4, lambda: 4)
    counts = run.mock.watch.violations
    assert (counts.velocity, counts.acceleration, counts.jerk) == (0, 0, 0)
