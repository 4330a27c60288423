# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains any estimator of joint steps on the same pairs, with the same trainer and budget, and measures all on the same questions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from vera_core.embodiment import Embodiment
from vera_jidm.direct.config import DirectConfig
from vera_jidm.direct.model import DirectSteps
from vera_jidm.direct.network import StepNetwork
from vera_jidm.direct.objective import DirectObjective
from vera_jidm.direct.pairs import FlowKind, StepPairs
from vera_jidm.direct.protocol import FieldSteps, JointStepModel
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.heads import make_network
from vera_jidm.jacobian.learned import NetworkField, field_engine
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.solve.joint_step import SolveSettings, solve_joint_step
from vera_jidm.training.checkpoint import Progress
from vera_jidm.training.evaluation import MotionRecovery, motion_recovery
from vera_jidm.training.loss_weights import ESTIMATED_LABELS
from vera_jidm.training.objective import Data, FieldObjective
from vera_jidm.training.trainer import Observer, TrainingOptions, seed_everything, train

Method = Literal['field', 'direct_flow', 'direct_images']
LEARNING_RATES: dict[Method, float] = {'field': 3e-3, 'direct_flow': 6e-4, 'direct_images': 6e-4}
"""Those of the direct networks are in the middle of what trains them: 3e-4 to 1e-3; 3e-3 does not."""
RIDGES = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""Tried on validation pairs, px²/rad²: a field that has learned little needs more damping than the running system's."""
RIDGE_PAIRS = 100
"""Validation pairs, at most, by which the ridge is chosen."""


def train_estimator(
    method: Method,
    robot: Embodiment,
    training: StepPairs,
    validation: StepPairs,
    folder: Path,
    options: TrainingOptions,
    *,
    labels: FlowKind,
    observe: Observer | None = None,
    clock: Callable[[], float] = time.process_time,
) -> tuple[JointStepModel, Progress]:
    """Train one estimator on pairs of moments; the field gets nothing but the same pairs, and its ridge from the validation pairs.

    Args:
        method: The Jacobian field with its inverse, or a direct network that sees flow or two pictures.
        robot: Whose joints and views.
        training: To learn from.
        validation: To choose the best weights and stop early by, of other recordings.
        folder: For the checkpoint; a run that was stopped goes on from there.
        options: Budget, seed and learning rate.
        labels: Which flow is learned from; `direct_images` looks at none.
        observe: Called while training.
        clock: Time spent in training, s; by default the time this process had a core.
    """
    rng = seed_everything(options.seed)
    config = FieldConfig.for_robot(robot)
    if method == 'field':
        data, unseen = (Data(moments=None, pairs=pairs.for_field(labels)) for pairs in (training, validation))
        objective = FieldObjective(config, data, unseen, settings=ESTIMATED_LABELS, batch=options.batch, rng=rng)
        network, progress = train(make_network(config), objective, folder, options, observe=observe, clock=clock)
        field = NetworkField(config, field_engine(network))
        ridge = choose_ridge(field, validation, labels, robot.view_names)
        return FieldSteps(field, SolveSettings(ridge=ridge)), progress
    direct = DirectConfig(sees='flow' if method == 'direct_flow' else 'images', backbone=config)
    step_std = torch.from_numpy(training.delta_q.std(axis=0))
    steps = DirectObjective(direct, training, validation, kind=labels, batch=options.batch, rng=rng)
    trained, progress = train(StepNetwork(direct, step_std), steps, folder, options, observe=observe, clock=clock)
    return DirectSteps(trained), progress


def choose_ridge(field: JacobianModel, pairs: StepPairs, kind: FlowKind, views: tuple[str, ...]) -> float:
    """Return which of RIDGES recovers the joint steps of the pairs with the smallest squared error, px²/rad²."""
    rows = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), RIDGE_PAIRS)).astype(np.int64))
    errors = np.zeros(len(RIDGES))
    for row in rows:
        query = pairs.query(int(row), kind, views)
        fields = field.predict(query.before, query.position)
        for number, ridge in enumerate(RIDGES):
            step = solve_joint_step(fields, query.flow, settings=SolveSettings(ridge=ridge)).delta_q
            errors[number] += np.square(step - pairs.delta_q[row]).sum()
    return RIDGES[int(errors.argmin())]


def measure_estimator(name: str, model: JointStepModel, pairs: StepPairs, kind: FlowKind, views: tuple[str, ...]) -> MotionRecovery:
    """Return how well an estimator recovers the joint steps of pairs it has never seen, from all views and one kind of flow."""
    recovered = np.stack([model.predict(pairs.query(row, kind, views)) for row in range(len(pairs))])
    return motion_recovery(name, kind, views, pairs.delta_q, recovered)
