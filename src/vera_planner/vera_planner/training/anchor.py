# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains the anchor on poses of films whose latents are spoiled as forecasts spoil them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vera_planner.models.anchor import Anchor

BATCH = 512
BESIDE_FRAMES = 5
"""The latent is drawn towards, or away from, that of a frame so near in its film: the arm is late or early …"""
ELSEWHERE_SHARE = 0.06
"""… by at most this much towards that of any other frame …"""
NOISE = 0.15
"""… and is off by noise of at most this standard deviation."""
MARKS_NOISE = 0.002
"""Of marks, in their own unit: they are what is to be trusted."""


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """Poses of a set of clips."""

    poses: Tensor
    """Shape (N, pose)."""
    clip: Tensor
    """Clip of every pose, shape (N,)."""
    latent: int
    """Length of their latents."""

    def spoiled(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return the poses of an index (B,) with latents that do not quite belong to their marks, (B, pose)."""
        true = self.poses[index]
        count = (len(index), 1)
        beside = (index + torch.randint(-BESIDE_FRAMES, BESIDE_FRAMES + 1, (len(index),), generator=generator)).clamp(
            0, len(self.poses) - 1
        )
        beside = torch.where(self.clip[beside] == self.clip[index], beside, index)
        other = torch.randint(0, len(self.poses), (len(index),), generator=generator)
        latent = true[:, : self.latent]
        spoiled = (
            latent
            + (2 * torch.rand(count, generator=generator) - 1) * (self.poses[beside, : self.latent] - latent)
            + ELSEWHERE_SHARE * torch.rand(count, generator=generator) * (self.poses[other, : self.latent] - latent)
            + NOISE * torch.rand(count, generator=generator) * torch.randn(latent.shape, generator=generator)
        )
        marks = true[:, self.latent :]
        return torch.cat([spoiled, marks + MARKS_NOISE * torch.randn(marks.shape, generator=generator)], dim=1)


def anchor_loss(net: Anchor, data: Poses, generator: torch.Generator) -> Tensor:
    """Squared error of latents, whose numbers count as much as they change the picture."""
    index = torch.randint(0, len(data.poses), (BATCH,), generator=generator)
    made = net(data.spoiled(index, generator))
    loss: Tensor = (made - data.poses[index])[:, : data.latent].square().sum(dim=1).mean()
    return loss


@torch.no_grad()
def anchor_quality(net: Anchor, data: Poses) -> float:
    """Return which share of the squared error of spoiled latents is left."""
    generator = torch.Generator().manual_seed(0)
    index = torch.arange(0, len(data.poses), 3)
    spoiled, true = data.spoiled(index, generator), data.poses[index]
    left, error = ((poses - true)[:, : data.latent].square().sum() for poses in (net(spoiled), spoiled))
    return round(float(left / error), 4)
