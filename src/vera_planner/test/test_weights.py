# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vera_core.errors import ModelContractError
from vera_planner.models.dynamics import DynamicsSize
from vera_planner.models.robot_layer import LayerSize
from vera_planner.weights import EmbeddedModel, build_model, load_model, save_model, shipped_weights


def small_model() -> EmbeddedModel:
    torch.manual_seed(0)
    layer = LayerSize(latent=6, hidden=16, width=16, blocks=1, half=8, spotter=8)
    dynamics = DynamicsSize(latent=6, goals=4, horizon=4, coefficients=5, width=16, blocks=1)
    plates = {view: np.full((32, 32, 3), 9, np.uint8) for view in ('front', 'side')}
    return build_model(('front', 'side'), (32, 32), 0.3, layer, dynamics, plates, {'command': 'test', 'seed': 3})


def test_model_survives_the_file_up_to_half_precision(tmp_path: Path) -> None:
    model = small_model()
    save_model(model, tmp_path / 'w.safetensors')
    again = load_model(tmp_path / 'w.safetensors')
    assert again.views == ('front', 'side')
    assert again.metadata['seed'] == 3
    assert np.array_equal(again.plates['side'], model.plates['side'])
    before, after = model.layer.state_dict(), again.layer.state_dict()
    assert all(torch.allclose(before[key], after[key], atol=2e-3) for key in before)


def test_missing_weights_are_named_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ModelContractError, match=r"gone\.safetensors' does not exist; make it with: vera train planner"):
        load_model(tmp_path / 'gone.safetensors')


def test_truncated_weights_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / 'w.safetensors'
    save_model(small_model(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelContractError, match=r"w\.safetensors' is damaged or cut short.*vera train planner"):
        load_model(path)


def test_weights_of_another_format_are_refused(tmp_path: Path) -> None:
    path = tmp_path / 'w.safetensors'
    save_model(small_model(), path)
    page = json.loads(path.with_suffix('.json').read_text())
    path.with_suffix('.json').write_text(json.dumps(page | {'format': 99}))
    with pytest.raises(ModelContractError, match='format 99, this version reads 1'):
        load_model(path)


def test_weights_whose_page_lacks_a_field_are_refused(tmp_path: Path) -> None:
    path = tmp_path / 'w.safetensors'
    save_model(small_model(), path)
    page = json.loads(path.with_suffix('.json').read_text())
    del page['views']
    path.with_suffix('.json').write_text(json.dumps(page))
    with pytest.raises(ModelContractError, match="do not fit this version .*'views'"):
        load_model(path)


def test_shipped_weights_are_whole_and_small() -> None:
    model = load_model(shipped_weights())
    assert model.views == ('front', 'side')
    assert model.working_size == (128, 128)
    assert shipped_weights().stat().st_size < 20_000_000
    assert model.metadata['command'].startswith('vera train planner')
