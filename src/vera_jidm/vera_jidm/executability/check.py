# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The first look at a plan, before its first step: can this robot do that from where it is?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ShapeError
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import VideoPlan
from vera_jidm.executability.calibration import Calibration
from vera_jidm.executability.joint_path import Drift, JointPath
from vera_jidm.executability.look import Step, brightness, flicker_levels, look_at_step
from vera_jidm.executability.measures import PlanMeasures, Worst
from vera_jidm.flow.dis import ONE_WAY, DisFlow
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.following.motion import entry_s
from vera_jidm.jacobian.model import JacobianModel

FIELD_EVERY, FIELD_PX = 7, 10.0
"""The field is evaluated anew after so many steps, or when the robot has come so far, px: it takes as long as the flow of five, and turns with the
robot. With steps alone an expert's own film of a wide swing was refused: its field was 30 px old."""
MAY_REST_PX = 6.0
"""With less than this missing of the plan before, in the same task, one that shows no motion may mean that all is done; see `Moment.may_rest`."""
SHORTEST_S = 0.1
"""The first step is given at least this long, s."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Moment:
    """Where the robot is when a plan is to be taken over."""

    stamp_ns: int
    pictures: Mapping[str, RgbArray]
    """View name to the newest real picture, shape (H, W, 3), uint8."""
    position: FloatArray
    """Joints measured in them, shape (n,), rad."""
    may_rest: bool = False
    """Little was missing of the plan before in the same task: one that shows no motion may mean that all is done."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Verdict:
    """Whether a plan may be followed."""

    is_accepted: bool
    score: float
    """0..1, 1: like the plans this robot can follow."""
    reason: str
    """Why not, in words; empty for an accepted plan."""
    measures: PlanMeasures | None
    """None of a plan that could not be looked at."""


class PlanCheck:
    """Judges plans of one robot. Not safe between threads."""

    def __init__(
        self, robot: Embodiment, model: JacobianModel, calibration: Calibration, *, estimator: FlowEstimator | None = None
    ) -> None:
        """Prepare.

        Args:
            robot: Joints and limits.
            model: Its Jacobian field.
            calibration: What to make of the measures.
            estimator: Motion between neighbouring pictures; a rough and fast one when left out.
        """
        self._robot, self._model, self.calibration = robot, model, calibration
        self._estimator = estimator or DisFlow(ONE_WAY)

    def judge(self, plan: VideoPlan, moment: Moment) -> Verdict:
        """Return whether the robot can do what a plan shows from where it is.

        Raises:
            ShapeError: If plan and pictures do not fit each other.
        """
        measures = self.measure(plan, moment)
        score, reason = self.calibration.judge(measures, may_rest=moment.may_rest)
        is_accepted = score >= self.calibration.least_score
        return Verdict(is_accepted=is_accepted, score=score, reason='' if is_accepted else reason, measures=measures)

    def measure(self, plan: VideoPlan, moment: Moment) -> PlanMeasures:
        """Return the figures of a plan; see `judge`."""
        _check_fit(plan, moment)
        begin_s = self._begin_s(plan, moment)
        first = int(np.clip(int(begin_s / plan.step_dt_s) + 1, 1, plan.horizon))
        films = {view: _film(plan, view, first, moment) for view in plan.frames}
        length = len(next(iter(films.values())))
        frame_of = [max(first + index - 1, 0) for index in range(length)]
        greys = {view: [brightness(rgb) for rgb in film] for view, film in films.items()}
        path = JointPath(self._robot, moment.position)
        seen_now, speeds = 0.0, self._robot.limits('velocity')
        found: dict[str, list[Worst]] = {entry: [] for entry in PlanMeasures.__dataclass_fields__}
        drift, used, way_px = Drift(), -FIELD_EVERY, 0.0
        for index in range(length - 1):
            frame = frame_of[index + 1]
            if index - used >= FIELD_EVERY or way_px > FIELD_PX:
                drift, used = drift + path.drift(), index
                path.use(self._model.predict({view: film[index] for view, film in films.items()}, path.asked_position))
                seen_now = seen_now or path.robot_seen
                found['robot_share'].append(Worst(value=path.robot_seen / max(seen_now, 1e-9), frame=frame - 1 if index else frame))
            steps: dict[str, Step] = {}
            for view, film in films.items():
                before, after = greys[view][index], greys[view][index + 1]
                steps[view] = look_at_step(film[index], film[index + 1], before, after, self._estimator)
                found['appeared_share'].append(Worst(value=steps[view].appeared_share, frame=frame, detail=view))
                if index:
                    levels = flicker_levels(greys[view][index - 1], before, after)
                    found['flicker_levels'].append(Worst(value=levels, frame=frame, detail=view))
            jump = max(step.jump_px for step in steps.values())
            found['jump_px'].append(Worst(value=jump, frame=frame))
            step = path.follow(steps)
            way_px = path.way_px
            found['motion_px'].append(Worst(value=way_px, frame=plan.horizon))
            found['unexplained_px'].append(Worst(value=step.unexplained_px, frame=frame))
            over, joint = path.overrun()
            found['overrun_rad'].append(Worst(value=over, frame=frame, detail=self._robot.joint_names[joint]))
            dt_s = plan.step_dt_s if index else max(frame * plan.step_dt_s - begin_s, SHORTEST_S)
            ratio = np.abs(step.delta_q) / dt_s / speeds
            joint = int(np.argmax(ratio))
            found['speed_ratio'].append(Worst(value=float(ratio[joint]), frame=frame, detail=self._robot.joint_names[joint]))
        found['unexplained_ratio'].append(Worst(value=(drift + path.drift()).ratio))
        return PlanMeasures(**{name: _worst(name, entries) for name, entries in found.items()})

    def _begin_s(self, plan: VideoPlan, moment: Moment) -> float:
        """Return the time on the plan at which it would be followed from, s: where the robot is, as flow_node takes plans over.

        A robot that waits for a dream of a second stands at its first frame; from there to the frame the clock says would be a jump that nobody asks for.
        """
        age_s = (moment.stamp_ns - plan.stamp_ns) * 1e-9
        due_s = min(max(age_s, 0.0), plan.duration_s)
        return entry_s(plan, moment.pictures, due_s, self._estimator)


def _check_fit(plan: VideoPlan, moment: Moment) -> None:
    for view, planned in plan.frames.items():
        if view not in moment.pictures:
            raise ShapeError(f'plan {plan.plan_id} shows view {view} but there is no picture of it; check the camera topic')
        real = moment.pictures[view]
        if real.shape != planned.shape[1:]:
            raise ShapeError(
                f'plan {plan.plan_id} shows view {view} at {planned.shape[2]}x{planned.shape[1]} px but pictures are {real.shape[1]}x{real.shape[0]} px'
            )


def _film(plan: VideoPlan, view: str, first: int, moment: Moment) -> list[RgbArray]:
    """Return the real picture and the planned ones from frame `first` on."""
    return [moment.pictures[view], *plan.frames[view][first:]]


def _worst(name: str, entries: list[Worst]) -> Worst:
    pick = min if name == 'robot_share' else max
    return pick(entries, key=lambda entry: entry.value, default=Worst(value=0.0))
