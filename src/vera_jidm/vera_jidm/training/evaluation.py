# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Measures a Jacobian field on self-play it has never seen, beside the exact field: how true it is and how well joint motion comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich import box
from rich.table import Column, Table

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_core.types import FlowField, JacobianField
from vera_jidm.direct.protocol import JointStepModel, StepQuery
from vera_jidm.flow.between import flow_between
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.solve.joint_step import SolveSettings, solve_joint_step
from vera_jidm.training.dataset import Report, find_pairs
from vera_jidm.training.labels import LabelSource, SceneLabels
from vera_jidm.training.recording import Recording

MOST_COLUMNS = 8
"""Joints that a terminal has room for beside each other."""
Fields = Mapping[str, JacobianField]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldAccuracy:
    """How true the predicted field is."""

    r2: float
    """Share of the exact field's energy explained, on cells that show the robot; 0 for a field that is zero, 1 when exact."""
    r2_joints: tuple[float, ...]
    """The same for every joint."""
    normalised_loss: float
    """sum_j w_j |J_j - J*_j|^2 / sum_j w_j |J*_j|^2 over all cells with w_j = E_j^-1/2; 1.0 for a field that is zero everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionRecovery:
    """How well the joint step between two moments comes back from their flow."""

    field: str
    """`learned`, `analytic` or the name of another estimator, such as `direct_flow` and `direct_images`."""
    flow: str
    """`exact` or `estimated`; an estimator that looks at pictures alone has the same figures for both."""
    views: tuple[str, ...]
    cosine: float
    """Mean cosine of the angle between recovered and measured joint step."""
    relative_error: float
    """Median of |dq_hat - dq| / |dq|."""
    normalised_error: float
    """sum |dq_hat - dq|^2 / sum |dq|^2; 1.0 for an estimator that always answers zero."""
    r2_joints: tuple[float, ...]
    """1 - sum (dq_hat - dq)^2 / sum dq^2 for every joint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdmReport:
    """Everything `vera evaluate-idm` shows."""

    robot: str
    recordings: tuple[str, ...]
    pairs: int
    seed: int
    ridge: float
    mean_flow_px: float
    """Mean exact flow on robot pixels, px."""
    accuracy: Mapping[str, FieldAccuracy]
    """By view, and under `all` for all views together."""
    recovery: tuple[MotionRecovery, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def find(self, field: str, flow: str, views: int) -> MotionRecovery:
        """Return the recovery figures of a field and a flow with that many views (the first if there are several)."""
        return next(row for row in self.recovery if (row.field, row.flow, len(row.views)) == (field, flow, views))

    def tables(self) -> tuple[Table, Table]:
        """Return the figures as two tables for the terminal."""
        joints = [f'J{number}' for number in range(1, len(self.accuracy['all'].r2_joints) + 1)]
        many = len(joints) > MOST_COLUMNS
        truth = _table(
            'view',
            'R²',
            *(['mean joint', 'weakest joint'] if many else joints),
            'loss',
            title=f'Jacobian field of {self.robot}, {self.pairs} held-out moments (loss of the zero field: 1.0)',
        )
        for view, row in self.accuracy.items():
            each = [f'{value:.2f}' for value in row.r2_joints]
            weakest = int(np.argmin(row.r2_joints))
            short = [f'{np.mean(row.r2_joints):.3f}', f'{joints[weakest]} {each[weakest]}']
            truth.add_row(view, f'{row.r2:.3f}', *(short if many else each), f'{row.normalised_loss:.3f}')
        motion = _table(
            'field', 'flow', 'views', 'cosine', 'error', 'weakest joint', title='Recovered joint motion (error: relative; joint: R²)'
        )
        for found in self.recovery:
            weakest = int(np.argmin(found.r2_joints))
            figures = (f'{found.cosine:.3f}', f'{found.relative_error:.2f}', f'J{weakest + 1} {found.r2_joints[weakest]:.2f}')
            motion.add_row(found.field, found.flow, '+'.join(found.views), *figures)
        return truth, motion


def _table(*headers: str, title: str) -> Table:
    """A table that fits a terminal of 80 columns without cutting a number."""
    columns = (Column(header, no_wrap=True) for header in headers)
    return Table(*columns, title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Case:
    """One pair with everything that is compared on it."""

    delta_q: FloatArray
    fields: Mapping[str, Fields]
    flows: Mapping[str, FlowField]
    steps: Mapping[tuple[str, str], FloatArray]
    """Answers of the other estimators by name and flow, shape (n,), rad."""


def evaluate_field(
    model: JacobianModel,
    recordings: Sequence[Recording],
    robot: Embodiment,
    labels: LabelSource,
    estimator: FlowEstimator,
    *,
    pairs: int = 240,
    seed: int = 0,
    settings: SolveSettings | None = None,
    others: Mapping[str, JointStepModel] | None = None,
    report: Report | None = None,
) -> IdmReport:
    """Measure a field on pairs of moments of recordings it has never seen.

    Args:
        model: The learned field.
        recordings: Held-out self-play.
        robot: Joints and views.
        labels: Exact field and flow of a recording.
        estimator: What the running system sees flow with.
        pairs: Pairs in all, spread evenly over the recordings.
        seed: Draws the pairs.
        settings: Of the solver; the running system's defaults when left out.
        others: Other estimators by name, asked the same questions with all views.
        report: Called with the progress.

    Raises:
        ConfigError: If no recording holds a usable pair.
    """
    rng, settings, others = np.random.default_rng(seed), settings or SolveSettings(), others or {}
    per_recording = max(1, -(-pairs // max(len(recordings), 1)))
    cases: list[_Case] = []
    for recording in recordings:
        if len(cases) >= pairs:
            break
        scene = labels(recording)
        for start, end in find_pairs(recording, rng, min(per_recording, pairs - len(cases))):
            cases.append(_case(model, others, recording, robot, scene, estimator, start, end))
            if report:
                report('held-out pairs', len(cases), pairs)
    if not cases:
        raise ConfigError(
            f'{len(recordings)} held-out recordings hold no pair of moments with enough motion; record more with: vera collect'
        )
    measured = np.stack([case.delta_q for case in cases])
    choices = [(view,) for view in robot.view_names] + ([robot.view_names] if len(robot.view_names) > 1 else [])
    return IdmReport(
        robot=robot.name,
        recordings=tuple(recording.path.name for recording in recordings),
        pairs=len(cases),
        seed=seed,
        ridge=settings.ridge,
        mean_flow_px=_mean_flow(cases),
        accuracy={**{view: _accuracy(cases, (view,)) for view in robot.view_names}, 'all': _accuracy(cases, robot.view_names)},
        recovery=tuple(
            _recovery(cases, field, flow, views, settings)
            for field in ('learned', 'analytic')
            for flow in ('exact', 'estimated')
            for views in choices
        )
        + tuple(
            motion_recovery(name, flow, robot.view_names, measured, np.stack([case.steps[name, flow] for case in cases]))
            for name in others
            for flow in ('exact', 'estimated')
        ),
    )


def _case(
    model: JacobianModel,
    others: Mapping[str, JointStepModel],
    recording: Recording,
    robot: Embodiment,
    scene: SceneLabels,
    estimator: FlowEstimator,
    start: int,
    end: int,
) -> _Case:
    before, after = recording.position[start], recording.position[end]
    frames = {view: recording.frames[view][start] for view in robot.view_names}
    later = {view: recording.frames[view][end] for view in robot.view_names}
    seen = {view: estimator.estimate(frames[view], later[view]) for view in robot.view_names}
    exact = {view: scene.flow(view, before, after) for view in robot.view_names}
    certain = {view: np.ones(flow.shape[:2], np.float32) for view, flow in exact.items()}
    flows = {
        'exact': flow_between(exact, certain),
        'estimated': flow_between({view: flow for view, (flow, _) in seen.items()}, {view: trust for view, (_, trust) in seen.items()}),
    }
    return _Case(
        delta_q=after - before,
        fields={'learned': model.predict(frames, before), 'analytic': {view: scene.jacobian(view, before) for view in robot.view_names}},
        flows=flows,
        steps={
            (name, kind): other.predict(StepQuery(before=frames, after=later, flow=flow, position=before))
            for name, other in others.items()
            for kind, flow in flows.items()
        },
    )


def _accuracy(cases: Sequence[_Case], views: Sequence[str]) -> FieldAccuracy:
    joints = len(cases[0].delta_q)
    error, energy, all_error, all_energy = (np.zeros(joints) for _ in range(4))
    for case in cases:
        for view in views:
            exact, learned = case.fields['analytic'][view], case.fields['learned'][view]
            wrong, right = np.square(learned.jacobian - exact.jacobian), np.square(exact.jacobian)
            robot = exact.confidence > 0
            error += wrong[robot].sum(axis=(0, 1))
            energy += right[robot].sum(axis=(0, 1))
            all_error += wrong.sum(axis=(0, 1, 2))
            all_energy += right.sum(axis=(0, 1, 2))
    weights = np.maximum(all_energy, 1e-12) ** -0.5
    return FieldAccuracy(
        r2=float(1 - error.sum() / energy.sum()),
        r2_joints=tuple(float(value) for value in 1 - error / np.maximum(energy, 1e-12)),
        normalised_loss=float((weights * all_error).sum() / (weights * all_energy).sum()),
    )


def _recovery(cases: Sequence[_Case], field: str, flow: str, views: tuple[str, ...], settings: SolveSettings) -> MotionRecovery:
    measured = np.stack([case.delta_q for case in cases])
    recovered = np.stack(
        [solve_joint_step(case.fields[field], _only(case.flows[flow], views), settings=settings).delta_q for case in cases]
    )
    return motion_recovery(field, flow, views, measured, recovered)


def motion_recovery(field: str, flow: str, views: tuple[str, ...], measured: FloatArray, recovered: FloatArray) -> MotionRecovery:
    """Return the figures of joint steps of shape (P, n), rad, against the measured ones, whatever estimator they come from."""
    lengths = np.linalg.norm(measured, axis=1)
    cosine = (measured * recovered).sum(axis=1) / np.maximum(lengths * np.linalg.norm(recovered, axis=1), 1e-12)
    error = recovered - measured
    return MotionRecovery(
        field=field,
        flow=flow,
        views=views,
        cosine=float(cosine.mean()),
        relative_error=float(np.median(np.linalg.norm(error, axis=1) / lengths)),
        normalised_error=float(np.square(error).sum() / np.square(measured).sum()),
        r2_joints=tuple(float(value) for value in 1 - np.square(error).sum(axis=0) / np.maximum(np.square(measured).sum(axis=0), 1e-12)),
    )


def _only(flow: FlowField, views: tuple[str, ...]) -> FlowField:
    return flow_between({view: flow.flow[view] for view in views}, {view: flow.confidence[view] for view in views})


def _mean_flow(cases: Sequence[_Case]) -> float:
    lengths = [np.linalg.norm(flow, axis=2) for case in cases for flow in case.flows['exact'].flow.values()]
    return float(np.mean([length[length > 0].mean() for length in lengths if length.any()] or [0.0]))
