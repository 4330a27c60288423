# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The one training loop of all stages: a time budget, a schedule that follows it, averaged weights, checkpoints to go on from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

CHECKPOINT_EVERY_S = 60.0
AVERAGE_EVERY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """How one stage is trained."""

    name: str
    seconds: float
    """Time budget, s."""
    learning_rate: float
    warm_up: float = 0.02
    """Share of the budget in which the learning rate rises."""
    decay_from: float = 0.5
    """Share of the budget after which the learning rate falls to a fiftieth."""
    max_norm: float = 1.0
    low_precision: bool = True
    """Let convolutions use bfloat16 where the processor has it."""


@dataclass(slots=True)
class Progress:
    """Where a stage stands; reported to the caller after every step."""

    stage: str
    done: float = 0.0
    """Share of the budget used, 0..1."""
    steps: int = 0
    loss: float = float('nan')
    """Running mean."""
    history: list[tuple[float, float]] = field(default_factory=list)
    """(seconds, loss) now and then."""


def fast_low_precision() -> bool:
    """Whether this processor multiplies bfloat16 in hardware; without that, bfloat16 is many times slower than float32."""
    try:
        flags = Path('/proc/cpuinfo').read_text(encoding='utf-8')
    except OSError:
        return False
    return 'avx512_bf16' in flags or 'amx_bf16' in flags


def run_stage(
    settings: StageSettings,
    modules: Iterable[nn.Module],
    loss: Callable[[], Tensor],
    folder: Path,
    *,
    clock: Callable[[], float] = time.monotonic,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Train the modules until the budget is used; afterwards they hold the averaged weights.

    A checkpoint is written about once a minute as `STAGE.safetensors` and `STAGE.json` in `folder`; a stage that was interrupted goes on
    from there, one that was finished returns at once.
    """
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    average = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4, fused=True)
    progress = Progress(stage=settings.name)
    spent = _resume(folder, settings, parameters, average, progress)
    started = saved = clock()
    autocast = settings.low_precision and fast_low_precision()
    while progress.done < 1:
        now = clock()
        elapsed = spent + now - started
        progress.done = min(1.0, elapsed / settings.seconds)
        for group in optimizer.param_groups:
            group['lr'] = settings.learning_rate * _schedule(progress, settings)
        with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
            value = loss()
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.max_norm, foreach=True)
        optimizer.step()
        progress.steps += 1
        number = float(value.detach())
        progress.loss = number if progress.steps < 20 else 0.97 * progress.loss + 0.03 * number
        if progress.steps % AVERAGE_EVERY == 0:
            torch._foreach_lerp_(average, [p.detach() for p in parameters], max(0.03, 8 / (progress.steps + 8)))
        report(progress)
        if now - saved > CHECKPOINT_EVERY_S or progress.done >= 1:
            saved = now
            progress.history.append((round(elapsed, 1), round(progress.loss, 5)))
            _save(folder, progress, elapsed, parameters, average)
    with torch.no_grad():
        for parameter, mean in zip(parameters, average, strict=True):
            parameter.copy_(mean)
    return progress


def _schedule(progress: Progress, settings: StageSettings) -> float:
    if progress.done < settings.warm_up:
        return 0.05 + 0.95 * progress.done / settings.warm_up
    return max(0.02, min(1.0, (1 - progress.done) / (1 - settings.decay_from)))


def _save(folder: Path, progress: Progress, elapsed: float, parameters: Sequence[Tensor], average: Sequence[Tensor]) -> None:
    tensors = {
        f'{kind}.{i}': t.detach().contiguous() for kind, group in (('now', parameters), ('mean', average)) for i, t in enumerate(group)
    }
    partial = folder / f'{progress.stage}.partial'
    save_file(tensors, partial)
    partial.rename(folder / f'{progress.stage}.safetensors')
    state = {'elapsed_s': elapsed, 'done': progress.done, 'steps': progress.steps, 'loss': progress.loss, 'history': progress.history}
    (folder / f'{progress.stage}.json').write_text(json.dumps(state, indent=1), encoding='utf-8')


def _resume(folder: Path, settings: StageSettings, parameters: Sequence[Tensor], average: Sequence[Tensor], progress: Progress) -> float:
    weights, state_file = folder / f'{settings.name}.safetensors', folder / f'{settings.name}.json'
    if not (weights.is_file() and state_file.is_file()):
        return 0.0
    state = json.loads(state_file.read_text(encoding='utf-8'))
    tensors = load_file(weights)
    with torch.no_grad():
        for i, (parameter, mean) in enumerate(zip(parameters, average, strict=True)):
            parameter.copy_(tensors[f'now.{i}'])
            mean.copy_(tensors[f'mean.{i}'])
    progress.steps, progress.loss = int(state['steps']), float(state['loss'])
    progress.history = [(float(a), float(b)) for a, b in state['history']]
    progress.done = min(1.0, float(state['elapsed_s']) / settings.seconds)
    return float(state['elapsed_s'])
