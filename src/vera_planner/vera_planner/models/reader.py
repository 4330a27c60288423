# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a sentence asks for: which task, which way, which thing, onto which other thing.

Each question looks at the sentence's tokens with attention of its own, so that "the red cube on the blue one" and its reverse, which are nearly
the same as one vector of the whole sentence, are told apart, also for pairs of colours that no training put together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

TASKS = ('reach', 'push', 'pick', 'stack', 'rotate')
"""Answers to "which task"; a sentence that asks for none names no thing either."""
DIRECTIONS = ('left', 'right', 'away', 'towards', 'clockwise', 'counter-clockwise', '')
THINGS = ('red_cube', 'green_cube', 'blue_cube', 'yellow_cube', 'cube', '')
"""Answers to "which thing" and "onto which"; `cube` has no colour."""
TOKEN = 384
"""Length of a token's vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a sentence asks for, each with its probability, 0..1."""

    task: str
    direction: str
    target: str
    onto: str
    sure: tuple[float, float, float, float]
    """Probabilities of the four answers, in this order."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Logits for a batch of sentences."""

    task: Tensor
    """Shape (B, tasks)."""
    direction: Tensor
    """Shape (B, directions)."""
    target: Tensor
    """Shape (B, things)."""
    onto: Tensor
    """Shape (B, things)."""


class Reader(nn.Module):
    """Answers four questions about a sentence."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Linear(TOKEN, width), nn.SiLU(), nn.Linear(width, 4))
        self.task = _head(2 * TOKEN, width, len(TASKS))
        self.direction = _head(TOKEN, width, len(DIRECTIONS))
        # One head for both things: a colour is the same word wherever it stands.
        self.thing = _head(TOKEN, width, len(THINGS))

    def forward(self, tokens: Tensor, mask: Tensor) -> Answers:
        """Return logits from token vectors (B, L, 384) and a mask (B, L), 1 where there is a token."""
        weights = torch.softmax(self.look(tokens).masked_fill(mask[:, :, None] == 0, -1e4), dim=1)
        parts = torch.einsum('blr,blf->brf', weights, tokens)
        whole = (tokens * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return Answers(
            task=self.task(torch.cat([parts[:, 0], whole], dim=1)),
            direction=self.direction(parts[:, 1]),
            target=self.thing(parts[:, 2]),
            onto=self.thing(parts[:, 3]),
        )

    @torch.no_grad()
    def read(self, tokens: Tensor, mask: Tensor) -> Asked:
        """Return what one sentence asks for: token vectors (1, L, 384) and mask (1, L)."""
        answers = self(tokens, mask)
        words, sure = [], []
        for logits, names in ((answers.task, TASKS), (answers.direction, DIRECTIONS), (answers.target, THINGS), (answers.onto, THINGS)):
            chances = torch.softmax(logits[0], dim=0)
            best = int(chances.argmax())
            words.append(names[best])
            sure.append(float(chances[best]))
        return Asked(task=words[0], direction=words[1], target=words[2], onto=words[3], sure=(sure[0], sure[1], sure[2], sure[3]))


def _head(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, outputs))
