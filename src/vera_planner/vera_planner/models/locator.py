# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads the fingertip's pixels from a robot latent. For evaluation only: no planner asks it."""

from __future__ import annotations

from torch import Tensor, nn


class Locator(nn.Module):
    """Latent to fingertip pixels of all views."""

    def __init__(self, latent: int, views: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(latent, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, 2 * views))

    def forward(self, latent: Tensor) -> Tensor:
        """Return pixels over the picture's size, (B, 2 V), from latents (B, latent)."""
        out: Tensor = self.body(latent)
        return out
