# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A trained direct network behind the interface of a JointStepModel, in memory and on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from vera_core.embodiment import Embodiment
from vera_core.errors import ModelContractError, ShapeError
from vera_core.shapes import Array, FloatArray, RgbArray, check_finite, check_shapes
from vera_jidm.direct.config import DirectConfig
from vera_jidm.direct.network import StepNetwork, flow_planes, image_planes
from vera_jidm.direct.protocol import StepQuery
from vera_jidm.jacobian.weights import check_tensors, read_tensors, write_whole
from vera_jidm.solve.rows import pool_to_cells

WEIGHTS = 'direct.safetensors'
METADATA = 'direct.json'


class DirectSteps:
    """A direct network as a JointStepModel."""

    def __init__(self, network: StepNetwork) -> None:
        self._network = network.eval()
        self._config = network.direct.backbone

    @property
    def network(self) -> StepNetwork:
        """The network itself, to write it."""
        return self._network

    def predict(self, query: StepQuery) -> FloatArray:
        """Return the joint step, shape (n,), rad.

        Raises:
            ShapeError: If a view is missing, or a picture, the flow or the joints do not fit the network.
        """
        position = np.asarray(query.position, dtype=np.float32)
        if position.shape != (len(self._config.joint_names),):
            raise ShapeError(f'position has shape {position.shape} but the network was trained for {len(self._config.joint_names)} joints')
        check_finite(position=position)
        before = self._pictures('before', query.before)
        if self._network.direct.sees == 'images':
            planes = image_planes(before, self._pictures('after', query.after))
        else:
            planes = flow_planes(before, *self._flow(query))
        with torch.inference_mode():
            step = self._network(planes, torch.from_numpy(position)[None])[0]
        return np.asarray(step.numpy(), dtype=np.float64)

    def _pictures(self, name: str, frames: Mapping[str, RgbArray]) -> torch.Tensor:
        wanted = (*self._config.working_size, 3)
        for view in self._config.view_names:
            if view not in frames:
                raise ShapeError(f"the network needs view '{view}' but {name} has {sorted(frames)}")
            rgb = frames[view]
            if rgb.dtype != np.uint8 or rgb.shape != wanted:
                raise ShapeError(f'picture of view {view} in {name} is {rgb.dtype} {rgb.shape} but uint8 {wanted} was expected')
        stacked = np.stack([frames[view].transpose(2, 0, 1) for view in self._config.view_names])
        return torch.from_numpy(stacked).float().div_(255)[None]

    def _flow(self, query: StepQuery) -> tuple[torch.Tensor, torch.Tensor]:
        height, width = self._config.working_size
        flows: list[Array] = []
        trusts: list[Array] = []
        for view in self._config.view_names:
            if view not in query.flow.flow:
                raise ShapeError(f"the network needs view '{view}' but the flow has {sorted(query.flow.flow)}")
            flow, trust = query.flow.flow[view], query.flow.confidence[view]
            check_shapes(**{f'flow of {view}': (flow, f'{height} {width} 2'), f'trust of {view}': (trust, f'{height} {width}')})
            flows.append(pool_to_cells(flow, self._config.stride).transpose(2, 0, 1))
            trusts.append(pool_to_cells(trust, self._config.stride))
        return torch.from_numpy(np.stack(flows)).float()[None], torch.from_numpy(np.stack(trusts)).float()[None]


def save_direct(folder: Path, network: StepNetwork, notes: Mapping[str, Any]) -> None:
    """Write a network and how it was made; a reader never sees half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}
    write_whole(folder / WEIGHTS, save(tensors))
    write_whole(folder / METADATA, (json.dumps({'network': network.direct.to_json(), **notes}, indent=2) + '\n').encode())


def load_direct(folder: Path, robot: Embodiment) -> DirectSteps:
    """Read a network that was written by save_direct.

    Raises:
        ModelContractError: If it is missing, damaged or made for something else; says what.
    """
    try:
        document = json.loads((folder / METADATA).read_text(encoding='utf-8'))
        config = DirectConfig.from_json(document['network'], source=str(folder / METADATA))
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ModelContractError):
            raise
        raise ModelContractError(f'no direct network can be read from {folder}: {type(error).__name__}: {error}') from error
    config.backbone.check_robot(robot, source=str(folder))
    tensors = read_tensors(folder / WEIGHTS)
    network = StepNetwork(config, torch.ones(len(config.backbone.joint_names)))
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    check_tensors({name: tensor.shape for name, tensor in tensors.items()}, wanted, source=str(folder / WEIGHTS))
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    return DirectSteps(network)
