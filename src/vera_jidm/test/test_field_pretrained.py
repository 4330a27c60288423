# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Head `pretrained` on tiny backbones with random weights, saved and loaded on this machine alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, Dinov2Config, Dinov2Model, DINOv3ViTConfig, DINOv3ViTModel

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ModelContractError
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.export import export_graph
from vera_jidm.jacobian.heads import make_network
from vera_jidm.jacobian.learned import LearnedField
from vera_jidm.jacobian.pretrained import PretrainedNetwork, load_backbone
from vera_jidm.jacobian.weights import GRAPH, METADATA, WEIGHTS, write_weights

SMALL = {'channels': (16, 16, 24, 32), 'condition': 32}
TINY = {'hidden_size': 32, 'num_hidden_layers': 4, 'num_attention_heads': 2, 'intermediate_size': 64}
FAMILIES = {
    'dinov2': lambda: Dinov2Model(Dinov2Config(**TINY, image_size=56, patch_size=14)),
    'dinov3': lambda: DINOv3ViTModel(DINOv3ViTConfig(**TINY, image_size=64, patch_size=16, num_register_tokens=4)),
}
Network = TypeVar('Network', bound=torch.nn.Module)
Make = Callable[..., PretrainedNetwork]


@pytest.fixture(scope='module')
def panda() -> Embodiment:
    return load_embodiment('panda')


@pytest.fixture(scope='module')
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('backbones')
    for name, model in FAMILIES.items():
        torch.manual_seed(1)
        model().save_pretrained(folder / name)
    return folder


@pytest.fixture
def make(panda: Embodiment, backbones: Path) -> Make:
    def network(family: str = 'dinov2', **options: object) -> PretrainedNetwork:
        torch.manual_seed(2)
        config = FieldConfig.for_robot(
            panda, head='pretrained', backbone=str(backbones / family), local_files_only=True, **{**SMALL, **options}
        )
        made = make_network(config, local_files_only=True)
        assert isinstance(made, PretrainedNetwork)
        return made

    return network


def stirred(network: Network) -> Network:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network.eval()


def save(network: PretrainedNetwork, folder: Path) -> Path:
    write_weights(folder, {name: tensor.numpy() for name, tensor in network.state_dict().items()}, {'network': network.config.to_json()})
    export_graph(network, folder / GRAPH)
    return folder


def frames(panda: Embodiment) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {view: rng.integers(0, 255, (128, 128, 3), dtype=np.uint8) for view in panda.view_names}


@pytest.mark.parametrize('family', FAMILIES)
def test_features_are_those_of_the_checkpoint_on_a_normalised_picture_of_whole_patches(backbones: Path, make: Make, family: str) -> None:
    model = {'dinov2': Dinov2Model, 'dinov3': DINOv3ViTModel}[family].from_pretrained(backbones / family, local_files_only=True).eval()
    patch = model.config.patch_size
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])  # ImageNet's
    picture = torch.stack([mean, mean + deviation])[:, :, None, None].expand(2, 3, 128, 128)
    tokens = make(family).eval().tokens(picture)
    assert [tuple(token.shape) for token in tokens] == [(2, 32, 16, 16)] * 4
    with torch.no_grad():
        pixels = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 16 * patch, 16 * patch)
        last = model(pixels).last_hidden_state[:, -256:].transpose(1, 2).reshape(2, 32, 16, 16)
    torch.testing.assert_close(tokens[3], last, atol=1e-5, rtol=1e-5)
    assert (last[0] - last[1]).abs().max() > 0.1


@pytest.mark.parametrize('family', FAMILIES)
@pytest.mark.parametrize('uses_position', [True, False])
def test_field_without_the_backbone_folder_has_the_same_numbers_in_torch_and_onnx(
    panda: Embodiment, backbones: Path, make: Make, tmp_path: Path, family: str, uses_position: bool
) -> None:
    network = make(family, uses_position=uses_position).eval()
    stirred(network.head)  # the rest is as it was loaded: many tensors of a fresh backbone are alike
    folder = save(network, tmp_path / 'field')
    document = json.loads((folder / METADATA).read_text())
    document['network']['backbone'] = str(tmp_path / 'gone')
    (folder / METADATA).write_text(json.dumps(document))
    first, second = (LearnedField(panda, folder, backend=backend).predict(frames(panda), panda.home) for backend in ('onnx', 'torch'))  # type: ignore[arg-type]
    pictures = torch.from_numpy(np.stack(list(frames(panda).values()))).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        jacobian, trust = network(pictures, torch.from_numpy(panda.home).float().expand(2, -1), torch.arange(2))
    for index, view in enumerate(panda.view_names):
        size = float(jacobian.abs().max())
        assert size > 1
        np.testing.assert_allclose(second[view].jacobian, jacobian[index].permute(2, 3, 1, 0), atol=1e-5 * size)
        np.testing.assert_allclose(second[view].confidence, trust[index].sigmoid(), atol=1e-5)
        np.testing.assert_allclose(first[view].jacobian, second[view].jacobian, atol=1e-4 * size)
        np.testing.assert_allclose(first[view].confidence, second[view].confidence, atol=1e-4)


