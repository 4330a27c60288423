# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The moving average of a network's weights: less noisy than the weights of any one step, so it is what is checked and shipped."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def average_decay(step: int, decay: float) -> float:
    """Return how much of the average stays at a step >= 1: min(decay, step / (step + 9)).

    The average remembers about a ninth of the steps taken so far until `decay` is reached, so a short run is not held back by its start.
    """
    return min(decay, step / (step + 9))


class AveragedNetwork:
    """A copy of a network whose weights follow the network's own: average += (1 - decay) (weights - average)."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after optimiser step number `step`, counted from 1."""
        share = 1 - average_decay(step, self._decay)
        for average, weight in zip(self.network.parameters(), network.parameters(), strict=True):
            average.lerp_(weight, share)
        for kept, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(buffer)

    def snapshot(self) -> dict[str, Tensor]:
        """Return a copy of the averaged weights by name."""
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
