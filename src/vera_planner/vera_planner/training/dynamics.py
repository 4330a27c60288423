# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains the latent dynamics on every window of every clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vera_planner.models.dynamics import Dynamics
from vera_planner.training.dataset import ClipSet

PURE_NOISE_SHARE = 0.3
GOAL_NOISE_PX = 0.5
CONTEXT_NOISE = 0.04
"""Noise on context latents, in units of the latent's average spread: what the spotter gets wrong on a real picture."""
APART_SHARE, APART_STEPS = 0.3, 8
"""Share of samples in which arm and fingers are not where they are together in any film, and by how many steps at most."""
START_AGAIN_SHARE = 0.03
"""Share of samples shown as if the planner had only just started: no earlier frames."""
SLOWED_SHARE = 0.3
"""Share of samples whose past motion is scaled down to between half and all: a robot that follows slower than the expert moved."""
UNTOLD_SHARE = 0.1
"""Share of what may be missing of goals that is missing."""
FROM_REST_SHARE = 0.2
"""Share of samples at the start of a clip; in half of them the planner has watched the arm stand still before."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """All windows of a data set: rows of the latents, by index."""

    latents: Tensor
    """Shape (N, latent)."""
    past: Tensor
    """Shape (W, 3): rows at -2, -1, 0; the first row of the clip stands for what lies before it."""
    known: Tensor
    """Shape (W, 2): 1 where rows -2 and -1 are real."""
    future: Tensor
    """Shape (W, T): rows 1..T; the last row of the clip stands for what lies after it."""
    goals: Tensor
    """Shape (W, G): goal pixels over the picture's size, 2 V of them, or what else tells the goal."""
    firsts: Tensor
    """Indices of the windows at the start of a clip."""
    doubt: Tensor | None = None
    """Shape (N, latent): standard deviation of what is wrong with a row in the same way for all of a context; None where nothing is."""
    parts: tuple[Tensor, Tensor] | None = None
    """What of every row is said about the fingers, and about the object, (N, latent) each and zero elsewhere; the rest is about the arm. None for
    robots without fingers of their own."""
    optional: int = 0
    """So many numbers at the end of a goal may not be known, and are 0 then."""

    goal_noise_px: float = GOAL_NOISE_PX

    def apart(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return contexts (B, 3, latent) of windows in which either the fingers or the arm are up to `APART_STEPS` ahead of all else.

        A robot that follows a film is late with its arm, or with its fingers; the film never shows it so. What it should do then is what belongs to
        whichever is behind: fingers that close before the hand is down open again.
        """
        assert self.parts is not None
        past, last = self.past[index], self.future[index, -1:]
        ahead = torch.minimum(past + torch.randint(1, APART_STEPS + 1, (len(index), 1), generator=generator), last)
        fingers_lead = torch.rand((len(index), 1, 1), generator=generator) < 0.5
        fingers, thing = self.parts
        arm = self.latents - fingers - thing
        return torch.where(fingers_lead, arm[past] + fingers[ahead], arm[ahead] + fingers[past]) + thing[past]


def target_pixels(clips: ClipSet) -> Tensor:
    """Return the pixels of every clip's target at its start over the picture's size, all views, shape (C, 2 V)."""
    rows, cols = next(iter(clips.frames.values())).shape[1:3]
    clip = np.arange(len(clips.target))
    uv = np.concatenate([clips.cubes[view][clip, clips.target] / np.array([cols, rows]) for view in clips.views], axis=1)
    return torch.from_numpy(uv).float()


def make_windows(clips: ClipSet, latents: Tensor, horizon: int, goals_of_clips: Tensor | None = None) -> Windows:
    """Cut clips into windows, one per frame except the last.

    Args:
        clips: The data.
        latents: Of all frames, shape (T, latent).
        horizon: Frames ahead.
        goals_of_clips: What tells the goal of every clip, shape (C, G); None for the pixels of its target.
    """
    past, known, future, goals = [], [], [], []
    goals_of_clips = target_pixels(clips) if goals_of_clips is None else goals_of_clips
    for clip, (first, end) in enumerate(zip(clips.start[:-1].tolist(), clips.start[1:].tolist(), strict=True)):
        for now in range(first, end - 1):
            past.append([max(first, now - 2), max(first, now - 1), now])
            known.append([float(now - 2 >= first), float(now - 1 >= first)])
            future.append([min(end - 1, now + k) for k in range(1, horizon + 1)])
            goals.append(goals_of_clips[clip])
    firsts = torch.tensor([i for i, before in enumerate(known) if before[1] == 0.0])
    return Windows(latents, torch.tensor(past), torch.tensor(known), torch.tensor(future), torch.stack(goals), firsts)


def dynamics_loss(net: Dynamics, windows: Windows, index: Tensor, generator: torch.Generator, picture_px: float) -> Tensor:
    """Variance-weighted squared error of the clean coefficients, relative to predicting the mean; 1 is useless, 0 is perfect."""
    count = len(index)
    at_rest = torch.rand(count, generator=generator) < FROM_REST_SHARE
    chosen = windows.firsts[torch.randint(0, len(windows.firsts), (count,), generator=generator)]
    index = torch.where(at_rest, chosen, index)
    context = windows.latents[windows.past[index]]
    if windows.parts is not None:
        is_apart = torch.rand((count, 1, 1), generator=generator) < APART_SHARE
        context = torch.where(is_apart, windows.apart(index, generator), context)
    clean = net.compress(windows.latents[windows.future[index]] - context[:, 2:])
    known = windows.known[index].clone()
    again = torch.rand(count, generator=generator) < START_AGAIN_SHARE
    known[again] = 0.0
    # The first row of a clip stands for what lies before it, so calling it known says: the arm stood still.
    known[at_rest & (torch.rand(count, generator=generator) < 0.5)] = 1.0
    slow = torch.where(
        torch.rand(count, generator=generator) < SLOWED_SHARE, 0.5 + 0.5 * torch.rand(count, generator=generator), torch.ones(count)
    )
    now = context[:, 2:]
    back = (context - now) * slow[:, None, None] * torch.cat([known, torch.ones(count, 1)], dim=1)[:, :, None]
    noisy_context = now + back + CONTEXT_NOISE * torch.randn(context.shape, generator=generator)
    if windows.doubt is not None:
        noisy_context = (
            noisy_context + (windows.doubt[windows.past[index, 2]] * torch.randn(count, context.shape[2], generator=generator))[:, None]
        )
    noisy_context = torch.where(torch.cat([known, torch.ones(count, 1)], dim=1)[:, :, None] > 0, noisy_context, noisy_context[:, 2:])
    goals = windows.goals[index] + windows.goal_noise_px / picture_px * torch.randn(count, windows.goals.shape[1], generator=generator)
    if windows.optional:
        untold = torch.rand((count, windows.optional), generator=generator) < UNTOLD_SHARE
        goals[:, -windows.optional :] = torch.where(untold, 0.0, goals[:, -windows.optional :])
    level = torch.rand(count, generator=generator)
    level = torch.where(torch.rand(count, generator=generator) < PURE_NOISE_SHARE, torch.ones(count), level)
    noise = torch.randn(clean.shape, generator=generator)
    mixed = (1 - level[:, None]) * clean + level[:, None] * noise
    made = net(mixed, level, noisy_context, known, goals)
    weight = net.spread.square() / net.spread.square().sum()
    total: Tensor = ((made.float() - clean).square() * weight).sum(dim=1).mean()
    return total


@torch.no_grad()
def dynamics_quality(net: Dynamics, windows: Windows, *, steps: int = 1) -> dict[str, float]:
    """Return squared errors of whole trajectories and of the last frame over those of standing still."""
    generator = torch.Generator().manual_seed(0)
    made = net.plan(windows.latents[windows.past], windows.known, windows.goals, steps=steps, generator=generator)
    true = windows.latents[windows.future]
    still = windows.latents[windows.past[:, 2:]]
    error, motion = (made - true).square().sum(dim=2), (still - true).square().sum(dim=2)
    return {'error': float(error.mean() / motion.mean()), 'last_frame_error': float(error[:, -1].mean() / motion[:, -1].mean())}
