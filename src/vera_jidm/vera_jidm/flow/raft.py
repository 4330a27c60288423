# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The learned estimator: RAFT with weights from a file, for making labels or for a machine with a GPU; too slow for the loop on a CPU."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vera_core.errors import ConfigError, ModelContractError
from vera_core.shapes import FloatArray, RgbArray
from vera_jidm.flow.consistency import round_trip_confidence
from vera_jidm.flow.pictures import check_pictures, known_answer
from vera_jidm.flow.raft_network import FACTOR, LARGE, SMALL, SMALLEST_PX, Raft

WHERE = (
    'weights are those of torchvision (BSD licence), for example '
    'https://download.pytorch.org/models/raft_small_C_T_V2-01064c6d.pth or raft_large_C_T_SKHT_V2-ff5fadd5.pth; '
    'download a file once and give its path'
)
_COUNTERS = '.num_batches_tracked'


@dataclass(frozen=True, slots=True, kw_only=True)
class RaftSettings:
    """What the flow depends on besides the pictures; labels kept on disk are told apart by it."""

    weights_sha256: str
    updates: int


class RaftFlow:
    """RAFT, there and back. Implements FlowEstimator.

    Args:
        weights: A safetensors file or a state dict saved by torch, with torchvision's tensor names; small or large is told from them.
            Nothing is ever downloaded.
        updates: Look-ups per flow; more are slower and, up to 12, better.
        device: Where torch runs it, for example 'cpu' or 'cuda'.

    Raises:
        ConfigError: If no file is given, or a number is out of range.
        ModelContractError: If the file is missing, damaged or holds something else.
    """

    def __init__(self, weights: Path | str = '', *, updates: int = 12, device: str = 'cpu') -> None:
        if not str(weights):
            raise ConfigError(f'flow estimator raft needs a file with weights (parameter raft_weights); {WHERE}')
        if not 1 <= updates <= 64:
            raise ConfigError(f'updates is {updates}; it must be between 1 and 64')
        self._device = torch.device(device)
        self._network = load_raft(Path(weights)).to(self._device)
        self.settings = RaftSettings(weights_sha256=hashlib.sha256(Path(weights).read_bytes()).hexdigest(), updates=updates)

    def estimate(self, source: RgbArray, target: RgbArray) -> tuple[FloatArray, FloatArray]:
        """Return flow (H, W, 2), px, and confidence (H, W), 0..1, from `source` to `target`; see FlowEstimator."""
        check_pictures(source, target, smallest_px=SMALLEST_PX)
        known = known_answer(source, target)
        if known is not None:
            return known
        first, second = self._tensor(source), self._tensor(target)
        with torch.inference_mode():
            both = self._network(torch.cat([first, second]), torch.cat([second, first]), self.settings.updates)
        height, width = source.shape[:2]
        forward, backward = both[:, :, :height, :width].permute(0, 2, 3, 1).float().cpu().numpy()
        return np.ascontiguousarray(forward), round_trip_confidence(forward, backward)

    def _tensor(self, rgb: RgbArray) -> Tensor:
        """Return shape (1, 3, H', W'), -1..1; the last row and column are repeated up to a multiple of 8."""
        below, right = (-rgb.shape[axis] % FACTOR for axis in (0, 1))
        padded = np.pad(rgb, ((0, below), (0, right), (0, 0)), mode='edge')
        return torch.from_numpy(padded).to(self._device).permute(2, 0, 1)[None].float() / 127.5 - 1


def load_raft(path: Path) -> Raft:
    """Return the network of a file, ready to run.

    Raises:
        ModelContractError: If the file is missing, damaged, or not RAFT with torchvision's tensor names.
    """
    tensors = {name: tensor for name, tensor in _read(path).items() if not name.endswith(_COUNTERS)}
    network = Raft(LARGE if any(name.startswith('mask_predictor.') for name in tensors) else SMALL)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if not name.endswith(_COUNTERS)}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if found.get(name) != wanted.get(name):
            raise ModelContractError(f'{path}: tensor {name} has shape {found.get(name)} but RAFT needs {wanted.get(name)}; {WHERE}')
        if not torch.isfinite(tensors[name]).all():
            raise ModelContractError(f'{path}: tensor {name} holds values that are not finite; {WHERE}')
    network.load_state_dict(tensors, strict=False)
    return network.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ModelContractError(f'{path} is missing; {WHERE}')
    stored: object
    try:
        if path.suffix == '.safetensors':
            from safetensors.torch import load_file

            stored = load_file(path)
        else:
            stored = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch and safetensors raise unrelated types for a cut, damaged or foreign file.
        raise ModelContractError(f'{path} ({path.stat().st_size} bytes) cannot be read: {error}; {WHERE}') from error
    if not isinstance(stored, dict) or not all(isinstance(tensor, Tensor) for tensor in stored.values()):
        raise ModelContractError(f'{path} holds no state dict; {WHERE}')
    return stored
