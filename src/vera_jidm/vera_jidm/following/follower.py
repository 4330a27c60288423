# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Follow a plan: the newest pictures in, the flow to the right planned frame out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vera_core.errors import ConfigError, Refusal
from vera_core.shapes import FloatArray
from vera_core.types import FlowField, Frame, VideoPlan
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.following.motion import entry_s, lost_share, motion_to_end, moving_px
from vera_jidm.following.plan_clock import Aim, PlanClock

TRACKED_SHARE, LOST_SHARE = 0.4, 0.6
"""Flow with a lost share (motion.py) up to the first is right, from the second on it is not; half way plan time stands still."""
_FAULTS_OF_THE_PLAN = ('view_missing', 'wrong_size')


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowSettings:
    """How a plan is followed."""

    lookahead_s: float = 0.35
    """Aim at the first frame due this far ahead, s: long enough to see the motion, short enough to estimate its flow."""
    shortest_dt_s: float = 0.25
    """Never ask for a motion in less time than this, s."""
    full_rate_px: float = 6.0
    """Up to this much flow to the frame aimed at, plan time runs as real time."""
    zero_rate_px: float = 12.0
    """From this much flow on, plan time waits for the arm."""
    converge_px: float = 4.0
    """With less motion than this missing to the last frame, and no more way back than `end_rest_px`, aim at the last frame of a plan that ends at
    rest."""
    end_rest_s: float = 0.9
    """A plan ends at rest when nothing moves for so long before its end, s."""
    end_rest_px: float = 1.0
    """Less motion than this is none then, px."""
    converge_dt_s: float = 0.25
    """Shortest time asked for when aiming at the last frame, s."""
    converge_longest_dt_s: float = 0.35
    """Longest time asked for then, s: a plan that ends in stillness does not have to be waited out."""
    view_spread_s: float = 0.15
    """Pictures of different views may be taken this far apart, s."""
    linger_s: float = 10.0
    """A plan is dropped this long after its end, s."""

    def __post_init__(self) -> None:
        if not 0 < self.full_rate_px < self.zero_rate_px:
            raise ConfigError(
                f'full_rate_px is {self.full_rate_px} and zero_rate_px is {self.zero_rate_px}; 0 < full_rate_px < zero_rate_px is needed'
            )
        if not 0 < self.converge_dt_s <= self.converge_longest_dt_s:
            raise ConfigError(
                f'converge_dt_s is {self.converge_dt_s} and converge_longest_dt_s is {self.converge_longest_dt_s}; '
                '0 < converge_dt_s <= converge_longest_dt_s is needed'
            )

    def rate(self, flow_px: float, lost: float = 0.0) -> float:
        """Return how fast plan time runs, -1..1: it waits for an arm that lags, and goes back to pictures in which flow finds the arm.

        Args:
            flow_px: Flow left to the frame aimed at, px.
            lost: Share of the change that flow has lost, 0..1.
        """
        forward = float(np.clip((self.zero_rate_px - flow_px) / (self.zero_rate_px - self.full_rate_px), 0.0, 1.0))
        found = float(np.clip(1.0 - 2.0 * (lost - TRACKED_SHARE) / (LOST_SHARE - TRACKED_SHARE), -1.0, 1.0))
        return min(found, forward * max(found, 0.0)) if found < 1.0 else forward


@dataclass(slots=True)
class _Followed:
    """The plan in force and what was learnt about it."""

    plan: VideoPlan
    clock: PlanClock
    to_end_px: FloatArray
    rate: float = 1.0

    def is_near_its_end(self, settings: FollowSettings) -> bool:
        """Return whether nothing happens any more that the last frame does not show as well.

        Of a hand that comes down, closes and has begun to rise again the last frame looks like one on the way down.
        """
        resting = max(0, self.plan.horizon - round(settings.end_rest_s / self.plan.step_dt_s))
        ends_at_rest = bool(self.to_end_px[resting:].max() < settings.end_rest_px)
        missing = self.to_end_px[int(self.clock.tau_s / self.plan.step_dt_s) :]
        goes_back = bool((missing - np.minimum.accumulate(missing)).max() > settings.end_rest_px)
        return ends_at_rest and not goes_back and bool(missing.max() < settings.converge_px)


