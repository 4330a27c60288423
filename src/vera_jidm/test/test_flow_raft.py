# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""RAFT: the numbers of torchvision's network, and files that are refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vera_core.errors import ConfigError, ModelContractError
from vera_jidm.flow.raft import RaftFlow, load_raft
from vera_jidm.flow.raft_network import LARGE, SMALL, Raft, RaftConfig
from vera_jidm.registry import FLOW_ESTIMATORS

TORCHVISION = {
    'small': (SMALL, [2.1231, -1.3978, 2.1210, -1.4290]),
    'large': (LARGE, [-2.2610, -0.5227, -2.2521, -0.2527]),
}
"""What torchvision 0.28.0 returns for the tensors of `filled` and the pictures of `waves` after three updates, at four places."""


def filled(network: Raft) -> dict[str, Tensor]:
    """Tensors that anybody can make again: waves, scaled so that the network neither dies nor blows up."""
    tensors = {}
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith('num_batches_tracked')}
    for number, (name, tensor) in enumerate(sorted(state.items())):
        wave = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 1.7 + number).reshape(tensor.shape).float()
        if name.endswith('running_var'):
            tensors[name] = 1 + 0.5 * wave
        else:
            tensors[name] = wave * (2 / tensor[0].numel()) ** 0.5 if tensor.ndim == 4 else 0.1 * wave
    return tensors


def waves(phase: float) -> Tensor:
    v, u = torch.meshgrid(torch.arange(128.0), torch.arange(136.0), indexing='ij')
    return torch.stack([torch.sin(u / (5 + channel) + v / (7 - channel) + phase) for channel in range(3)])[None]


@pytest.mark.parametrize('variant', TORCHVISION)
@pytest.mark.parametrize('suffix', ['.safetensors', '.pth'])
def test_saved_weights_give_the_numbers_of_torchvision(tmp_path: Path, variant: str, suffix: str) -> None:
    config, wanted = TORCHVISION[variant]
    path = tmp_path / f'weights{suffix}'
    tensors = filled(Raft(config))
    if suffix == '.pth':
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    network = load_raft(path)
    assert network.config == config
    with torch.inference_mode():
        flow = network(waves(0.0), waves(0.5), 3)[0]
    np.testing.assert_allclose([flow[0, 64, 64], flow[1, 64, 64], flow[0, 10, 100], flow[1, 120, 7]], wanted, atol=1e-3)


def test_pictures_of_any_size_from_128_px_on_are_taken(tmp_path: Path) -> None:
    save_file(filled(Raft(SMALL)), tmp_path / 'small.safetensors')
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, 255, (2, 130, 141, 3), dtype=np.uint8)
    flow, confidence = RaftFlow(tmp_path / 'small.safetensors', updates=1).estimate(source, target)
    assert flow.shape == (130, 141, 2)
    assert confidence.shape == (130, 141)


def test_without_a_file_it_says_where_weights_are() -> None:
    with pytest.raises(ConfigError, match=r'raft needs a file with weights \(parameter raft_weights\).*raft_small_C_T_V2'):
        FLOW_ESTIMATORS.make('raft')


def test_a_number_of_updates_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='updates is 0; it must be between 1 and 64'):
        RaftFlow(tmp_path / 'any.pth', updates=0)


def spoilt(config: RaftConfig, **changes: Tensor | None) -> dict[str, Tensor]:
    tensors = filled(Raft(config)) | changes
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


BIAS = 'update_block.flow_head.conv2.bias'


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({BIAS: None}, rf'tensor {BIAS} has shape None but RAFT needs \(2,\)'),
        ({BIAS: torch.zeros(3)}, rf'tensor {BIAS} has shape \(3,\) but RAFT needs \(2,\)'),
        ({'other': torch.zeros(3)}, r'tensor other has shape \(3,\) but RAFT needs None'),
        ({BIAS: torch.tensor([0.0, torch.nan])}, f'tensor {BIAS} holds values that are not finite'),
    ],
)
def test_weights_of_something_else_are_refused_by_name(tmp_path: Path, changes: dict[str, Tensor | None], text: str) -> None:
    save_file(spoilt(SMALL, **changes), tmp_path / 'weights.safetensors')
    with pytest.raises(ModelContractError, match=text):
        load_raft(tmp_path / 'weights.safetensors')


@pytest.mark.parametrize('suffix', ['.safetensors', '.pth'])
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'weights{suffix}'
    with pytest.raises(ModelContractError, match=f'weights{suffix} is missing'):
        load_raft(path)
    path.write_bytes(b'not a tensor in sight')
    with pytest.raises(ModelContractError, match=r'\(21 bytes\) cannot be read'):
        load_raft(path)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({'network': Path('/')}, tmp_path / 'whole_object.pth')
    with pytest.raises(ModelContractError, match='cannot be read'):
        load_raft(tmp_path / 'whole_object.pth')
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(ModelContractError, match='holds no state dict'):
        load_raft(tmp_path / 'list.pth')
