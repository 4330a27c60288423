# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the terminal shows: tables of episodes and of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from vera_bringup.task_run import EpisodeRow


def number(value: float | None, unit: str = '', *, digits: int = 0, scale: float = 1.0) -> str:
    """Write a figure with its unit; a dash where there is none."""
    return '–' if value is None else f'{value * scale:.{digits}f}{f" {unit}" if unit else ""}'


def demo_table(row: EpisodeRow) -> Table:
    """Show one task."""
    table = Table(title='demo', show_header=False, min_width=64)
    for name, text in (
        ('task', f'"{row.prompt}"'),
        ('success (simulator)', '[green]yes[/]' if row.success else '[red]no[/]'),
        ('task ended', row.outcome + (f': {row.error}' if row.error else '')),
        ('touched', ', '.join(row.touched) or 'nothing'),
        ('final distance', number(row.final_distance_mm, 'mm', digits=1)),
        ('time', number(row.time_s, 's', digits=1)),
        ('image-to-command latency', f'{number(row.latency_p50_ms, "ms")} median, {number(row.latency_p95_ms, "ms")} 95th percentile'),
        ('duty cycle', number(row.duty_cycle, '%', scale=100)),
        ('plan latency', f'{number(row.plan_latency_s, "s", digits=2)} median of {row.plans} plans'),
        ('limit violations', _violations(row.violations)),
        ('real-time factor of the simulation', number(row.real_time_factor, digits=2)),
    ):
        table.add_row(name, text)
    return table


def episodes_table(rows: Sequence[EpisodeRow]) -> Table:
    """Show one line per episode."""
    table = Table(title='episodes')
    for heading in ('#', 'prompt', 'wording', 'success', 'distance', 'time', 'duty', 'dream', 'latency p50/p95', 'violations'):
        table.add_column(heading, no_wrap=True, overflow='ellipsis', max_width=34)
    for index, row in enumerate(rows):
        table.add_row(*_cells(index, row))
    return table


def episode_line(index: int, row: EpisodeRow) -> str:
    """Write one episode as a line, with what went wrong."""
    remark = row.error or ('' if row.outcome == 'succeeded' else row.outcome) or ('' if row.success else row.check)
    return ' │ '.join([*_cells(index, row), *([remark] if remark else [])])


def _cells(index: int, row: EpisodeRow) -> tuple[str, ...]:
    return (
        str(index),
        row.prompt,
        'held out' if row.held_out else 'training',
        '[green]yes[/]' if row.success else '[red]no[/]',
        number(row.final_distance_mm, 'mm'),
        number(row.time_s, 's', digits=1),
        number(row.duty_cycle, '%', scale=100),
        number(row.plan_latency_s, 's', digits=2),
        f'{number(row.latency_p50_ms)}/{number(row.latency_p95_ms)} ms',
        str(row.total_violations),
    )


def summary_table(title: str, summary: Mapping[str, Any]) -> Table:
    """Show what the episodes add up to."""
    table = Table(title=title, show_header=False)
    kinds = [('', 'success'), ('training_wordings_', '… training wordings'), ('held_out_wordings_', '… held-out wordings')]
    if summary['held_out_goals_episodes']:
        kinds += [('training_goals_', '… goals in training'), ('held_out_goals_', '… goals held out')]
    for prefix, label in kinds:
        if summary[f'{prefix}episodes']:
            low, high = summary[f'{prefix}wilson_95']
            share = f'{summary[f"{prefix}successes"]} of {summary[f"{prefix}episodes"]} = {summary[f"{prefix}success_rate"]:.0%}'
            table.add_row(label, f'{share} (95 %: {low:.0%} to {high:.0%})')
    table.add_row('chance: the right thing by drawing it', number(summary['chance'], '%', scale=100, digits=1))
    table.add_row('median final distance', number(summary['median_final_distance_mm'], 'mm', digits=1))
    table.add_row('median time', number(summary['median_time_s'], 's', digits=1))
    table.add_row('median duty cycle', number(summary['median_duty_cycle'], '%', scale=100))
    table.add_row('median plan latency', number(summary['median_plan_latency_s'], 's', digits=2))
    table.add_row(
        'image-to-command latency',
        f'{number(summary["image_to_command_p50_ms"], "ms")} median, {number(summary["image_to_command_p95_ms"], "ms")} 95th percentile',
    )
    table.add_row('limit violations', _violations(summary['violations']))
    table.add_row('commands too late for the driver', f'{summary["late_commands"]}, {summary["late_ticks"]} ticks outside a limit')
    table.add_row('episodes with an error', str(summary['episodes_with_error']))
    return table


def _violations(violations: Mapping[str, int]) -> str:
    return ', '.join(f'{kind} {count}' for kind, count in violations.items()) or 'not measured'