class PlanFollower:
    """One step per set of pictures; between the steps it only remembers the plan and the time on it."""

    def __init__(self, estimator: FlowEstimator, quick_estimator: FlowEstimator, settings: FollowSettings | None = None) -> None:
        """Start without a plan.

        Args:
            estimator: Finds the flow that is published.
            quick_estimator: Measures how much motion a new plan holds at each of its frames; rough is enough, but it looks at all of them.
            settings: How the plan is followed.
        """
        self._estimator = estimator
        self._quick_estimator = quick_estimator
        self._settings = settings or FollowSettings()
        self._next: VideoPlan | None = None
        self._next_to_end_px: FloatArray | None = None
        self._followed: _Followed | None = None

    @property
    def settings(self) -> FollowSettings:
        """How the plan is followed; may be replaced between two steps."""
        return self._settings

    @settings.setter
    def settings(self, settings: FollowSettings) -> None:
        self._settings = settings

    @property
    def plan_id(self) -> int:
        """Plan followed at present, 0 when none."""
        return self._followed.plan.plan_id if self._followed else 0

    def set_plan(self, plan: VideoPlan, to_end_px: FloatArray | None = None) -> None:
        """Hand over a plan; the next step follows it in place of the present one.

        Args:
            plan: The plan.
            to_end_px: What `motion_to_end` says of it, where somebody has measured that already; it takes as long as several steps.
        """
        self._next, self._next_to_end_px = plan, to_end_px

    def drop(self, *, plan_id: int, task_id: int) -> bool:
        """Follow a plan no further; return whether it was the one in force."""
        if self._next is not None and (self._next.plan_id, self._next.task_id) == (plan_id, task_id):
            self._next = None
        if self._followed is None or (self._followed.plan.plan_id, self._followed.plan.task_id) != (plan_id, task_id):
            return False
        self._followed = None
        return True

    def end_task(self, task_id: int) -> None:
        """Forget the plans of a task that has ended: its last picture is no place to go any more."""
        if self._next is not None and self._next.task_id == task_id:
            self._next = None
        if self._followed is not None and self._followed.plan.task_id == task_id:
            self._followed = None

    def step(self, frames: Mapping[str, Frame]) -> FlowField | Refusal:
        """Return the flow from the pictures to the planned frame that is due.

        Args:
            frames: View name to its newest picture. Views the plan does not show are ignored. The oldest stamp is taken as now.
        """
        plan = self._next or (self._followed.plan if self._followed else None)
        if plan is None:
            return Refusal('no_plan', 'no plan has arrived yet; send a sentence to the planner')
        refusal = self._refuse(plan, frames)
        if refusal:
            if refusal.code in _FAULTS_OF_THE_PLAN:
                self._next = None  # the plan before it goes on
            return refusal
        now_ns = min(frames[view].stamp_ns for view in plan.frames)
        followed = self._take_over_or_advance(frames, now_ns)
        late_s = (now_ns - plan.stamp_ns) * 1e-9 - plan.duration_s
        if late_s > self._settings.linger_s:
            return Refusal(
                'plan_over', f'plan {plan.plan_id} ended {late_s:.1f} s ago (limit {self._settings.linger_s:g} s); waiting for the next one'
            )
        aim = followed.clock.aim(self._settings.lookahead_s, self._settings.shortest_dt_s)
        flow, confidence, lost = self._flow_to(frames, plan, aim.step)
        flow_px = moving_px(flow, confidence)
        followed.rate = self._settings.rate(flow_px, lost)
        remaining_px = flow_px + float(followed.to_end_px[aim.step])
        if aim.step < plan.horizon and followed.is_near_its_end(self._settings):
            last_flow, last_confidence, last_lost = self._flow_to(frames, plan, plan.horizon)
            last_px = moving_px(last_flow, last_confidence)
            if last_px < self._settings.converge_px and last_lost <= TRACKED_SHARE:
                aim = Aim(step=plan.horizon, dt_s=plan.duration_s - followed.clock.tau_s)
                flow, confidence, remaining_px, lost = last_flow, last_confidence, last_px, last_lost
        if lost > TRACKED_SHARE:
            # Nobody knows how far it is; it is not near.
            remaining_px = max(remaining_px, self._settings.zero_rate_px)
        if aim.step == plan.horizon:
            longest_s = self._settings.converge_longest_dt_s
            aim = Aim(step=aim.step, dt_s=float(np.clip(aim.dt_s, self._settings.converge_dt_s, longest_s)))
        return FlowField(
            stamp_ns=now_ns,
            plan_id=plan.plan_id,
            task_id=plan.task_id,
            step=aim.step,
            dt_s=aim.dt_s,
            flow=flow,
            confidence=confidence,
            remaining_px=remaining_px,
            at_plan_end=aim.step == plan.horizon,
        )

    def _refuse(self, plan: VideoPlan, frames: Mapping[str, Frame]) -> Refusal | None:
        missing = [view for view in plan.frames if view not in frames]
        if missing:
            return Refusal(
                'view_missing', f'plan {plan.plan_id} shows view {", ".join(missing)} but there is no picture of it; check the camera topic'
            )
        for view, planned in plan.frames.items():
            if planned.shape[1:] != frames[view].rgb.shape:
                return Refusal(
                    'wrong_size',
                    f'plan {plan.plan_id} shows view {view} at {planned.shape[2]}x{planned.shape[1]} px but pictures are '
                    f'{frames[view].rgb.shape[1]}x{frames[view].rgb.shape[0]} px; planner and robot file have to agree on working_size',
                )
        stamps = [frames[view].stamp_ns for view in plan.frames]
        spread_s = (max(stamps) - min(stamps)) * 1e-9
        if spread_s > self._settings.view_spread_s:
            return Refusal(
                'views_apart',
                f'pictures of the views are {spread_s:.2f} s apart (limit {self._settings.view_spread_s:g} s); is a camera stuck?',
            )
        return None

    def _take_over_or_advance(self, frames: Mapping[str, Frame], now_ns: int) -> _Followed:
        if self._next is not None:
            plan, self._next = self._next, None
            to_end_px = motion_to_end(plan, self._quick_estimator) if self._next_to_end_px is None else self._next_to_end_px
            clock = PlanClock(plan, now_ns)
            clock.tau_s = entry_s(plan, {view: frames[view].rgb for view in plan.frames}, clock.tau_s, self._quick_estimator)
            self._followed = _Followed(plan, clock, to_end_px)
            return self._followed
        assert self._followed is not None, 'step() comes here only with a plan'
        self._followed.clock.advance(now_ns, self._followed.rate)
        return self._followed

    def _flow_to(
        self, frames: Mapping[str, Frame], plan: VideoPlan, step: int
    ) -> tuple[dict[str, FloatArray], dict[str, FloatArray], float]:
        """Return flow and confidence of every view, and the share of the change that flow has lost."""
        flow: dict[str, FloatArray] = {}
        confidence: dict[str, FloatArray] = {}
        for view, planned in plan.frames.items():
            flow[view], confidence[view] = self._estimator.estimate(frames[view].rgb, planned[step])
        source = {view: frames[view].rgb for view in plan.frames}
        target = {view: planned[step] for view, planned in plan.frames.items()}
        return flow, confidence, lost_share(source, target, confidence)
