# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ModelContractError, ShapeError
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.export import export_graph
from vera_jidm.jacobian.learned import LearnedField
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.jacobian.network import FieldNetwork
from vera_jidm.jacobian.weights import GRAPH, METADATA, WEIGHTS, read_tensors, write_weights


@pytest.fixture(scope='module')
def panda() -> Embodiment:
    return load_embodiment('panda')


@pytest.fixture(scope='module')
def trained(panda: Embodiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network whose every parameter is random, so that no part of it is silent."""
    folder = tmp_path_factory.mktemp('weights')
    torch.manual_seed(3)
    config = FieldConfig.for_robot(panda)
    network = FieldNetwork(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.03 * torch.randn_like(parameter)
    write_weights(folder, {name: tensor.numpy() for name, tensor in network.state_dict().items()}, {'network': config.to_json()})
    export_graph(network, folder / GRAPH)
    return folder


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    for path in trained.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def _frames(panda: Embodiment, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {view: rng.integers(0, 255, (*panda.working_size, 3), dtype=np.uint8) for view in panda.view_names}


def test_onnx_and_torch_give_the_same_numbers(panda: Embodiment, trained: Path) -> None:
    onnx, torch_ = LearnedField(panda, trained), LearnedField(panda, trained, backend='torch')
    for seed in range(3):
        position = panda.home + np.random.default_rng(seed).normal(0, 0.3, 7)
        first, second = onnx.predict(_frames(panda, seed), position), torch_.predict(_frames(panda, seed), position)
        for view in panda.view_names:
            assert np.abs(second[view].jacobian).max() > 1
            np.testing.assert_allclose(first[view].jacobian, second[view].jacobian, atol=1e-4)
            np.testing.assert_allclose(first[view].confidence, second[view].confidence, atol=1e-4)


def test_field_has_the_shape_of_the_contract_and_keeps_views_apart(panda: Embodiment, trained: Path) -> None:
    model = LearnedField(panda, trained)
    assert isinstance(model, JacobianModel)
    picture = _frames(panda)['front']
    fields = model.predict({'front': picture, 'side': picture}, panda.home)
    assert fields['front'].jacobian.shape == (32, 32, 2, 7)
    assert fields['front'].confidence.shape == (32, 32)
    assert fields['front'].stride == 4
    assert 0 <= fields['front'].confidence.min() <= fields['front'].confidence.max() <= 1
    # The same picture means another thing to another camera.
    assert np.abs(fields['front'].jacobian - fields['side'].jacobian).max() > 0.1


def test_field_depends_on_the_joints(panda: Embodiment, trained: Path) -> None:
    model = LearnedField(panda, trained)
    here, there = model.predict(_frames(panda), panda.home), model.predict(_frames(panda), panda.home + 0.3)
    assert np.abs(here['front'].jacobian - there['front'].jacobian).max() > 0.1


def test_half_precision_halves_the_file_and_hardly_changes_the_field(panda: Embodiment, trained: Path, tmp_path: Path) -> None:
    tensors = read_tensors(trained / WEIGHTS)
    write_weights(tmp_path, tensors, json.loads((trained / METADATA).read_text()), half=True)
    shutil.copyfile(trained / GRAPH, tmp_path / GRAPH)
    assert (tmp_path / WEIGHTS).stat().st_size < 0.55 * (trained / WEIGHTS).stat().st_size
    assert {tensor.dtype for tensor in read_tensors(tmp_path / WEIGHTS).values()} == {tensor.dtype for tensor in tensors.values()}
    whole, half = (LearnedField(panda, folder).predict(_frames(panda), panda.home)['front'].jacobian for folder in (trained, tmp_path))
    np.testing.assert_allclose(half, whole, atol=5e-3 * float(np.abs(whole).max()))
    with pytest.raises(ModelContractError, match='half precision ends at 65504'):
        write_weights(tmp_path, {'a': np.array([1e6], np.float32)}, {}, half=True)


def test_graph_holds_no_second_copy_of_the_weights(trained: Path) -> None:
    assert (trained / GRAPH).stat().st_size < 0.1 * (trained / WEIGHTS).stat().st_size


@pytest.mark.parametrize('name', [WEIGHTS, METADATA, GRAPH])
def test_missing_file_is_named(panda: Embodiment, copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelContractError, match=f'{name}.*missing.*vera train idm'):
        LearnedField(panda, copy, backend='onnx')


def test_field_without_a_graph_runs_in_torch_and_says_so(panda: Embodiment, copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = _frames(panda)
    before = LearnedField(panda, copy).predict(frames, panda.home)
    assert not caplog.records
    (copy / GRAPH).unlink()
    after = LearnedField(panda, copy).predict(frames, panda.home)
    assert 'has no field.onnx; the field runs in torch' in caplog.text
    np.testing.assert_allclose(after['front'].jacobian, before['front'].jacobian, atol=1e-4)


def test_field_with_neither_graph_nor_torch_says_what_is_missing(panda: Embodiment, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / GRAPH).unlink()
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(ModelContractError, match=r'needs torch to run without a graph: .*torch.*; install torch or copy field\.onnx'):
        LearnedField(panda, copy)


@pytest.mark.parametrize('keep', [0, 5, 1000, 0.5, 0.999])
def test_truncated_weights_are_refused(panda: Embodiment, copy: Path, keep: float) -> None:
    data = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(data[: int(keep * len(data)) if keep < 1 else int(keep)])
    with pytest.raises(ModelContractError, match='cut short or damaged'):
        LearnedField(panda, copy)


@pytest.mark.parametrize('keep', [0, 100, 60_000])
def test_truncated_graph_is_refused(panda: Embodiment, copy: Path, keep: int) -> None:
    (copy / GRAPH).write_bytes((copy / GRAPH).read_bytes()[:keep])
    with pytest.raises(ModelContractError, match='do not fit together'):
        LearnedField(panda, copy)


@pytest.mark.parametrize('backend', ['onnx', 'torch'])
def test_weights_of_another_network_are_refused(panda: Embodiment, copy: Path, backend: str) -> None:
    other = FieldNetwork(FieldConfig.for_robot(panda, bodies=6))
    metadata = json.loads((copy / METADATA).read_text())
    write_weights(copy, {name: tensor.numpy() for name, tensor in other.state_dict().items()}, metadata)
    with pytest.raises(ModelContractError, match=r'do not fit together|tensor .* has shape'):
        LearnedField(panda, copy, backend=backend)  # type: ignore[arg-type]


def test_weights_that_are_not_finite_are_refused(panda: Embodiment, copy: Path) -> None:
    network = FieldNetwork(FieldConfig.for_robot(panda))
    with torch.no_grad():
        network.head.bias[2] = torch.nan
    write_weights(copy, {name: tensor.numpy() for name, tensor in network.state_dict().items()}, json.loads((copy / METADATA).read_text()))
    with pytest.raises(ModelContractError, match=r'tensor head\.bias holds values that are not finite'):
        LearnedField(panda, copy)


@pytest.mark.parametrize(
    ('key', 'value', 'text'),
    [
        ('robot', 'fr3', 'trained for robot fr3 but the robot has panda'),
        ('joint_names', ['a', 'b', 'c', 'd', 'e', 'f', 'g'], r"trained for joints \('a', 'b'.*panda_joint1"),
        ('view_names', ['front', 'top'], r"trained for views \('front', 'top'\)"),
        ('working_size', [64, 64], r'trained for working size \(64, 64\)'),
        ('format', 7, 'format 7 but this version reads format 1'),
        ('channels', 'wide', 'is not the metadata of a field'),
    ],
)
def test_weights_made_for_something_else_are_refused(panda: Embodiment, copy: Path, key: str, value: object, text: str) -> None:
    metadata = json.loads((copy / METADATA).read_text())
    metadata['network'][key] = value
    (copy / METADATA).write_text(json.dumps(metadata))
    with pytest.raises(ModelContractError, match=text):
        LearnedField(panda, copy)


@pytest.mark.parametrize('text', ['', '{', '[1]', '{"network": 3}'])
def test_damaged_metadata_is_refused(panda: Embodiment, copy: Path, text: str) -> None:
    (copy / METADATA).write_text(text)
    with pytest.raises(ModelContractError, match=METADATA):
        LearnedField(panda, copy)


def test_wrong_input_is_refused_in_words(panda: Embodiment, trained: Path) -> None:
    model, frames = LearnedField(panda, trained), _frames(panda)
    with pytest.raises(ShapeError, match="needs view 'side' but got \\['front'\\]"):
        model.predict({'front': frames['front']}, panda.home)
    with pytest.raises(ShapeError, match=r'picture of view side is uint8 \(64, 64, 3\)'):
        model.predict({**frames, 'side': frames['side'][::2, ::2]}, panda.home)
    with pytest.raises(ShapeError, match='picture of view side is float64'):
        model.predict({**frames, 'side': frames['side'] / 255}, panda.home)
    with pytest.raises(ShapeError, match=r'position has shape \(6,\) but the field was made for 7 joints'):
        model.predict(frames, panda.home[:6])
    with pytest.raises(ShapeError, match='position has 1 values that are not finite'):
        model.predict(frames, np.where(np.arange(7) == 3, np.nan, panda.home))
