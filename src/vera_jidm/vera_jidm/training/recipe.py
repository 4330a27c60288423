# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How a field is made from self-play: which network, how much data, which losses, how long; and the data made ready for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_jidm.flow.dis import DisFlow, DisSettings
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.training.dataset import Report, label_moments
from vera_jidm.training.labels import LabelSource
from vera_jidm.training.loss_weights import LossSettings
from vera_jidm.training.objective import Data
from vera_jidm.training.pair_labels import PairOptions, estimate_pairs
from vera_jidm.training.recording import Recording
from vera_jidm.training.trainer import TrainingOptions

LABEL_SCALE = 2
"""Flow labels are estimated in pictures of this size over the working size."""
LABEL_FLOW = DisSettings(refinement_steps=5)
"""Flow estimator of labels, where time does not matter. Measured on 30 pairs of simulated self-play against the exact field, trusted squared
error over trusted squared motion: the running system's .17; in pictures of twice the size .090; and with refinement .079."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """How much of the recordings is used."""

    moments: int = 30000
    """Moments that get an exact label, at most; spread evenly."""
    pairs: int = 3000
    """Moments from which flow is estimated, at most: to a later one, and with estimated labels also to an earlier one."""

    def __post_init__(self) -> None:
        if self.moments < 1 or self.pairs < 1:
            raise ConfigError(f'moments is {self.moments} and pairs is {self.pairs}; both must be at least 1')


ESTIMATED_DATA = DataOptions(pairs=8000)
"""Where flow is all there is to learn from, more of it is looked at."""
VALIDATION_DATA = DataOptions(moments=150, pairs=100)
"""What the checks during a training look at, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything but the recordings that makes one trained field another than the next."""

    head: str = 'links'
    """Network by the name of its head, see jacobian/heads.py."""
    uses_position: bool = True
    """Whether the field is told the measured joints."""
    backbone: str | None = None
    """Head `pretrained`: folder or model id of the backbone."""
    freeze_backbone: bool = True
    """Head `pretrained`: whether the backbone keeps its weights."""
    training: TrainingOptions = field(default_factory=TrainingOptions)
    losses: LossSettings = field(default_factory=LossSettings)
    data: DataOptions = field(default_factory=DataOptions)

    def config(self, robot: Embodiment) -> FieldConfig:
        """Return the network's configuration for a robot.

        Raises:
            ModelContractError: If the options make no network, or the backbone cannot be read.
        """
        return FieldConfig.for_robot(
            robot, head=self.head, uses_position=self.uses_position, backbone=self.backbone, freeze_backbone=self.freeze_backbone
        )


def check_losses(losses: LossSettings, labels: LabelSource | None) -> None:
    """Refuse losses for which there are no labels.

    Raises:
        ConfigError: Says which loss and what to do.
    """
    for name in ('field', 'inverse'):
        if labels is None and getattr(losses.weights, name) > 0:
            raise ConfigError(f"the loss '{name}' needs exact labels; with estimated labels use --weight {name}=0")


def load_data(
    recordings: Sequence[Recording],
    robot: Embodiment,
    config: FieldConfig,
    estimator: FlowEstimator,
    labels: LabelSource | None,
    losses: LossSettings,
    most: DataOptions,
    *,
    cache: Path | None,
    rng: np.random.Generator,
    report: Report,
) -> Data:
    """Return recordings as what a field learns from.

    With exact labels, pairs show what the running system's `estimator` sees: from them the field learns whom to trust. Without, they are
    all there is to learn the field from, so their flow is made as well as it can be.

    Raises:
        ConfigError: If the robot hardly moves.
    """
    every = max(1, -(-sum(map(len, recordings)) // most.moments))
    moments = None if labels is None else label_moments(recordings, robot, labels, every=every, cache=cache, report=report)
    options = PairOptions(
        starts=max(1, most.pairs // len(recordings)),
        both_ways=labels is None,
        scale=1 if labels else LABEL_SCALE,
        waypoints=losses.weights.needs_waypoints,
    )
    eyes = estimator if labels else DisFlow(LABEL_FLOW)
    pairs = estimate_pairs(recordings, robot, eyes, stride=config.stride, options=options, rng=rng, cache=cache, report=report)
    return Data(moments=moments, pairs=pairs)
