# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A driver that joins points as joint_trajectory_controller does, and a closed loop around one controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from vera_control.controller import Controller
from vera_control.limits import JointLimits, limits_of
from vera_control.params import ControllerParams
from vera_control.shaper import Shaper
from vera_control.trajectory import JointMotion, ShapedTrajectory
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.shapes import FloatArray
from vera_core.types import JointVelocity, RobotState

MS = 1_000_000


def quintic(t0: float, x0: FloatArray, t1: float, x1: FloatArray, t: float) -> FloatArray:
    """Join two states (3, n) of position, velocity, acceleration by the polynomial of degree five; written apart from the code under test."""
    span = t1 - t0

    def basis(s: float) -> FloatArray:
        return np.array(
            [
                [s**k for k in range(6)],
                [k * s ** (k - 1) if k else 0.0 for k in range(6)],
                [k * (k - 1) * s ** (k - 2) if k > 1 else 0.0 for k in range(6)],
            ]
        )

    scale = np.array([1.0, span, span * span])[:, None]
    coefficients = np.linalg.solve(np.vstack([basis(0.0), basis(1.0)]), np.vstack([x0 * scale, x1 * scale]))
    return np.asarray(basis((t - t0) / span) @ coefficients / scale)


@dataclass
class FakeDriver:
    """What the arm's reference is, given the messages so far."""

    position: FloatArray
    messages: list[ShapedTrajectory] = field(default_factory=list)
    before: tuple[float, FloatArray] | None = None

    def receive(self, trajectory: ShapedTrajectory, now_ns: int) -> None:
        """Swap the trajectory, as on arrival of a message."""
        self.before = (now_ns * 1e-9, self.desired(now_ns))
        self.messages.append(trajectory)

    def desired(self, now_ns: int) -> FloatArray:
        """Return position, velocity, acceleration of the reference, shape (3, n)."""
        if not self.messages:
            return np.vstack([self.position, np.zeros((2, len(self.position)))])
        trajectory = self.messages[-1]
        states = np.stack([trajectory.position, trajectory.velocity, trajectory.acceleration], axis=1)
        if now_ns < trajectory.start_ns:
            assert self.before is not None
            return quintic(self.before[0], self.before[1], trajectory.start_ns * 1e-9, states[0], now_ns * 1e-9)
        if now_ns >= trajectory.end_ns:
            return np.asarray(states[-1])
        row = (now_ns - trajectory.start_ns) // trajectory.period_ns
        t0 = (trajectory.start_ns + row * trajectory.period_ns) * 1e-9
        return quintic(t0, states[row], t0 + trajectory.period_ns * 1e-9, states[row + 1], now_ns * 1e-9)


