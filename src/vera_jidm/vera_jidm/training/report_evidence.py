# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a report page shows of a trained field: predictions on held-out recordings, with or without a simulator to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import JacobianField
from vera_jidm.flow.between import flow_between
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.solve.joint_step import solve_joint_step
from vera_jidm.training.dataset import find_pairs
from vera_jidm.training.labels import LabelSource
from vera_jidm.training.recording import Recording


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sample:
    """One moment of one view, and a joint step away from it."""

    view: str
    picture: RgbArray
    """Shape (H, W, 3), uint8."""
    predicted: JacobianField
    exact: JacobianField | None
    """None where there is no simulator."""
    seen_flow: FloatArray
    """What the flow estimator saw during the step, shape (H, W, 2), px."""
    seen_trust: FloatArray
    """Shape (H, W)."""
    predicted_flow: FloatArray
    """J dq, constant in each cell, shape (H, W, 2), px."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evidence:
    """Predictions on recordings that took no part in the training."""

    samples: tuple[Sample, ...]
    measured: FloatArray
    """Joint steps, shape (P, n), rad."""
    recovered: FloatArray
    """The same from estimated flow through the predicted field, all views, shape (P, n), rad."""

    def cosine(self) -> float:
        """Mean cosine of the angle between measured and recovered joint step."""
        lengths = np.linalg.norm(self.measured, axis=1) * np.linalg.norm(self.recovered, axis=1)
        return float(((self.measured * self.recovered).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())

    def r2_joints(self) -> FloatArray:
        """1 - sum (dq_hat - dq)^2 / sum dq^2 for every joint, shape (n,)."""
        error = np.square(self.recovered - self.measured).sum(axis=0)
        return np.asarray(1 - error / np.maximum(np.square(self.measured).sum(axis=0), 1e-12))


def gather_evidence(
    model: JacobianModel,
    recordings: Sequence[Recording],
    robot: Embodiment,
    estimator: FlowEstimator,
    labels: LabelSource | None,
    *,
    pairs: int = 60,
    moments: int = 2,
    seed: int = 0,
) -> Evidence:
    """Return predictions on pairs of moments spread over the recordings; the first ones are kept with pictures.

    Raises:
        ConfigError: If no recording holds a usable pair.
    """
    rng, per_recording = np.random.default_rng(seed), max(1, -(-pairs // max(len(recordings), 1)))
    samples: list[Sample] = []
    measured, recovered = [], []
    for recording in recordings:
        for start, end in find_pairs(recording, rng, per_recording):
            frames = {view: recording.frames[view][start] for view in robot.view_names}
            seen = {view: estimator.estimate(frames[view], recording.frames[view][end]) for view in robot.view_names}
            fields = model.predict(frames, recording.position[start])
            measured.append(recording.position[end] - recording.position[start])
            recovered.append(
                solve_joint_step(
                    fields,
                    flow_between({view: flow for view, (flow, _) in seen.items()}, {view: trust for view, (_, trust) in seen.items()}),
                ).delta_q
            )
            if len(samples) < moments * len(robot.view_names):
                scene = labels(recording) if labels else None
                exact = {view: scene.jacobian(view, recording.position[start]) for view in robot.view_names} if scene else {}
                samples += [_sample(view, frames[view], fields[view], exact.get(view), *seen[view], measured[-1]) for view in fields]
    if not measured:
        raise ConfigError(f'{len(recordings)} held-out recordings hold no pair of moments with enough motion; record more')
    return Evidence(samples=tuple(samples), measured=np.stack(measured), recovered=np.stack(recovered))


def _sample(
    view: str,
    picture: RgbArray,
    predicted: JacobianField,
    exact: JacobianField | None,
    seen_flow: FloatArray,
    seen_trust: FloatArray,
    delta_q: FloatArray,
) -> Sample:
    cells = predicted.jacobian @ delta_q
    flow = cells.repeat(predicted.stride, axis=0).repeat(predicted.stride, axis=1)
    return Sample(
        view=view,
        picture=picture,
        predicted=predicted,
        exact=exact,
        seen_flow=seen_flow,
        seen_trust=seen_trust,
        predicted_flow=np.asarray(flow, dtype=np.float32),
    )
