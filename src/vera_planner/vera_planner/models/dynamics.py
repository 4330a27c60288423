# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How the latent moves when the robot goes to a goal: a rectified flow over whole trajectories that predicts the clean one directly.

A trajectory is latents 1..T minus the present one, as whitened principal coefficients. With noise level t and noise e the network sees
`x_t = (1 - t) x + t e` and answers x [Liu et al. 2022, x-prediction]. One step from t = 1 gives the mean plan; more steps give samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

STILL = 1e-4
"""A number of the latent that spreads less than this never moves, and is not scaled."""

NEAR = (1.0, 0.25)
"""Relations are seen at these scales, and only where something lies next to something at the scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicsSize:
    """Shape of the problem and widths of the network."""

    latent: int
    goals: int
    """Numbers that say where the goal is: two per view."""
    horizon: int = 20
    coefficients: int = 160
    width: int = 640
    blocks: int = 4
    relations: int = 0
    """Numbers that tell where one thing is from another, sums of those of state and goal; see `Dynamics.relate`."""


class _Block(nn.Module):
    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width + condition, width)
        self.down = nn.Linear(width, width)
        nn.init.normal_(self.down.weight, std=0.01)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        out: Tensor = x + self.down(functional.silu(self.up(torch.cat([self.norm(x), condition], dim=1))))
        return out


class Dynamics(nn.Module):
    """Conditioned on the present latent, two velocities and the goal's pixels in every view."""

    mean: Tensor
    basis: Tensor
    spread: Tensor
    latent_mean: Tensor
    latent_std: Tensor
    relation: Tensor
    relation_mean: Tensor

    def __init__(self, size: DynamicsSize) -> None:
        super().__init__()
        self.size = size
        flat = size.horizon * size.latent
        self.register_buffer('mean', torch.zeros(flat))
        self.register_buffer('basis', torch.zeros(size.coefficients, flat))
        self.register_buffer('spread', torch.ones(size.coefficients))
        self.register_buffer('latent_mean', torch.zeros(size.latent))
        self.register_buffer('latent_std', torch.ones(size.latent))
        if size.relations:
            self.register_buffer('relation', torch.zeros(size.relations, size.latent + size.goals))
            self.register_buffer('relation_mean', torch.zeros(size.relations))
        condition = 128
        self.enter = nn.Linear(size.coefficients + 3 * size.latent + 2 + size.goals + len(NEAR) * size.relations, size.width)
        self.condition = nn.Sequential(nn.Linear(2 + size.goals + 16, condition), nn.SiLU(), nn.Linear(condition, condition), nn.SiLU())
        self.blocks = nn.ModuleList(_Block(size.width, condition) for _ in range(size.blocks))
        self.leave = nn.Sequential(nn.LayerNorm(size.width), nn.Linear(size.width, size.coefficients))

    def fit(self, trajectories: Tensor, latents: Tensor) -> float:
        """Fit the coefficients to relative trajectories (N, T, latent) and the scaling to latents; return the share of variance kept."""
        flat = trajectories.flatten(1)
        self.mean.copy_(flat.mean(dim=0))
        centred = flat - self.mean
        values, vectors = torch.linalg.eigh((centred.T @ centred / len(flat)).double())
        count = self.size.coefficients
        self.basis.copy_(vectors[:, -count:].flip(1).T.float())
        self.spread.copy_(values[-count:].flip(0).clamp_min(1e-12).sqrt().float())
        self.latent_mean.copy_(latents.mean(dim=0))
        std = latents.std(dim=0)
        self.latent_std.copy_(torch.where(std > STILL, std, 1.0))
        return float(values[-count:].sum() / values.sum())

    def relate(self, relation: Tensor, mean: Tensor) -> None:
        """Let the network see differences of its inputs, which are small beside their spreads just where they matter: where things touch.

        Args:
            relation: What to sum of the numbers of the present state and of the goal, shape (R, latent + goals), in units of a few pixels.
            mean: To be taken from the sums, shape (R,).
        """
        self.relation.copy_(relation)
        self.relation_mean.copy_(mean)

    def compress(self, trajectories: Tensor) -> Tensor:
        """Return whitened coefficients (B, K) of relative trajectories (B, T, latent)."""
        return (trajectories.flatten(1) - self.mean) @ self.basis.T / self.spread

    def expand(self, coefficients: Tensor) -> Tensor:
        """Return relative trajectories (B, T, latent)."""
        flat = coefficients * self.spread @ self.basis + self.mean
        return flat.view(-1, self.size.horizon, self.size.latent)

    def forward(self, noisy: Tensor, level: Tensor, context: Tensor, known: Tensor, goals: Tensor) -> Tensor:
        """Return clean coefficients (B, K).

        Args:
            noisy: Coefficients at noise level t, shape (B, K).
            level: Noise level t, shape (B,), 0 clean to 1 pure noise.
            context: Latents at -2, -1, 0, shape (B, 3, latent); unknown ones hold the nearest known one.
            known: Whether latents -2 and -1 are real, shape (B, 2), 0 or 1.
            goals: Goal pixels over the picture's size, all views, shape (B, 2 V).
        """
        now = (context[:, 2] - self.latent_mean) / self.latent_std
        velocity = (context[:, 1:] - context[:, :-1]) / (0.15 * self.latent_std)
        place = 4 * (goals - 0.5)
        inputs = [noisy * (level[:, None] < 0.999), now, velocity.flatten(1), known, place]
        if self.size.relations:
            apart = torch.cat([context[:, 2], goals], dim=1) @ self.relation.T - self.relation_mean
            inputs += [torch.tanh(apart * gain) for gain in NEAR]
        x = self.enter(torch.cat(inputs, dim=1))
        condition = self.condition(torch.cat([known, place, _waves(level)], dim=1))
        for block in self.blocks:
            x = block(x, condition)
        out: Tensor = self.leave(x)
        return out

    @torch.no_grad()
    def plan(self, context: Tensor, known: Tensor, goals: Tensor, *, steps: int, generator: torch.Generator) -> Tensor:
        """Return latents 1..T, shape (B, T, latent): the mean plan for one step, a sample of the seed for more."""
        noise = torch.randn((len(context), self.size.coefficients), generator=generator)
        x = noise
        for i in range(steps):
            level = 1 - i / steps
            following = 1 - (i + 1) / steps
            clean = self(x, torch.full((len(x),), level), context, known, goals)
            x = clean + following / level * (x - clean)
        return context[:, 2:] + self.expand(x)


def pad_context(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Return the context (1, 3, latent) of the last 1..3 latents (C, latent), and whether the first two are real, shape (1, 2)."""
    missing = 3 - len(latents)
    return torch.cat([latents[:1].expand(missing, -1), latents])[None], torch.tensor([[float(missing < 1), float(missing < 2)]])


def _waves(level: Tensor) -> Tensor:
    angles = level[:, None] * torch.pi * torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    return torch.cat([angles.sin(), angles.cos()], dim=1)