@dataclass
class Loop:
    """One controller and one driver on a common clock of 1 ms steps; the arm lags its reference by 30 ms."""

    robot: Embodiment
    controller: Controller
    driver: FakeDriver
    now_ns: int = 5_000 * MS
    trace: list[FloatArray] = field(default_factory=list)
    in_flight: list[tuple[int, ShapedTrajectory]] = field(default_factory=list)
    blocked: bool = False
    sends_states: bool = True

    def measured(self) -> FloatArray:
        """Return where the arm is, shape (n,), rad."""
        return self.trace[max(0, len(self.trace) - 31)][0] if self.trace and not self.blocked else self.driver.position

    def run(
        self,
        duration_ms: int,
        *,
        estimate: Callable[[int], JointVelocity | None] = lambda now_ns: None,
        estimate_every_ms: int = 66,
        tick_every: Callable[[], int] = lambda: 20,
        delay_ms: Callable[[], int] = lambda: 5,
    ) -> None:
        """Let time pass: joint states every 5 ms, ticks and estimates as asked, messages to the driver after a delay."""
        next_tick = self.now_ns
        for step in range(duration_ms):
            if self.sends_states and step % 5 == 0:
                speed = (
                    (self.trace[-1][0] - self.trace[-6][0]) / 0.005
                    if len(self.trace) > 5 and not self.blocked
                    else np.zeros(len(self.driver.position))
                )
                self.controller.on_state(RobotState(stamp_ns=self.now_ns, position=self.measured(), velocity=speed), self.now_ns)
            if step % estimate_every_ms == 0 and (message := estimate(self.now_ns)) is not None:
                self.controller.on_estimate(message, self.now_ns)
            if self.now_ns >= next_tick:
                next_tick = self.now_ns + tick_every() * MS
                trajectory = self.controller.tick(self.now_ns)
                if trajectory is not None:
                    self.in_flight.append((self.now_ns + delay_ms() * MS, trajectory))
            while self.in_flight and self.in_flight[0][0] <= self.now_ns:
                self.driver.receive(self.in_flight.pop(0)[1], self.now_ns)
            self.trace.append(self.driver.desired(self.now_ns))
            self.now_ns += MS

    def peaks(self) -> dict[str, float]:
        """Return the largest share of each limit that the driver's reference used (1 = at the limit), jerk by differences over 1 ms."""
        limits = self.controller.limits
        states = np.array(self.trace)
        jerk = np.diff(states[:, 2], axis=0) / 0.001
        return {
            'position': float(np.max(np.maximum(limits.lower - states[:, 0], states[:, 0] - limits.upper))),
            'velocity': float(np.max(np.abs(states[:, 1]) / limits.velocity)),
            'acceleration': float(np.max(np.abs(states[:, 2]) / limits.acceleration)),
            'jerk': float(np.max(np.abs(jerk) / limits.jerk)),
        }

    def speed(self) -> float:
        """Return the norm of the reference velocity now, rad/s."""
        return float(np.linalg.norm(self.trace[-1][1]))

    def rest_after_ms(self, since: int) -> int:
        """Return the milliseconds from a trace index until the reference moves no more."""
        moving = [index for index, state in enumerate(self.trace) if np.max(np.abs(state[1])) > 1e-9]
        return max(0, moving[-1] + 1 - since)

    def assert_limits_kept(self) -> None:
        """Fail when the driver's reference passed a limit, or the last look before sending kept a command back."""
        peaks = self.peaks()
        assert peaks['position'] <= 0
        assert max(peaks['velocity'], peaks['acceleration'], peaks['jerk']) <= 1.0 + 1e-6
        assert self.controller.reference.violations.total == 0


def make_estimate(robot: Embodiment, velocity: Any, stamp_ns: int, **changes: Any) -> JointVelocity:
    """Return a trustworthy estimate with a velocity of shape (n,), rad/s."""
    size = len(robot.joints)
    values: dict[str, Any] = {
        'stamp_ns': stamp_ns,
        'plan_id': 1,
        'task_id': 1,
        'step': 2,
        'dt_s': 0.35,
        'delta_q': np.asarray(velocity, dtype=np.float64) * 0.35,
        'std': np.full(size, 0.01),
        'observability': np.ones(size),
        'residual_ratio': 0.3,
        'residual_px': 0.5,
        'condition': 10.0,
        'remaining_px': 20.0,
        'at_plan_end': False,
    }
    return JointVelocity(**{**values, **changes})


@pytest.fixture
def robot() -> Embodiment:
    """The shipped Panda."""
    return load_embodiment('panda')


@pytest.fixture
def limits(robot: Embodiment) -> JointLimits:
    """Its limits."""
    return limits_of(robot)


@pytest.fixture
def estimate_of(robot: Embodiment) -> Callable[..., JointVelocity]:
    """A maker of estimates: estimate_of(velocity, stamp_ns, **changes)."""
    return lambda velocity, stamp_ns, **changes: make_estimate(robot, velocity, stamp_ns, **changes)


@pytest.fixture
def make_loop(robot: Embodiment) -> Callable[..., Loop]:
    """A maker of armed closed loops: make_loop(start=pose, **params)."""

    def make(start: FloatArray | None = None, *, armed: bool = True, **params: Any) -> Loop:
        controller = Controller(robot, ControllerParams(**{'require_task': False} | params))
        loop = Loop(robot, controller, FakeDriver(np.array(robot.home if start is None else start)))
        loop.run(100)
        if armed:
            assert controller.arm(loop.now_ns) is None
        return loop

    return make


