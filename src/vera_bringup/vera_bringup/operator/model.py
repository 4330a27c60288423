# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the operator page shows, as one object that knows neither ROS nor a clock: reports go in, one JSON-ready snapshot comes out."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vera_bringup.operator.history import History
from vera_bringup.operator.reports import Note, PlannerNow, SafetyNow, Sample, TaskNow
from vera_bringup.viewing.body import Body
from vera_bringup.viewing.leading import Leading, is_fresh
from vera_bringup.viewing.prediction import Prediction, named, tip_paths
from vera_core.embodiment import Embodiment
from vera_core.shapes import FloatArray
from vera_core.types import JointVelocity, RobotState

SAMPLES = 600
"""Moments in the plots: a minute at ten a second."""
NOTES = 200
PROMPTS = 50
NOTE_KINDS = {'STOPPED_LATCHED': 'stop', 'HOLDING': 'hold'}


@dataclass(slots=True)
class Cursor:
    """How far one open page has been told; starts at the beginning, so a page that is opened later gets what is remembered."""

    samples: int = 0
    notes: int = 0
    prompts: int = 0


class OperatorModel:
    """The newest reports and their bounded histories. Safe between threads."""

    def __init__(self, robot: Embodiment, body: Body | None) -> None:
        """Know the robot; without a body its shape is not shown."""
        self._robot = robot
        self._body = body
        self._lock = threading.Lock()
        self._samples: History[Sample] = History(SAMPLES)
        self._notes: History[Note] = History(NOTES)
        self._prompts: History[str] = History(PROMPTS)
        self._leading = Leading(robot)
        self._state: RobotState | None = None
        self._estimate: tuple[int, JointVelocity, float] | None = None
        self._ages_ms: dict[str, float] = {}
        self._safety: SafetyNow | None = None
        self._planner: PlannerNow | None = None
        self._task: TaskNow | None = None
        self._progress: Mapping[str, float | str] = {}
        self._step: tuple[int, int] = (0, 0)

    def on_state(self, state: RobotState) -> None:
        """Take measured joints."""
        with self._lock:
            self._state = state
            self._leading.on_state(state)

    def on_estimate(self, estimate: JointVelocity, *, latency_s: float, now_ns: int) -> None:
        """Take a joint velocity estimate; `latency_s` is the time from its picture to its publication."""
        with self._lock:
            self._estimate = (now_ns, estimate, latency_s)
            self._leading.on_estimate(estimate, now_ns)
            self._step = (estimate.plan_id, estimate.step)

    def on_command(self, points: FloatArray, now_ns: int) -> None:
        """Take the points of the newest command that are still to come, shape (K, n), rad."""
        with self._lock:
            self._leading.on_command(points, now_ns)

    def on_age(self, stage: str, age_ms: float) -> None:
        """Take how old a picture was when a stage was done with it: camera or flow, ms."""
        with self._lock:
            self._ages_ms[stage] = age_ms

    def on_safety(self, safety: SafetyNow, now_ns: int) -> None:
        """Take a safety status; a new state or reason is an alarm, and every status is a moment of the plots."""
        with self._lock:
            before, self._safety = self._safety, safety
            if before is None or (before.state, before.reason) != (safety.state, safety.reason):
                kind = NOTE_KINDS.get(safety.state, 'ok')
                self._notes.add(Note(time_s=now_ns * 1e-9, kind=kind, text=f'{safety.state} {safety.reason}: {safety.text}'))
            self._samples.add(self._sample(safety, now_ns))

    def _sample(self, safety: SafetyNow, now_ns: int) -> Sample:
        fresh = self._estimate if self._estimate and is_fresh(self._estimate[0], now_ns) else None
        return Sample(
            time_s=now_ns * 1e-9,
            residual=fresh[1].residual_ratio if fresh else None,
            camera_ms=self._ages_ms.get('camera'),
            flow_ms=self._ages_ms.get('flow') if fresh else None,
            estimate_ms=fresh[2] * 1e3 if fresh else None,
            dream_s=self._planner.latency_s if self._planner and self._planner.latency_s > 0 else None,
            commanded=safety.commanded_velocity,
            measured=tuple(self._state.velocity.tolist()) if self._state else (),
        )

    def on_planner(self, planner: PlannerNow, now_ns: int) -> None:
        """Take a planner status; refusals and failures are alarms."""
        with self._lock:
            before, self._planner = self._planner, planner
            is_new = before is None or (before.state, before.text) != (planner.state, planner.text)
            if planner.state in ('REFUSED', 'FAILED') and is_new:
                self._notes.add(Note(time_s=now_ns * 1e-9, kind='refused', text=f'planner {planner.state}: {planner.text}'))

    def on_task(self, task: TaskNow) -> None:
        """Take the task in force."""
        with self._lock:
            self._task = task
            if not task.is_active:
                self._progress = {}

    def on_progress(self, progress: Mapping[str, float | str]) -> None:
        """Take the feedback of the task that this page has started."""
        with self._lock:
            self._progress = dict(progress)

    def on_prompt(self, prompt: str) -> None:
        """Remember a sentence somebody has typed."""
        with self._lock:
            if prompt != self._prompts.newest:
                self._prompts.add(prompt)

    def note(self, kind: str, text: str, now_ns: int) -> None:
        """Add a line to the list of alarms and answers."""
        with self._lock:
            self._notes.add(Note(time_s=now_ns * 1e-9, kind=kind, text=text))

    @property
    def fastest_joint(self) -> int:
        """Index of the joint the newest estimate moves most; 0 without one."""
        with self._lock:
            return int(np.abs(self._estimate[1].delta_q).argmax()) if self._estimate else 0

    def snapshot(self, cursor: Cursor, now_ns: int) -> dict[str, Any]:
        """Return everything the page shows except pictures; of the histories what the cursor has not seen, and move it on."""
        with self._lock:
            prediction = self._leading.prediction(now_ns)
            cursor.samples, samples = self._samples.since(cursor.samples)
            cursor.notes, notes = self._notes.since(cursor.notes)
            cursor.prompts, prompts = self._prompts.since(cursor.prompts)
            newest: dict[str, Any] = {
                'time_s': now_ns * 1e-9,
                'safety': asdict(self._safety) if self._safety else None,
                'planner': asdict(self._planner) if self._planner else None,
                'task': asdict(self._task) if self._task else None,
                'progress': dict(self._progress),
                'plan_id': self._step[0],
                'step': self._step[1],
                'samples': [_rounded(sample) for sample in samples],
                'notes': [asdict(note) for note in notes],
                'prompts': prompts,
            }
        newest['scene'] = self._scene(prediction)
        return newest

    def _scene(self, prediction: Prediction | None) -> dict[str, Any] | None:
        """Return the points of all solids of the robot and of the ghost, and the ways of the tips, m, in the base frame."""
        if self._body is None or prediction is None:
            return None
        names = self._robot.joint_names
        scene: dict[str, Any] = {'robot': self._points(prediction.path[0]), 'ghost': None, 'paths': []}
        if prediction.is_moving:
            scene['ghost'] = self._points(prediction.goal)
            scene['paths'] = [np.round(points, 4).tolist() for points in tip_paths(self._body, names, prediction.path).values()]
        return scene

    def _points(self, position: FloatArray) -> list[list[list[float]]]:
        assert self._body is not None
        return [np.round(points, 4).tolist() for points in self._body.shape_points(named(position, self._robot.joint_names))]


def _rounded(sample: Sample) -> list[Any]:
    """Return the sample as the page reads it: time, residual, camera, flow, estimate, dream, commanded, measured."""
    return [_round(value) for value in (sample.time_s, sample.residual, sample.camera_ms, sample.flow_ms, sample.estimate_ms)] + [
        _round(sample.dream_s),
        [_round(value) for value in sample.commanded],
        [_round(value) for value in sample.measured],
    ]


def _round(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 3)
