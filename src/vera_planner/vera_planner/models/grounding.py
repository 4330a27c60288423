# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Where in a picture is what the sentence names: a heat map over cells, a sub-cell position, and the chance that nothing is named."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

CELL = 2
"""Pixels per heat map cell."""
SENTENCE = 384
"""Length of a sentence vector."""


@dataclass(frozen=True, slots=True, eq=False)
class Grounded:
    """Goal of one sentence in one view, batched."""

    uv: Tensor
    """Shape (B, 2), px."""
    heat: Tensor
    """Shape (B, h, w): probability per cell; with `nothing` it sums to one."""
    nothing: Tensor
    """Shape (B,): probability that the sentence names nothing in the picture."""


class Grounding(nn.Module):
    """Compares features of every cell with a query made from the sentence; the same weights serve every view."""

    def __init__(self, width: int = 32, features: int = 32, words: int = 4) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            nn.PixelUnshuffle(CELL),
            nn.Conv2d(3 * CELL * CELL, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
        )
        self.coarse = nn.Sequential(
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.SiLU(), nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.SiLU()
        )
        self.join = nn.Sequential(nn.Conv2d(3 * width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, features, 1))
        self.query = nn.Sequential(nn.Linear(SENTENCE, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU())
        self.answer = nn.Linear(128, features + 1)
        # Names the object word itself; only training uses it, to teach the query many sentences at the price of a few numbers.
        self.word = nn.Linear(128, words + 1)

    def features(self, pictures: Tensor) -> Tensor:
        """Return cell features (B, F, H/2, W/2) from pictures (B, 3, H, W), 0..1."""
        fine = self.fine((pictures - 0.5).contiguous(memory_format=torch.channels_last))
        coarse = functional.interpolate(self.coarse(fine), scale_factor=2, mode='bilinear', align_corners=False)
        out: Tensor = self.join(torch.cat([fine, coarse], dim=1))
        return out

    def logits(self, features: Tensor, sentences: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits per cell (B, h, w) and of "nothing named" (B,) from features (B, F, h, w) and sentence vectors (B, 384)."""
        query = self.answer(self.query(sentences)).float()
        return torch.einsum('bfhw,bf->bhw', features.float(), query[:, :-1]), query[:, -1]

    def forward(self, pictures: Tensor, sentences: Tensor) -> Grounded:
        """Ground one sentence per picture."""
        return read_heat(*self.logits(self.features(pictures), sentences))


def read_heat(logits: Tensor, nothing: Tensor) -> Grounded:
    """Turn logits (B, h, w) and (B,) into probabilities and a position: the mean over 5 x 5 cells round the strongest one."""
    count, rows, cols = logits.shape
    every = torch.softmax(torch.cat([logits.flatten(1), nothing[:, None]], dim=1), dim=1)
    heat = every[:, :-1].view(count, rows, cols)
    peak = heat.flatten(1).argmax(dim=1)
    row, col = peak // cols, peak % cols
    grid_v = torch.arange(rows, dtype=torch.float32)
    grid_u = torch.arange(cols, dtype=torch.float32)
    window = ((grid_v[None] - row[:, None]).abs() <= 2)[:, :, None] & ((grid_u[None] - col[:, None]).abs() <= 2)[:, None]
    near = heat * window
    mass = near.sum(dim=(1, 2)).clamp_min(1e-12)
    u = (near.sum(dim=1) * grid_u).sum(dim=1) / mass
    v = (near.sum(dim=2) * grid_v).sum(dim=1) / mass
    uv = torch.stack([u, v], dim=1) * CELL + (CELL - 1) / 2
    return Grounded(uv=uv, heat=heat, nothing=every[:, -1])