# What the publishers of the command backends run on in tests.


@dataclass
class Topic:
    """Notes what is published, and that it is of the type announced."""

    kind: type
    sent: list[Any] = field(default_factory=list)

    def publish(self, message: Any) -> None:
        assert type(message) is self.kind
        self.sent.append(message)

    def wait_for_all_acked(self, timeout: Any) -> bool:
        return True


@dataclass
class Timer:
    """Ticks when the test says so."""

    tick: Callable[[], None]


@dataclass
class Service:
    """A service that answers at once, when it answers."""

    ready: bool = False
    asked: list[Any] = field(default_factory=list)
    answer: Any = None

    def service_is_ready(self) -> bool:
        return self.ready

    def call_async(self, request: Any) -> Service:
        self.asked.append(request)
        return self

    def add_done_callback(self, done: Callable[[Any], None]) -> None:
        if self.answer is not None:
            done(self)

    def exception(self) -> None:
        return None

    def result(self) -> Any:
        return self.answer


class NoteNode:
    """As much of a node as a backend needs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_000 * MS
        self.topics: dict[str, Topic] = {}
        self.heard: dict[str, Callable[[Any], None]] = {}
        self.service = Service()
        self.timers: list[Timer] = []
        self.warnings: list[str] = []
        monkeypatch.setattr('vera_control.ros.streamer.time.sleep', self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def create_publisher(self, kind: type, topic: str, qos: Any) -> Topic:
        self.topics[topic] = Topic(kind)
        return self.topics[topic]

    def create_subscription(self, kind: type, topic: str, callback: Callable[[Any], None], qos: Any) -> None:
        self.heard[topic] = callback

    def create_client(self, kind: type, name: str) -> Service:
        self.service_name = name
        return self.service

    def create_timer(self, period_s: float, tick: Callable[[], None]) -> Timer:
        self.timers.append(Timer(tick))
        return self.timers[-1]

    def get_clock(self) -> Any:
        return self

    def now(self) -> Any:
        return self

    @property
    def nanoseconds(self) -> int:
        return self.now_ns

    def get_logger(self) -> Any:
        return self

    def warning(self, text: str, **options: Any) -> None:
        self.warnings.append(text)

    def run(self, duration_ms: int, every_ms: int = 10) -> None:
        """Let time pass and the timers tick."""
        for _ in range(duration_ms // every_ms):
            self.now_ns += every_ms * MS
            for timer in self.timers:
                timer.tick()


@pytest.fixture
def note_node(monkeypatch: pytest.MonkeyPatch) -> NoteNode:
    """A node that takes notes, and a clock that only the test moves."""
    return NoteNode(monkeypatch)


@pytest.fixture
def shaped() -> Callable[..., ShapedTrajectory]:
    """A maker of true commands: shaped(robot, velocity) goes from home towards a velocity for 50 ms, then to rest."""

    def make(robot: Embodiment, velocity: FloatArray, first: int = 100) -> ShapedTrajectory:
        start = JointMotion.at_rest(np.array(robot.home))
        points = Shaper(limits_of(robot)).towards_velocity(start, velocity, 5)
        stack = {name: np.vstack([getattr(start, name), getattr(points, name)]) for name in ('position', 'velocity', 'acceleration')}
        return ShapedTrajectory(first=first, period_ns=10 * MS, **stack)

    return make


VELOCITY = np.array([0.2, 0.1, -0.2, 0.15, 0.1, 0.2, -0.1])
"""A motion of all seven joints of the arm, rad/s."""


@pytest.fixture
def steady(estimate_of: Callable[..., JointVelocity]) -> Callable[[int], JointVelocity]:
    """Estimates of a constant velocity from pictures 100 ms old."""
    return lambda now_ns: estimate_of(VELOCITY, now_ns - 100 * MS)
