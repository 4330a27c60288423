# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes the network as an ONNX graph whose numbers stay in the safetensors file: one set of weights, two run times."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from vera_core.errors import ModelContractError
from vera_jidm.jacobian.backbone import UNetLayers
from vera_jidm.jacobian.weights import write_whole

OPSET = 18


class _Exported(torch.nn.Module):
    """The network with trust as 0..1 and the field in the order of JacobianField."""

    def __init__(self, network: UNetLayers) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: torch.Tensor, position: torch.Tensor, view: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        jacobian, trust = self.network(picture, position, view)
        return jacobian.permute(0, 3, 4, 2, 1), trust.sigmoid()


def export_graph(network: UNetLayers, path: Path) -> None:
    """Write the graph beside the weights.

    Inputs: picture (V, 3, H, W) 0..1, position (V, n) rad, view (V,) int64. Outputs: jacobian (V, h, w, 2, n) px/rad, confidence (V, h, w).
    Every tensor of the weights becomes a named hole that the run time fills from the safetensors file.

    Raises:
        ModelContractError: If the graph does not use every tensor of the weights under its own name.
    """
    config = network.config
    views, (height, width) = len(config.view_names), config.working_size
    example = (torch.zeros(views, 3, height, width), torch.zeros(views, len(config.joint_names)), torch.arange(views))
    hollow = _distinct(network)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            _Exported(hollow),
            example,
            path,
            input_names=['picture', 'position', 'view'],
            output_names=['jacobian', 'confidence'],
            opset_version=OPSET,
            do_constant_folding=False,
            dynamo=False,
        )
    model = onnx.load_model(path)
    weights = {name: tensor.numpy() for name, tensor in hollow.state_dict().items()}
    for initializer in model.graph.initializer:
        name = initializer.name.removeprefix('network.')
        if name in weights and np.array_equal(numpy_helper.to_array(initializer), weights[name]):
            del weights[name]
            _make_hole(initializer)
    if weights:
        path.unlink()
        raise ModelContractError(
            f'the graph of head {config.head} does not use {len(weights)} tensors as they are, first {sorted(weights)[0]}'
        )
    write_whole(path, model.SerializeToString())


def _distinct(network: UNetLayers) -> UNetLayers:
    """Return a copy whose tensors all differ: the exporter would make one of those that hold the same numbers, as fresh biases do."""
    hollow, generator = copy.deepcopy(network).eval().requires_grad_(False), torch.Generator().manual_seed(0)
    for tensor in hollow.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape, generator=generator))
    return hollow


def _make_hole(initializer: onnx.TensorProto) -> None:
    """Take the numbers out of a tensor; its name and shape stay."""
    initializer.ClearField('raw_data')
    initializer.ClearField('float_data')
    initializer.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (('location', 'field.safetensors'), ('offset', '0'), ('length', str(4 * int(np.prod(initializer.dims))))):
        entry = initializer.external_data.add()
        entry.key, entry.value = key, value
