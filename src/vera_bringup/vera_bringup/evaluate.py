# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Many independent tasks through the running nodes, one row of figures each, and what they add up to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vera_bringup.asking import SessionError
from vera_bringup.recordings import ExpertClips
from vera_bringup.statistics import median, percentile, wilson_interval
from vera_bringup.supervision import running_system
from vera_bringup.system import PLANNERS, SYSTEMS, SystemSpec, load_system
from vera_bringup.task_episodes import chance, draw_task_episodes
from vera_bringup.task_run import VIOLATION_KINDS, Episode, EpisodeRow, run_task, topics_for_figures
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError, nearest_name_hint
from vera_core.goals import task_names
from vera_jidm.registry import JACOBIAN_MODELS

TASKS = task_names()


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
    field: str = 'learned'
    """Jacobian field by its registered name; `analytic` is the exact one of the simulator."""
    weights: str = ''
    """Folder with the weights of the field; empty for those of the robot."""

    def __post_init__(self) -> None:
        for what, name, known in (
            ('task', self.task, TASKS),
            ('planner', self.planner, PLANNERS),
            ('field', self.field, JACOBIAN_MODELS.names),
        ):
            if name not in known:
                raise ConfigError(f"unknown {what} '{name}'; {nearest_name_hint(name, known)}")
        if self.episodes < 1 or self.seed < 0:
            raise ConfigError(f'episodes is {self.episodes} and seed is {self.seed}; need episodes >= 1 and seed >= 0')
        load_embodiment(self.robot)


def draw_episodes(request: EvaluationRequest) -> Iterator[Episode]:
    """Draw the episodes of a request; see `draw_task_episodes`."""
    yield from draw_task_episodes(request.task, episodes=request.episodes, seed=request.seed)


def evaluate(
    request: EvaluationRequest, *, log_file: Path | None = None, on_row: Callable[[EpisodeRow], None] = lambda _: None
) -> list[EpisodeRow]:
    """Run all episodes through one running system and return their rows; an episode that breaks is a row with its error.

    Raises:
        SessionError: If the system does not come up. A process that ends later ends the evaluation; the rows so far are returned.
    """
    from vera_sim.tasks import find_task

    robot = load_embodiment(request.robot)
    longest_s = find_task(request.task).max_duration_s
    rows: list[EpisodeRow] = []
    with (
        tempfile.TemporaryDirectory(prefix='vera_field_') as folder,
        ExpertClips(request.planner, request.robot) as clips,
        running_system(_system(request, robot, Path(folder)), record=topics_for_figures(robot), log_file=log_file) as (processes, session),
    ):
        for episode in draw_episodes(request):
            try:
                row = run_task(session, episode, max_duration_s=longest_s, prepare=clips.prepare)
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


def _system(request: EvaluationRequest, robot: Embodiment, folder: Path) -> SystemSpec:
    """Return the simulated set-up with the field of the request, whose files, if it needs any, go into `folder`."""
    # A robot without a set-up of its own is simulated like the Panda.
    name = f'{robot.name}_sim' if f'{robot.name}_sim' in SYSTEMS else 'panda_sim'
    system = load_system(name, robot=request.robot, planner=request.planner)
    if request.field == 'learned' and not request.weights:
        return system
    weights = request.weights
    if request.field == 'analytic' and not weights:
        from vera_bringup.exact_field import write_exact_field

        weights = str(write_exact_field(robot, folder))
    return system.with_parameters('jidm_node', {'field_model': request.field, 'field_weights': weights})


def summarise(rows: Sequence[EpisodeRow]) -> dict[str, Any]:
    """Add rows up: shares with their Wilson 95 % interval, medians, sums of violations."""
    latencies = [latency for row in rows for latency in row.latencies_ms]
    return {
        **_share('', rows),
        **_share('training_wordings_', [row for row in rows if not row.held_out]),
        **_share('held_out_wordings_', [row for row in rows if row.held_out]),
        **_share('training_goals_', [row for row in rows if not row.held_out_goal]),
        **_share('held_out_goals_', [row for row in rows if row.held_out_goal]),
        'chance': chance(rows[0].task) if rows else None,
        'median_final_distance_mm': _median_of(rows, 'final_distance_mm'),
        'median_time_s': _median_of(rows, 'time_s'),
        'median_duty_cycle': _median_of(rows, 'duty_cycle'),
        'median_plan_latency_s': _median_of(rows, 'plan_latency_s'),
        'image_to_command_p50_ms': median(latencies),
        'image_to_command_p95_ms': percentile(latencies, 95.0),
        'violations': {kind: sum(row.violations.get(kind, 0) for row in rows) for kind in VIOLATION_KINDS},
        'rejected_commands': sum(row.rejected_commands for row in rows),
        'late_commands': sum(row.late_commands for row in rows),
        'late_ticks': sum(row.late_ticks for row in rows),
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
