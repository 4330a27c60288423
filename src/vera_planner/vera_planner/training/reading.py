# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains the reader on sentences alone: every training wording with every training colour, and the same with things that are not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vera_core.goals import Goal, all_goals, held_out_goals, task_names, training_goals
from vera_planner.language import SentenceEncoder
from vera_planner.models.reader import DIRECTIONS, TASKS, THINGS, Reader
from vera_planner.prompts import NOTHING_NAMED, NOTHING_NAMED_HELD_OUT
from vera_planner.reading import ReaderWeights
from vera_planner.training.loop import Progress, StageSettings, run_stage
from vera_planner.wordings import sentences

STRANGE = ('purple', 'pink', 'orange', 'white', 'black', 'brown', 'grey', 'violet', 'turquoise', 'magenta', 'silver', 'beige')
"""Colours of cubes that do not exist: what is asked for is clear, and the thing is not there."""
MANNERS = ('gently', 'slowly', 'carefully', 'softly', 'now', 'please', 'quickly', 'with care', 'once', 'for me', 'if you can', 'right away')
"""Words put behind or before sentences of every task, as they say nothing about what is asked for."""
MANNERED_SHARE = 0.35
EACH = 1200
"""At most so many different sentences of a task are read in a training."""
UNTAUGHT = -100
"""In place of an answer that is not asked for; the cross entropy leaves it out."""
BATCH = 96


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Sentences with what they ask for."""

    tokens: Tensor
    """Shape (N, L, 384)."""
    mask: Tensor
    """Shape (N, L)."""
    wanted: Tensor
    """Shape (N, 4): indices of task, direction, target, onto; UNTAUGHT where any answer will do."""
    group: Tensor
    """Shape (N,): task index, to draw tasks equally often; the last one is for sentences without a task."""


def train_reader(
    folder: Path, *, minutes: float, seed: int, command: str, report: Callable[[Progress], None] = lambda progress: None
) -> tuple[ReaderWeights, Progress]:
    """Train a reader within a time budget; checkpoints in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder = SentenceEncoder()
    torch.manual_seed(seed)
    lessons = make_lessons(encoder, training_lines(np.random.default_rng(seed)))
    generator = torch.Generator().manual_seed(seed)
    net = Reader()
    settings = StageSettings(name='reader', seconds=60 * minutes, learning_rate=1e-3, low_precision=False)
    progress = run_stage(settings, [net], lambda: reader_loss(net, lessons, generator), folder, report=report)
    figures = reading_quality(net, encoder)
    return ReaderWeights(reader=net.eval(), metadata={'command': command, 'seed': seed, 'figures': figures}), progress


