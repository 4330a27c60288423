# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Paints what lies round the marks of a robot once more, at full size: the fingers of a gripper, which a thumbnail does not hold."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOW = 32
"""Edge of the part of the picture that is painted again, px."""
SPOT_PX = 1.2
"""Radius of the spot that shows where a mark is, px."""
SMALLEST = 1e-3
"""Colours and alphas are kept this far from 0 and 1 before their logits are taken."""


class Modulated(nn.Module):
    """Residual 3x3 convolution, scaled and shifted per channel by the latent."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(hidden, 2 * width)
        nn.init.zeros_(self.film.bias)
        nn.init.normal_(self.film.weight, std=0.02)

    def forward(self, features: Tensor, hidden: Tensor) -> Tensor:
        """Return features of the same shape (B, width, h, w)."""
        scale, shift = self.film(hidden)[:, :, None, None].chunk(2, dim=1)
        return features + functional.silu(self.conv(features) * (1 + scale) + shift)


class Refiner(nn.Module):
    """A robot's layer of one view, changed in a window round its marks."""

    def __init__(self, pose: int, marks: int, width: int = 32, blocks: int = 4, hidden: int = 96) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(pose, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.enter = nn.Conv2d(4 + marks, width, 3, padding=1)
        self.blocks = nn.ModuleList(Modulated(width, hidden) for _ in range(blocks))
        self.head = nn.Conv2d(width, 4, 3, padding=1)
        self.head.load_state_dict({name: torch.zeros_like(value) for name, value in self.head.state_dict().items()})

    def forward(self, colour: Tensor, alpha: Tensor, pose: Tensor, marks: Tensor) -> tuple[Tensor, Tensor]:
        """Return colour (B, 3, H, W) and alpha (B, 1, H, W), 0..1, from those without fingers, poses and marks (B, K, 2), px."""
        both = torch.cat([colour, alpha], dim=1)
        rows, cols = window_of(marks, both.shape[2:])
        made = self.paint(cut(both, rows, cols), pose, marks, rows, cols)
        index = torch.arange(len(both))[:, None, None]
        both = both.permute(0, 2, 3, 1).clone()
        both[index, rows[:, :, None], cols[:, None, :]] = made.permute(0, 2, 3, 1)
        both = both.permute(0, 3, 1, 2)
        return both[:, :3], both[:, 3:]

    def paint(self, window: Tensor, pose: Tensor, marks: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        """Return colour and alpha (B, 4, W, W) of windows with rows (B, W) and columns (B, W), from those that are there."""
        hidden = self.trunk(pose)
        spots = spots_in(marks, rows, cols, SPOT_PX)
        features = functional.silu(self.enter(torch.cat([window, spots], dim=1).contiguous(memory_format=torch.channels_last)))
        for block in self.blocks:
            features = block(features, hidden)
        out: Tensor = torch.sigmoid(torch.logit(window, eps=SMALLEST) + self.head(features).float())
        return out


def spots_in(marks: Tensor, rows: Tensor, cols: Tensor, radius: float) -> Tensor:
    """Return pictures (B, K, W, W) of windows with a Gaussian spot of a radius in px at every mark (B, K, 2), px."""
    square = (rows[:, None, :, None] - marks[..., 1, None, None]).square() + (cols[:, None, None, :] - marks[..., 0, None, None]).square()
    return torch.exp(-0.5 * square / radius**2)


def window_of(marks: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Return rows (B, W) and columns (B, W) of the windows in pictures of a shape that have the marks (B, K, 2), px, in the middle, or nearly."""
    first = (marks.mean(dim=1) - (WINDOW - 1) / 2).round().long()
    steps = torch.arange(WINDOW)
    return first[:, 1].clamp(0, shape[0] - WINDOW)[:, None] + steps, first[:, 0].clamp(0, shape[1] - WINDOW)[:, None] + steps


def cut(pictures: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    """Return the parts (B, C, W, W) of pictures (B, C, H, W) with rows (B, W) and columns (B, W)."""
    index = torch.arange(len(pictures))[:, None, None]
    return pictures.permute(0, 2, 3, 1)[index, rows[:, :, None], cols[:, None, :]].permute(0, 3, 1, 2)
