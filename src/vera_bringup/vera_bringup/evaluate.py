# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Many independent tasks through the running nodes, one row of figures each, and what they add up to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vera_bringup.asking import SessionError
from vera_bringup.recordings import ExpertClips
from vera_bringup.statistics import median, percentile, wilson_interval
from vera_bringup.supervision import running_system
from vera_bringup.system import PLANNERS, load_system
from vera_bringup.task_run import VIOLATION_KINDS, Episode, EpisodeRow, run_task, topics_for_figures
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, nearest_name_hint

TASKS = ('reach',)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate.

    Raises:
        ConfigError: If a name or number cannot be used.
    """

    robot: str = 'panda'
    task: str = 'reach'
    planner: str = 'embedded'
    episodes: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        for what, name, known in (('task', self.task, TASKS), ('planner', self.planner, PLANNERS)):
            if name not in known:
                raise ConfigError(f"unknown {what} '{name}'; {nearest_name_hint(name, known)}")
        if self.episodes < 1 or self.seed < 0:
            raise ConfigError(f'episodes is {self.episodes} and seed is {self.seed}; need episodes >= 1 and seed >= 0')
        load_embodiment(self.robot)


def draw_episodes(request: EvaluationRequest) -> Iterator[Episode]:
    """Draw scenes, targets and wordings; half of the wordings are ones the planner was never trained on.

    Scene seeds lie above 2^32, where no training data was drawn from.
    """
    from vera_planner.prompts import held_out_sentences, training_sentences
    from vera_sim.clips import clip_target

    for index in range(request.episodes):
        rng = np.random.default_rng([request.seed, index, 91])
        seed = int(rng.integers(2**32, 2**48))
        target = clip_target(seed)
        held_out = index % 2 == 1
        sentences = (held_out_sentences() if held_out else training_sentences())[target.removesuffix('_cube')]
        yield Episode(seed=seed, target=target, prompt=sentences[int(rng.integers(len(sentences)))], held_out=held_out)


def evaluate(
    request: EvaluationRequest, *, log_file: Path | None = None, on_row: Callable[[EpisodeRow], None] = lambda _: None
) -> list[EpisodeRow]:
    """Run all episodes through one running system and return their rows; an episode that breaks is a row with its error.

    Raises:
        SessionError: If the system does not come up. A process that ends later ends the evaluation; the rows so far are returned.
    """
    robot = load_embodiment(request.robot)
    system = load_system(f'{robot.name}_sim', robot=request.robot, planner=request.planner)
    rows: list[EpisodeRow] = []
    with (
        ExpertClips(request.planner) as clips,
        running_system(system, record=topics_for_figures(robot), log_file=log_file) as (processes, session),
    ):
        for episode in draw_episodes(request):
            try:
                row = run_task(session, episode, prepare=clips.prepare)
            except SessionError as error:
                row = EpisodeRow(**asdict(episode), error=str(error))
            deaths = processes.new_deaths()
            if deaths:
                row = replace(row, error='; '.join([row.error, *(death.text for death in deaths)]).strip('; '))
            rows.append(row)
            on_row(row)
            if deaths:
                break
    return rows


def summarise(rows: Sequence[EpisodeRow]) -> dict[str, Any]:
    """Add rows up: shares with their Wilson 95 % interval, medians, sums of violations."""
    latencies = [latency for row in rows for latency in row.latencies_ms]
    return {
        **_share('', rows),
        **_share('training_wordings_', [row for row in rows if not row.held_out]),
        **_share('held_out_wordings_', [row for row in rows if row.held_out]),
        'median_final_distance_mm': _median_of(rows, 'final_distance_mm'),
        'median_time_s': _median_of(rows, 'time_s'),
        'median_duty_cycle': _median_of(rows, 'duty_cycle'),
        'median_plan_latency_s': _median_of(rows, 'plan_latency_s'),
        'image_to_command_p50_ms': median(latencies),
        'image_to_command_p95_ms': percentile(latencies, 95.0),
        'violations': {kind: sum(row.violations.get(kind, 0) for row in rows) for kind in VIOLATION_KINDS},
        'rejected_commands': sum(row.rejected_commands for row in rows),
        'episodes_with_error': sum(bool(row.error) for row in rows),
        'median_real_time_factor': _median_of(rows, 'real_time_factor'),
    }


def _share(prefix: str, rows: Sequence[EpisodeRow]) -> dict[str, Any]:
    successes, count = sum(row.success for row in rows), len(rows)
    if not count:
        return {f'{prefix}episodes': 0}
    low, high = wilson_interval(successes, count)
    return {
        f'{prefix}episodes': count,
        f'{prefix}successes': successes,
        f'{prefix}success_rate': successes / count,
        f'{prefix}wilson_95': [low, high],
    }


def _median_of(rows: Sequence[EpisodeRow], name: str) -> float | None:
    return median([value for row in rows if (value := getattr(row, name)) is not None])


def write_report(path: Path, request: EvaluationRequest, rows: Sequence[EpisodeRow]) -> None:
    """Write request, summary and rows as JSON."""
    document = {'request': asdict(request), 'summary': summarise(rows), 'episodes': [_plain(row) for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + '\n', encoding='utf-8')


def _plain(row: EpisodeRow) -> dict[str, Any]:
    """Return a row without its single latencies, which the percentiles already stand for."""
    plain = asdict(row)
    del plain['latencies_ms']
    return plain