def training_lines(rng: np.random.Generator) -> list[tuple[str, Goal]]:
    """Return training sentences with their goals; a thing that is not there gives an empty target or onto, no task an empty task."""
    lines: list[tuple[str, Goal]] = [(sentence, Goal(task='', target='')) for sentence in NOTHING_NAMED]
    for task in task_names():
        own = [(sentence, goal) for goal in training_goals(task) for sentence in sorted(set(sentences(goal, held_out=False)))]
        strange = [pair for goal in all_goals(task) if goal.target != 'cube' for pair in _with_strange_things(goal, rng)]
        lines += [own[i] for i in rng.permutation(len(own))[:EACH]] + [strange[i] for i in rng.permutation(len(strange))[: EACH // 3]]
    return [(_mannered(line, rng), goal) for line, goal in lines]


def _mannered(line: str, rng: np.random.Generator) -> str:
    """Return a sentence, now and then with a word of manner."""
    if rng.random() > MANNERED_SHARE:
        return line
    manner, line = str(rng.choice(MANNERS)), line.removesuffix('.')
    return f'{line} {manner}' if rng.random() < 0.7 else f'{manner} {line}'


def _with_strange_things(goal: Goal, rng: np.random.Generator) -> list[tuple[str, Goal]]:
    """Return a goal's sentences with target, or the other thing, of a colour that no cube has; so none of them asks for a goal held out."""
    out = []
    nameless = [replace(goal, target='_cube')]
    if goal.onto:
        nameless += [replace(goal, onto='_cube'), replace(goal, target='_cube', onto='_cube')]
    for blank in nameless:
        known = sorted(set(sentences(blank, held_out=False)))
        wanted = replace(blank, target='' if blank.target == '_cube' else blank.target, onto='' if blank.onto == '_cube' else blank.onto)
        out += [(_fill(known[i], rng), wanted) for i in rng.permutation(len(known))[:12]]
    return out


def _fill(sentence: str, rng: np.random.Generator) -> str:
    """Write strange colours where a word is left out."""
    for word in rng.choice(STRANGE, 2, replace=False):
        sentence = f'{sentence} '.replace('  ', f' {word} ', 1).strip()
    return sentence


def make_lessons(encoder: SentenceEncoder, lines: Iterable[tuple[str, Goal]]) -> Lessons:
    """Read sentences once."""
    rows = list(lines)
    parts = [encoder.tokens([line for line, _ in rows[start : start + 64]]) for start in range(0, len(rows), 64)]
    longest = max(part.shape[1] for part, _ in parts)
    return Lessons(
        tokens=torch.cat([functional.pad(part, (0, 0, 0, longest - part.shape[1])) for part, _ in parts]),
        mask=torch.cat([functional.pad(mask, (0, longest - mask.shape[1])) for _, mask in parts]),
        wanted=torch.tensor([_indices(goal) for _, goal in rows]),
        group=torch.tensor([TASKS.index(goal.task) if goal.task else len(TASKS) for _, goal in rows]),
    )


def _indices(goal: Goal) -> list[int]:
    if not goal.task:
        return [UNTAUGHT, UNTAUGHT, THINGS.index(''), UNTAUGHT]
    return [TASKS.index(goal.task), DIRECTIONS.index(goal.direction), THINGS.index(goal.target), THINGS.index(goal.onto)]


def reader_loss(net: Reader, lessons: Lessons, generator: torch.Generator) -> Tensor:
    """Sum of the cross entropies of the four answers."""
    task = torch.randint(0, len(TASKS) + 1, (BATCH,), generator=generator)
    chance = (lessons.group[None] == task[:, None]).float()
    index = torch.multinomial(chance, 1, generator=generator)[:, 0]
    length = int(lessons.mask[index].sum(dim=1).max())
    tokens = lessons.tokens[index, :length]
    # Words are dropped now and then, so that no answer hangs on one of them alone.
    mask = lessons.mask[index, :length] * (torch.rand(len(index), length, generator=generator) > 0.05)
    mask[:, 0] = 1.0
    answers = net(tokens + 0.02 * torch.randn(tokens.shape, generator=generator), mask)
    wanted = lessons.wanted[index]
    parts = (answers.task, answers.direction, answers.target, answers.onto)
    return torch.stack([functional.cross_entropy(part, wanted[:, i]) for i, part in enumerate(parts)]).sum()


@torch.no_grad()
def reading_quality(net: Reader, encoder: SentenceEncoder) -> dict[str, Any]:
    """Return, per task, the share of sentences in held-out wordings that are understood whole, for all goals and for held-out ones."""
    figures: dict[str, Any] = {}
    for task in task_names():
        for name, goals in (('all goals', all_goals(task)), ('held-out goals', held_out_goals(task))):
            if goals:
                lines = [(sentence, goal) for goal in goals for sentence in sentences(goal, held_out=True)]
                figures[f'{task}, {name}'] = {'n': len(lines), 'understood': round(_share_understood(net, encoder, lines), 4)}
    none = [net.read(*encoder.tokens([sentence])) for sentence in NOTHING_NAMED_HELD_OUT]
    figures['nothing named'] = {'n': len(none), 'refused': round(float(np.mean([not answer.target for answer in none])), 4)}
    return figures


def _share_understood(net: Reader, encoder: SentenceEncoder, lines: list[tuple[str, Goal]]) -> float:
    lessons = make_lessons(encoder, lines)
    answers = net(lessons.tokens, lessons.mask)
    made = torch.stack([part.argmax(dim=1) for part in (answers.task, answers.direction, answers.target, answers.onto)], dim=1)
    return float((made == lessons.wanted).all(dim=1).float().mean())
