# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The embedded planner's networks as one unit, written to and read from a safetensors file with a JSON page beside it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vera_core.shapes import RgbArray
from vera_planner.models.dynamics import Dynamics, DynamicsSize
from vera_planner.models.grounding import Grounding
from vera_planner.models.locator import Locator
from vera_planner.models.robot_layer import LayerSize, RobotLayer
from vera_planner.weights_file import fill_modules, kept_metadata, reading_weights, write_weights

FORMAT = 1
MAKE_COMMAND = 'vera train planner --robot panda'
SHIPPED = 'embedded_panda.safetensors'


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EmbeddedModel:
    """Everything the embedded planner computes with."""

    views: tuple[str, ...]
    working_size: tuple[int, int]
    """(H, W), px."""
    step_dt_s: float
    """Time between two frames of the clips it learned from, s."""
    layer: RobotLayer
    grounding: Grounding
    dynamics: Dynamics
    locator: Locator
    """For evaluation only."""
    plates: dict[str, RgbArray]
    """View to the picture of the empty table, (H, W, 3)."""
    metadata: dict[str, Any]
    """The JSON page: command, seed, data and figures."""

    def modules(self) -> dict[str, nn.Module]:
        """Networks by the name their tensors carry in the file."""
        return {'layer': self.layer, 'grounding': self.grounding, 'dynamics': self.dynamics, 'locator': self.locator}


def build_model(
    views: tuple[str, ...],
    working_size: tuple[int, int],
    step_dt_s: float,
    layer: LayerSize,
    dynamics: DynamicsSize,
    plates: dict[str, RgbArray],
    metadata: dict[str, Any],
) -> EmbeddedModel:
    """Return untrained networks that fit together."""
    return EmbeddedModel(
        views=views,
        working_size=working_size,
        step_dt_s=step_dt_s,
        layer=RobotLayer(views, working_size, layer),
        grounding=Grounding(),
        dynamics=Dynamics(dynamics),
        locator=Locator(layer.latent, len(views)),
        plates=plates,
        metadata=metadata,
    )


def shipped_weights() -> Path:
    """Path of the weights that come with the package."""
    return Path(str(resources.files('vera_planner') / 'weights' / SHIPPED))


def save_model(model: EmbeddedModel, path: Path) -> None:
    """Write the tensors in half precision and the JSON page, each in one step, so that nobody ever reads half a file."""
    page = {
        'format': FORMAT,
        'views': list(model.views),
        'working_size': list(model.working_size),
        'step_dt_s': model.step_dt_s,
        'layer': dataclasses.asdict(model.layer.size),
        'dynamics': dataclasses.asdict(model.dynamics.size),
        **kept_metadata(model.metadata),
    }
    plates = {f'plate.{view}': torch.from_numpy(np.ascontiguousarray(plate)) for view, plate in model.plates.items()}
    write_weights(path, model.modules(), page, others=plates)


def load_model(path: Path) -> EmbeddedModel:
    """Read weights and check that they are whole and fit this version.

    Raises:
        ModelContractError: If a file is missing, damaged or of another version; the text names it and the command that makes it.
    """
    with reading_weights(path, FORMAT, MAKE_COMMAND) as (page, tensors):
        model = build_model(
            tuple(page['views']),
            (int(page['working_size'][0]), int(page['working_size'][1])),
            float(page['step_dt_s']),
            LayerSize(**page['layer']),
            DynamicsSize(**page['dynamics']),
            {view: tensors[f'plate.{view}'].numpy() for view in page['views']},
            page,
        )
        fill_modules(model.modules(), tensors)
    return model
