# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads the marks of a robot, points on its fingers, from pictures: roughly from the latent, then exactly from the picture round there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from vera_planner.models.robot_layer import MARK_PX

CROP = 24
"""Edge of the part of the picture that is looked at, px."""
REACH = 8.0
"""Outputs of the rough guess are in units of this many MARK_PX."""


class MarkReader(nn.Module):
    """Marks of all views from pictures, clean plates and latents."""

    def __init__(self, views: tuple[str, ...], shape: tuple[int, int], latent: int, marks: int) -> None:
        super().__init__()
        self.views, self.shape, self.marks = views, shape, marks
        outputs = 2 * marks * len(views)
        self.rough = nn.Sequential(nn.Linear(latent, 128), nn.SiLU(), nn.Linear(128, outputs))
        self.looks = nn.ModuleDict(
            {
                view: nn.Sequential(
                    nn.Conv2d(6, 24, 3, padding=1),
                    nn.SiLU(),
                    nn.Conv2d(24, 32, 3, stride=2, padding=1),
                    nn.SiLU(),
                    nn.Conv2d(32, 32, 3, stride=2, padding=1),
                    nn.SiLU(),
                    nn.Flatten(),
                    nn.Linear(32 * (CROP // 4) ** 2, 64),
                    nn.SiLU(),
                )
                for view in views
            }
        )
        self.join = nn.Sequential(nn.Linear(64 * len(views) + latent, 128), nn.SiLU(), nn.Linear(128, outputs))

    def guess(self, latent: Tensor) -> Tensor:
        """Return rough marks (B, V, K, 2), px, from latents (B, latent)."""
        middle = torch.tensor([self.shape[1] / 2, self.shape[0] / 2])
        out: Tensor = self.rough(latent).unflatten(1, (len(self.views), self.marks, 2)) * (REACH * MARK_PX) + middle
        return out

    def look(self, pictures: Mapping[str, Tensor], plates: Mapping[str, Tensor], latent: Tensor, centres: Tensor) -> Tensor:
        """Return marks (B, V, K, 2), px, from pictures (B, 3, H, W), 0..1, looked at round centres (B, V, 2), px."""
        seen = [
            look(crop(torch.cat([pictures[view] - plates[view], pictures[view] - 0.5], dim=1), centres[:, number]))
            for number, (view, look) in enumerate(self.looks.items())
        ]
        away: Tensor = self.join(torch.cat([*seen, latent], dim=1)).unflatten(1, (len(self.views), self.marks, 2))
        return centres[:, :, None] + MARK_PX * away

    def forward(self, pictures: Mapping[str, Tensor], plates: Mapping[str, Tensor], latent: Tensor) -> Tensor:
        """Return marks (B, V, K, 2), px, from pictures (B, 3, H, W), 0..1, plates (1, 3, H, W) and latents (B, latent)."""
        return self.look(pictures, plates, latent, self.guess(latent).mean(dim=2))


def crop(pictures: Tensor, centres: Tensor) -> Tensor:
    """Return the parts (B, C, CROP, CROP) of pictures (B, C, H, W) round centres (B, 2), px; zero outside of the picture."""
    rows, cols = pictures.shape[2:]
    steps = torch.arange(CROP) - (CROP - 1) / 2
    v, u = torch.meshgrid(steps, steps, indexing='ij')
    at = torch.stack([u, v], dim=-1) + centres[:, None, None]
    grid = 2 * at / torch.tensor([cols - 1, rows - 1]) - 1
    return functional.grid_sample(pictures, grid, mode='bilinear', padding_mode='zeros', align_corners=True)
