# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a training stands, on disk: numbers as safetensors, the rest as JSON, so that loading never runs code."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from vera_core.errors import ConfigError
from vera_jidm.jacobian.weights import write_whole

TENSORS = 'checkpoint.safetensors'
STATE = 'checkpoint.json'


@dataclass(slots=True)
class Progress:
    """What is not in the network: where the run stands and how it got there."""

    step: int = 0
    pictures: int = 0
    elapsed_s: float = 0.0
    best_score: float = float('inf')
    checks_since_best: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    rng: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    average: nn.Module,
    best: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    rng: np.random.Generator,
    contract: dict[str, Any],
) -> None:
    """Write the state of a run; an interrupted write leaves the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f'network.{name}': tensor for name, tensor in network.state_dict().items()}
    tensors |= {f'average.{name}': tensor for name, tensor in average.state_dict().items()}
    tensors |= {f'best.{name}': tensor for name, tensor in best.items()}
    for index, state in optimiser.state_dict()['state'].items():
        tensors |= {f'optimiser.{index}.{name}': torch.as_tensor(value) for name, value in state.items()}
    write_whole(
        folder / TENSORS,
        save({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, metadata={'step': str(progress.step)}),
    )
    progress.rng = dict(rng.bit_generator.state)
    write_whole(folder / STATE, json.dumps({'contract': contract, **asdict(progress)}).encode())


def load_checkpoint(
    folder: Path,
    network: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    rng: np.random.Generator,
    contract: dict[str, Any],
) -> tuple[Progress, dict[str, Tensor]] | None:
    """Put network, its average, optimiser and generator where the run stood; return progress and best weights, or None when there is nothing.

    Raises:
        ConfigError: If the run in the folder is another one or its files are damaged.
    """
    if not (folder / STATE).is_file():
        return None
    advice = f'choose another folder or delete {folder}'
    try:
        document = json.loads((folder / STATE).read_text(encoding='utf-8'))
        tensors = load((folder / TENSORS).read_bytes())
        found = document.pop('contract')
        progress = Progress(**document)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ConfigError(f'the checkpoint in {folder} cannot be read: {error}; {advice}') from error
    if found != contract:
        changed = sorted(name for name in found.keys() | contract.keys() if found.get(name) != contract.get(name))
        raise ConfigError(f'the checkpoint in {folder} belongs to another run: {", ".join(changed)} differ; {advice}')
    network.load_state_dict(_part(tensors, 'network.'))
    average.load_state_dict(_part(tensors, 'average.'))
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, 'optimiser.').items():
        index, key = name.split('.', 1)
        state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({'state': state, 'param_groups': optimiser.state_dict()['param_groups']})
    rng.bit_generator.state = progress.rng
    return progress, _part(tensors, 'best.')


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
