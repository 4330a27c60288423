# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ModelContractError
from vera_jidm.jacobian.backbone import ConditionedUNet, UNetLayers
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.export import export_graph
from vera_jidm.jacobian.heads import make_network
from vera_jidm.jacobian.learned import LearnedField
from vera_jidm.jacobian.weights import GRAPH, read_tensors, shipped_folder, write_weights

CONDITIONINGS = pytest.mark.parametrize('uses_position', [True, False])
HEADS = pytest.mark.parametrize('head', ['links', 'unet'])
SMALL = {'channels': (16, 16, 24, 32), 'condition': 32, 'bodies': 5}


@pytest.fixture(scope='module')
def panda() -> Embodiment:
    return load_embodiment('panda')


def stirred(config: FieldConfig) -> UNetLayers:
    """A network whose every parameter is random, so that no part of it is silent."""
    torch.manual_seed(3)
    network = make_network(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network


def moment(panda: Embodiment, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, 128, 128, generator=generator), torch.randn(2, 7, generator=generator), torch.arange(2)


def test_names_of_the_shipped_weights_are_those_of_the_network(panda: Embodiment) -> None:
    shipped = {name: tensor.shape for name, tensor in read_tensors(shipped_folder('panda') / 'field.safetensors').items()}
    network = make_network(FieldConfig.for_robot(panda))
    assert shipped == {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


@HEADS
@CONDITIONINGS
def test_every_head_answers_in_the_shape_of_the_contract(panda: Embodiment, head: str, uses_position: bool) -> None:
    network = stirred(FieldConfig.for_robot(panda, head=head, uses_position=uses_position, **SMALL))
    jacobian, trust = network(*moment(panda))
    assert jacobian.shape == (2, 7, 2, 32, 32)
    assert trust.shape == (2, 32, 32)
    assert jacobian.abs().mean() > 0.01


@HEADS
def test_joints_matter_only_where_they_are_used(panda: Embodiment, head: str) -> None:
    picture, position, view = moment(panda)
    for uses_position in (True, False):
        network = stirred(FieldConfig.for_robot(panda, head=head, uses_position=uses_position, **SMALL))
        here, there = network(picture, position, view)[0], network(picture, position + 0.5, view)[0]
        assert bool((here != there).any()) == uses_position


@HEADS
def test_posture_of_an_image_only_field_comes_from_the_picture(panda: Embodiment, head: str) -> None:
    network = stirred(FieldConfig.for_robot(panda, head=head, uses_position=False, **SMALL))
    picture, position, view = moment(panda)
    changed = picture.clone()
    changed[:, :, :32, :32] = 0  # far from the lower right corner in pixels, yet the posture it tells moves every cell
    far = (network(picture, position, view)[0] - network(changed, position, view)[0])[..., -4:, -4:]
    assert far.abs().max() > 1e-3


def test_fresh_unet_says_zero_and_learns_in_units_of_the_joint_scale(panda: Embodiment) -> None:
    scale = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0)
    network = make_network(FieldConfig.for_robot(panda, head='unet', joint_scale=scale, **SMALL))
    assert network(*moment(panda))[0].abs().max() == 0
    with torch.no_grad():
        network.head.motion.bias.fill_(1.0)  # type: ignore[union-attr]
    jacobian = network(*moment(panda))[0]
    torch.testing.assert_close(jacobian[0, :, 1, 5, 6], torch.tensor(scale))
    assert FieldConfig.for_robot(panda).jacobian_scale == (32.0,) * 7  # a quarter of 128 px


def test_channels_of_the_unet_head_are_joint_by_joint(panda: Embodiment) -> None:
    network = make_network(FieldConfig.for_robot(panda, head='unet', **SMALL))
    with torch.no_grad():
        network.head.motion.bias.copy_(torch.arange(14.0))  # type: ignore[operator, union-attr]
    jacobian = network(*moment(panda))[0] / 32
    torch.testing.assert_close(jacobian[0, :, :, 0, 0], torch.arange(14.0).reshape(7, 2))


def test_unet_as_a_part_takes_planes_of_any_number(panda: Embodiment) -> None:
    config = FieldConfig.for_robot(panda, **SMALL)
    features = ConditionedUNet(config, inputs=8)(torch.rand(2, 8, 128, 128), torch.randn(2, config.condition))
    assert features.shape == (2, 16, 32, 32)


@HEADS
@CONDITIONINGS
def test_onnx_has_the_numbers_of_torch(panda: Embodiment, tmp_path: Path, head: str, uses_position: bool) -> None:
    config = FieldConfig.for_robot(panda, head=head, uses_position=uses_position, **SMALL)
    network = stirred(config)
    write_weights(tmp_path, {name: tensor.numpy() for name, tensor in network.state_dict().items()}, {'network': config.to_json()})
    export_graph(network, tmp_path / GRAPH)
    rng = np.random.default_rng(1)
    frames = {view: rng.integers(0, 255, (128, 128, 3), dtype=np.uint8) for view in panda.view_names}
    first, second = (LearnedField(panda, tmp_path, backend=backend).predict(frames, panda.home) for backend in ('onnx', 'torch'))  # type: ignore[arg-type]
    for view in panda.view_names:
        size = np.abs(second[view].jacobian).max()
        assert size > 1
        np.testing.assert_allclose(first[view].jacobian, second[view].jacobian, atol=1e-4 * size)
        np.testing.assert_allclose(first[view].confidence, second[view].confidence, atol=1e-4)


@HEADS
def test_network_whose_tensors_are_alike_can_be_exported(panda: Embodiment, tmp_path: Path, head: str) -> None:
    config = FieldConfig.for_robot(panda, head=head, **SMALL)
    network = make_network(config)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert torch.equal(before['down0.norm1.weight'], before['last.norm1.weight'])
    export_graph(network, tmp_path / GRAPH)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    write_weights(tmp_path, {name: tensor.numpy() for name, tensor in network.state_dict().items()}, {'network': config.to_json()})
    frames = {view: np.full((128, 128, 3), 90, np.uint8) for view in panda.view_names}
    first, second = (LearnedField(panda, tmp_path, backend=backend).predict(frames, panda.home) for backend in ('onnx', 'torch'))  # type: ignore[arg-type]
    np.testing.assert_allclose(first['side'].confidence, second['side'].confidence, atol=1e-4)


def test_graph_that_leaves_a_tensor_out_is_not_written(panda: Embodiment, tmp_path: Path) -> None:
    network = make_network(FieldConfig.for_robot(panda, head='unet', **SMALL))
    network.register_parameter('idle', torch.nn.Parameter(torch.ones(3)))
    with pytest.raises(ModelContractError, match='head unet does not use 1 tensors as they are, first idle'):
        export_graph(network, tmp_path / GRAPH)
    assert not (tmp_path / GRAPH).exists()


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'head': 'link'}, "unknown head 'link'.*Did you mean 'links'"),
        ({'joint_scale': (1.0, 2.0)}, 'joint_scale is .* for each of 7 joints'),
        ({'joint_scale': (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0)}, 'joint_scale is .* one positive number'),
        ({'channels': (16, 16, 20, 32)}, 'channels are .* multiples of 8'),
        ({'channels': (16, 16, 32)}, 'channels are .* four'),
        ({'bodies': 1}, 'bodies is 1'),
        ({'stride': 3}, 'must be a multiple of 24 px for stride 3'),
    ],
)
def test_values_that_make_no_network_are_refused(panda: Embodiment, options: dict[str, object], text: str) -> None:
    with pytest.raises(ModelContractError, match=text):
        FieldConfig.for_robot(panda, **options)


def test_metadata_of_before_there_were_heads_still_reads(panda: Embodiment) -> None:
    document = FieldConfig.for_robot(panda).to_json()
    for name in ('head', 'uses_position', 'joint_scale'):
        del document[name]
    assert FieldConfig.from_json(document, source='field.json') == FieldConfig.for_robot(panda)


def test_metadata_goes_there_and_back(panda: Embodiment) -> None:
    config = FieldConfig.for_robot(panda, head='unet', uses_position=False, joint_scale=(5.0,) * 7)
    assert FieldConfig.from_json(config.to_json(), source='field.json') == config
    with pytest.raises(ModelContractError, match="uses_position is 'no' but true or false was expected"):
        FieldConfig.from_json({**config.to_json(), 'uses_position': 'no'}, source='field.json')
