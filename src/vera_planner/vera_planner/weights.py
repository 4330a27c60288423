# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The embedded planner's networks as one unit, written to and read from a safetensors file with a JSON page beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vera_core.errors import ModelContractError
from vera_core.shapes import RgbArray
from vera_planner.models.dynamics import Dynamics, DynamicsSize
from vera_planner.models.grounding import Grounding
from vera_planner.models.locator import Locator
from vera_planner.models.robot_layer import LayerSize, RobotLayer

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
    tensors: dict[str, Tensor] = {}
    for name, module in model.modules().items():
        for key, value in module.state_dict().items():
            tensors[f'{name}.{key}'] = (value.half() if value.is_floating_point() else value).contiguous()
    for view, plate in model.plates.items():
        tensors[f'plate.{view}'] = torch.from_numpy(np.ascontiguousarray(plate))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    save_file(tensors, partial)
    page = {
        'format': FORMAT,
        'views': list(model.views),
        'working_size': list(model.working_size),
        'step_dt_s': model.step_dt_s,
        'layer': dataclasses.asdict(model.layer.size),
        'dynamics': dataclasses.asdict(model.dynamics.size),
        'sha256': hashlib.sha256(partial.read_bytes()).hexdigest(),
        **{key: value for key, value in model.metadata.items() if key in ('command', 'seed', 'data', 'training', 'figures', 'made')},
    }
    partial.rename(path)
    path.with_suffix('.json').write_text(json.dumps(page, indent=1) + '\n', encoding='utf-8')


def load_model(path: Path) -> EmbeddedModel:
    """Read weights and check that they are whole and fit this version.

    Raises:
        ModelContractError: If a file is missing, damaged or of another version; the text names it and the command that makes it.
    """
    page_path = path.with_suffix('.json')
    for needed in (path, page_path):
        if not needed.is_file():
            raise ModelContractError(f"weights file '{needed}' does not exist; make it with: {MAKE_COMMAND}")
    try:
        page = json.loads(page_path.read_text(encoding='utf-8'))
        if page['format'] != FORMAT:
            raise ModelContractError(
                f"weights '{path}' have format {page['format']}, this version reads {FORMAT}; make them again with: {MAKE_COMMAND}"
            )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != page['sha256']:
            raise ModelContractError(
                f"weights file '{path}' is damaged or cut short: {path.stat().st_size} bytes with SHA-256 {digest[:12]}…, "
                f'{page["sha256"][:12]}… was expected; make it again with: {MAKE_COMMAND}'
            )
        tensors = load_file(path)
        model = build_model(
            tuple(page['views']),
            (int(page['working_size'][0]), int(page['working_size'][1])),
            float(page['step_dt_s']),
            LayerSize(**page['layer']),
            DynamicsSize(**page['dynamics']),
            {view: tensors[f'plate.{view}'].numpy() for view in page['views']},
            page,
        )
        for name, module in model.modules().items():
            own = {key.removeprefix(f'{name}.'): value for key, value in tensors.items() if key.startswith(f'{name}.')}
            module.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in own.items()})
            module.eval()
            module.requires_grad_(False)
    except (KeyError, TypeError, IndexError, RuntimeError, SafetensorError, json.JSONDecodeError) as error:
        raise ModelContractError(
            f"weights '{path}' do not fit this version ({type(error).__name__}: {error}); make them again with: {MAKE_COMMAND}"
        ) from error
    return model