@pytest.mark.parametrize('freeze', [True, False])
def test_backbone_learns_only_when_it_is_not_frozen(make: Make, freeze: bool) -> None:
    network = stirred(make(freeze_backbone=freeze)).train()
    assert network.vision.training is not freeze
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.SGD([parameter for parameter in network.parameters() if parameter.requires_grad], lr=1e-3)
    jacobian, trust = network(torch.rand(2, 3, 128, 128), torch.randn(2, 7), torch.arange(2))
    (jacobian.square().mean() + trust.mean()).backward()
    optimiser.step()
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert any(name.startswith('vision.') for name in changed) is not freeze
    assert 'head.motion.weight' in changed
    assert 'to3.weight' in changed


def test_four_depths_are_evenly_spread_and_end_at_the_last_layer(make: Make) -> None:
    assert make().vision.out_indices == [1, 2, 3, 4]


def test_fresh_head_says_zero(make: Make) -> None:
    assert make()(torch.rand(2, 3, 128, 128), torch.randn(2, 7), torch.arange(2))[0].abs().max() == 0


def test_pickled_weights_are_not_loaded(panda: Embodiment, backbones: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(backbones / 'dinov2', tmp_path / 'pickled')
    torch.save(load_file(folder / 'model.safetensors'), folder / 'pytorch_model.bin')
    (folder / 'model.safetensors').unlink()
    for name in (folder, folder / 'pytorch_model.bin'):
        with pytest.raises(ModelContractError, match=r'has no safetensors file; pickled weights .* are not loaded'):
            load_backbone(str(name))


def test_backbones_that_cannot_be_used_are_refused(panda: Embodiment, backbones: Path, tmp_path: Path) -> None:
    def config(folder: Path) -> FieldConfig:
        return FieldConfig.for_robot(panda, head='pretrained', backbone=str(folder), local_files_only=True, **SMALL)

    with pytest.raises(ModelContractError, match=r"backbone '.*nowhere' cannot be read"):
        config(tmp_path / 'nowhere')
    BertConfig().save_pretrained(tmp_path / 'bert')
    with pytest.raises(ModelContractError, match="family 'bert'; known: dinov2, dinov2_with_registers, dinov3_vit"):
        config(tmp_path / 'bert')
    Dinov2Config(**{**TINY, 'num_hidden_layers': 3}).save_pretrained(tmp_path / 'short')
    with pytest.raises(ModelContractError, match='backbone has 3 layers; at least 4'):
        config(tmp_path / 'short')
    damaged = shutil.copytree(backbones / 'dinov2', tmp_path / 'damaged')
    (damaged / 'model.safetensors').write_bytes((backbones / 'dinov2' / 'model.safetensors').read_bytes()[:5000])
    with pytest.raises(ModelContractError, match=r"damaged' cannot be loaded"):
        make_network(config(damaged))
    lacking = shutil.copytree(backbones / 'dinov2', tmp_path / 'lacking')
    tensors = load_file(lacking / 'model.safetensors')
    del tensors['encoder.layer.2.norm1.weight']
    save_file(tensors, lacking / 'model.safetensors', metadata={'format': 'pt'})
    with pytest.raises(ModelContractError, match=r"lacking' lacks 1 tensors, first encoder\.layer\.2\.norm1\.weight"):
        make_network(config(lacking))


def test_trained_field_is_checked_like_the_others(panda: Embodiment, make: Make, tmp_path: Path) -> None:
    folder = save(make(), tmp_path)
    original = (folder / METADATA).read_text()
    for change, text in (
        ({'joint_names': list(reversed(panda.joint_names))}, 'trained for joints'),
        ({'working_size': [64, 64]}, 'trained for working size'),
        ({'backbone_config': None}, "head 'pretrained' without a configuration of a backbone"),
        ({'head': 'unet'}, "head 'unet' with a configuration of a backbone"),
        ({'backbone_config': 3}, 'is not the metadata of a field'),
        (
            {'backbone_config': {'model_type': 'dinov2', 'num_hidden_layers': 4, 'hidden_size': 'wide'}},
            'configuration of the backbone makes none',
        ),
    ):
        document = json.loads(original)
        document['network'].update(change)
        (folder / METADATA).write_text(json.dumps(document))
        with pytest.raises(ModelContractError, match=text):
            LearnedField(panda, folder, backend='torch')
    (folder / METADATA).write_text(original)
    tensors = load_file(folder / WEIGHTS)
    del tensors['vision.encoder.layer.1.norm1.bias']
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(ModelContractError, match=r'tensor vision\.encoder\.layer\.1\.norm1\.bias has shape None'):
        LearnedField(panda, folder, backend='torch')
