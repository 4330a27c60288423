# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes latent and marks of a forecast pose agree: the hand is painted from the latent, and should stand where the marks say it does.

Marks are single points and are forecast to a few tenths of a pixel; a latent is a hundred numbers, and the hand that is painted of a forecast one stood .6 to .9 px
beside its marks (2 to 4 px in one of ten), as far as a whole grip allows. Marks in two views tell place and heading of the hand, the latent the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

STILL = 1e-3
"""A number that spreads less than this is not scaled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorSize:
    """Parts of a pose, and the width of the network."""

    latent: int
    views: int
    marks: int
    width: int = 192


class Anchor(nn.Module):
    """A denoiser of latents that is told the marks."""

    mean: Tensor
    std: Tensor

    def __init__(self, size: AnchorSize) -> None:
        super().__init__()
        self.size = size
        inputs = size.latent + 2 * size.views * (1 + size.marks)
        self.register_buffer('mean', torch.zeros(inputs))
        self.register_buffer('std', torch.ones(inputs))
        self.layers = nn.Sequential(
            nn.Linear(inputs, size.width), nn.SiLU(), nn.Linear(size.width, size.width), nn.SiLU(), nn.Linear(size.width, size.latent)
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def fit(self, poses: Tensor) -> None:
        """Fit the scaling to poses (N, pose)."""
        seen = self._see(poses)
        std = seen.std(dim=0)
        self.mean.copy_(seen.mean(dim=0))
        self.std.copy_(torch.where(std > STILL, std, 1.0))

    def forward(self, poses: Tensor) -> Tensor:
        """Return poses (B, pose) with the latents that belong to their marks."""
        count = self.size.latent
        moved = self.std[:count] * self.layers((self._see(poses) - self.mean) / self.std)
        return torch.cat([poses[:, :count] + moved, poses[:, count:]], dim=1)

    def _see(self, poses: Tensor) -> Tensor:
        """Return latents, the middle of the marks in every view, and how far from it each is."""
        places = poses[:, self.size.latent :].unflatten(1, (self.size.views, self.size.marks, 2))
        middle = places.mean(dim=2, keepdim=True)
        return torch.cat([poses[:, : self.size.latent], middle.flatten(1), (places - middle).flatten(1)], dim=1)
