# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math

import pytest

from vera_bringup.evaluate import EvaluationRequest, draw_episodes, summarise, write_report
from vera_bringup.tables import demo_table, episode_line, episodes_table, summary_table
from vera_bringup.task_run import EpisodeRow
from vera_planner.prompts import held_out_sentences, training_sentences

VIOLATIONS = {'position': 0, 'velocity': 0, 'acceleration': 0, 'jerk': 0}


def row(**values) -> EpisodeRow:
    return EpisodeRow(
        **({'seed': 1, 'target': 'red_cube', 'prompt': 'touch the red cube', 'held_out': False, 'violations': VIOLATIONS} | values)
    )


def test_same_seed_draws_the_same_episodes_and_another_seed_others():
    request = EvaluationRequest(episodes=8, seed=3)
    assert list(draw_episodes(request)) == list(draw_episodes(request))
    assert list(draw_episodes(request)) != list(draw_episodes(EvaluationRequest(episodes=8, seed=4)))


def test_every_second_wording_is_one_no_training_saw():
    for index, episode in enumerate(draw_episodes(EvaluationRequest(episodes=40))):
        colour = episode.target.removesuffix('_cube')
        assert episode.held_out == (index % 2 == 1)
        sentences = held_out_sentences() if episode.held_out else training_sentences()
        assert episode.prompt in sentences[colour]
        if episode.held_out:
            assert episode.prompt not in training_sentences()[colour]


def test_all_targets_are_drawn_about_equally_often_and_scenes_are_new():
    episodes = list(draw_episodes(EvaluationRequest(episodes=200)))
    targets = [episode.target for episode in episodes]
    # 200 draws of four: mean 50, standard deviation sqrt(200 * 1/4 * 3/4) = 6.1; four of them are 25.
    assert all(25 <= targets.count(target) <= 75 for target in ('red_cube', 'green_cube', 'blue_cube', 'yellow_cube'))
    assert len({episode.seed for episode in episodes}) == 200
    assert min(episode.seed for episode in episodes) >= 2**32


def test_summary_by_hand():
    rows = [
        row(success=True, final_distance_mm=5.0, time_s=6.0, duty_cycle=0.8, plan_latency_s=0.2, latencies_ms=(50.0, 60.0)),
        row(success=True, final_distance_mm=7.0, time_s=8.0, duty_cycle=0.9, plan_latency_s=0.4, latencies_ms=(70.0,), held_out=True),
        row(error='no answer', violations={**VIOLATIONS, 'jerk': 2}),
        row(final_distance_mm=90.0, time_s=30.0, duty_cycle=0.4, held_out=True, violations={**VIOLATIONS, 'jerk': 1, 'position': 4}),
    ]
    summary = summarise(rows)
    assert (summary['episodes'], summary['successes'], summary['success_rate']) == (4, 2, 0.5)
    assert (summary['held_out_wordings_episodes'], summary['held_out_wordings_successes']) == (2, 1)
    # Of two in four the interval is symmetric about 0.5 with half width 1.95996/1.96037 * sqrt(0.25/4 + 3.8415/64) = 0.34998.
    assert summary['wilson_95'] == pytest.approx([0.15, 0.85], abs=1e-3)
    assert summary['median_final_distance_mm'] == 7.0
    assert summary['median_duty_cycle'] == 0.8
    assert summary['median_plan_latency_s'] == pytest.approx(0.3)
    assert summary['image_to_command_p50_ms'] == 60.0
    assert summary['violations'] == {'position': 4, 'velocity': 0, 'acceleration': 0, 'jerk': 3}
    assert summary['episodes_with_error'] == 1


def test_report_is_plain_json_with_request_summary_and_rows(tmp_path):
    path = tmp_path / 'new' / 'report.json'
    write_report(path, EvaluationRequest(episodes=1, seed=2), [row(success=True, touched=('red_cube',), latencies_ms=(1.0, 2.0))])
    document = json.loads(path.read_text())
    assert document['request'].items() >= {'robot': 'panda', 'task': 'reach', 'planner': 'embedded', 'episodes': 1, 'seed': 2}.items()
    assert document['summary']['successes'] == 1
    assert document['episodes'][0]['touched'] == ['red_cube']
    assert document['episodes'][0]['final_distance_mm'] is None


def test_summary_without_any_figure_has_no_made_up_ones():
    summary = summarise([row(error='sim_node was ended by signal SIGKILL')])
    assert summary['median_time_s'] is None
    assert not any(isinstance(value, float) and math.isnan(value) for value in summary.values())


def test_tables_show_rows_with_and_without_figures(capsys):
    from rich.console import Console

    rows = [row(success=True, final_distance_mm=4.2, outcome='succeeded'), row(error='the planner has not reported', held_out=True)]
    console = Console(width=220)
    console.print(episodes_table(rows))
    console.print(summary_table('title', summarise(rows)))
    console.print(demo_table(rows[0]))
    text = capsys.readouterr().out
    assert '1 of 2 = 50%' in text
    assert episode_line(1, rows[1]).endswith('the planner has not reported')
    assert episode_line(0, rows[0]).endswith('0')
    assert '4.2 mm' in text
