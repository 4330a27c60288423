# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The embedded planner's networks as one unit, written to and read from a safetensors file with a JSON page beside it.

The weights of `reach` hold all networks. Those of other robots name that file, their base, beside them: a robot that looks the same but for its fingers
has what finds and paints these, another robot its own layer. Grounding is the base's: things look the same whoever moves them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vera_core.errors import ModelContractError
from vera_core.shapes import RgbArray
from vera_planner.models.dynamics import Dynamics, DynamicsSize
from vera_planner.models.grounding import Grounding
from vera_planner.models.locator import Locator
from vera_planner.models.marks import MarkReader
from vera_planner.models.robot_layer import LayerSize, RobotLayer
from vera_planner.weights_file import fill_modules, kept_metadata, reading_weights, write_weights

FORMAT = 1
MAKE_COMMAND = 'vera train planner --robot panda'
LAYER = 'embedded_{robot}.safetensors'
"""Name of the file of a robot."""
SHIPPED = LAYER.format(robot='panda')


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
    """Of reach, which moves no marks: not for layers that have some."""
    locator: Locator
    """For evaluation only."""
    marks: MarkReader | None
    """For layers with marks."""
    base: str
    """Name of the file that has what this one lacks; empty for a file that holds everything."""

    @property
    def learned_reach(self) -> bool:
        """Whether it can dream of reaching."""
        return not self.base

    plates: dict[str, RgbArray]
    """View to the picture of the empty table, (H, W, 3)."""
    metadata: dict[str, Any]
    """The JSON page: command, seed, data and figures."""

    def modules(self) -> dict[str, nn.Module]:
        """Networks of this file by the name their tensors carry in it."""
        if self.marks is None and self.base:
            return {'layer': self.layer}
        if self.marks is not None:
            return {'spotters': self.layer.spotters, 'tuned': self.layer.tuned(), 'refiners': self.layer.refiners, 'marks': self.marks}
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
        marks=None,
        base='',
        plates=plates,
        metadata=metadata,
    )


def build_marked(base: EmbeddedModel, name: str, marks: int, plates: dict[str, RgbArray], metadata: dict[str, Any]) -> EmbeddedModel:
    """Return a model of which what finds and paints marks, so many per view, is untrained, and the rest is that of another model of some file name."""
    size = dataclasses.replace(base.layer.size, marks=marks)
    layer = RobotLayer(base.views, base.working_size, size)
    layer.take_over(base.layer)
    reader = MarkReader(base.views, base.working_size, size.latent, marks)
    return dataclasses.replace(base, layer=layer, marks=reader, base=name, plates=plates, metadata=metadata)


def build_own(
    base: EmbeddedModel,
    name: str,
    views: tuple[str, ...],
    working_size: tuple[int, int],
    layer: LayerSize,
    plates: dict[str, RgbArray],
    metadata: dict[str, Any],
) -> EmbeddedModel:
    """Return a model of which the layer is untrained, and the rest is that of another model of some file name."""
    own = RobotLayer(views, working_size, layer)
    return dataclasses.replace(base, views=views, working_size=working_size, layer=own, base=name, plates=plates, metadata=metadata)


def shipped_weights(robot: str = 'panda') -> Path:
    """Path of the weights that come with the package for a robot; those of the Panda for robots that have none of their own."""
    folder = Path(str(resources.files('vera_planner') / 'weights'))
    own = folder / LAYER.format(robot=robot)
    return own if own.is_file() else folder / SHIPPED


def save_model(model: EmbeddedModel, path: Path) -> None:
    """Write the tensors in half precision and the JSON page, each in one step, so that nobody ever reads half a file."""
    page = {
        'format': FORMAT,
        'views': list(model.views),
        'working_size': list(model.working_size),
        'step_dt_s': model.step_dt_s,
        'layer': dataclasses.asdict(model.layer.size),
        'dynamics': dataclasses.asdict(model.dynamics.size),
        'base': model.base,
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
        base = str(page.get('base', ''))
        if Path(base).name != base:
            raise ModelContractError(f"weights '{path}' name the file '{base}' as their base; it must lie in the same folder")
        size, views = LayerSize(**page['layer']), tuple(page['views'])
        shape = (int(page['working_size'][0]), int(page['working_size'][1]))
        plates = {view: tensors[f'plate.{view}'].numpy() for view in views}
        if size.marks:
            model = build_marked(load_model(path.with_name(base)), base, size.marks, plates, page)
        elif base:
            model = build_own(load_model(path.with_name(base)), base, views, shape, size, plates, page)
        else:
            model = build_model(views, shape, float(page['step_dt_s']), size, DynamicsSize(**page['dynamics']), plates, page)
        fill_modules(model.modules(), tensors)
    return model
