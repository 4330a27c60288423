# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole stack for a long time: does memory grow, is a stop ever missed, do rates hold, is a good task ever stopped?

    python benchmarks/soak.py --minutes 30 --json soak.json

Tasks of `vera evaluate` one after the other through one running system; every fourth is stopped while the arm moves. Nothing is wrong in the others:
a hold that brings the moving arm to rest and a latched stop are false stops; holds that only slow it, and holds of an arm that rests and waits, are
counted apart, all by reason. `make nightly` runs ten minutes.
Returns 1 when something is not as it should be: memory that grows by more than 5 % after the first quarter, a stop that takes more than 0.5 s to
rest, joint states at less than 80 % of their usual rate, a process that ends, a command outside a limit, a latched stop nobody asked for. Commands
that reach the simulated driver after it has run past where they begin (it was sent 0.1 s ahead) are counted apart, with the driver ticks outside a
limit that follow.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from vera_bringup.evaluate import EvaluationRequest, draw_episodes
from vera_bringup.false_stops import Kind
from vera_bringup.recordings import ExpertClips
from vera_bringup.soak import SoakReport, soak, topics_for_soak
from vera_bringup.supervision import isolate, running_system
from vera_bringup.system import load_system
from vera_core.embodiment import load_embodiment


def main() -> int:
    """Run, print a line per task and the table of memory at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=30.0)
    parser.add_argument('--planner', default='embedded')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    isolate()
    request = EvaluationRequest(planner=options.planner, episodes=100_000, seed=options.seed)
    system = load_system('panda_sim', planner=options.planner)

    def show(report: SoakReport) -> None:
        total = sum(sizes[-1] for sizes in report.memory_mb.values() if sizes)
        rest = f', rest after {report.rest_s[-1]:.2f} s' if report.outcomes and report.outcomes[-1] == 'stopped' and report.rest_s else ''
        last = report.outcomes[-1] if report.outcomes else 'none'
        print(
            f'{report.times_s[-1] if report.times_s else 0:6.0f} s  task {len(report.outcomes):4} {last}{rest}  {total:.0f} MB', flush=True
        )
        if options.json:
            options.json.write_text(json.dumps(report.as_dict(), indent=1) + '\n', encoding='utf-8')

    with (
        ExpertClips(options.planner) as clips,
        running_system(system, record=topics_for_soak(load_embodiment(system.robot))) as (processes, session),
    ):
        report = soak(processes, session, draw_episodes(request), 60.0 * options.minutes, prepare=clips.prepare, on_task=show)
    for name, (warm, last) in sorted(report.grown().items()):
        print(f'{name:18} {warm:8.1f} MB after warm-up {last:8.1f} MB at the end {last / warm - 1:+7.1%}')
    summary = report.as_dict()
    print(
        ', '.join(
            f'{name} {summary[name]}'
            for name in (
                'tasks',
                'succeeded',
                'stops',
                'longest_rest_s',
                'joint_states_hz',
                'estimates_hz',
                'violations',
                'late_commands',
                'late_ticks',
            )
        )
    )
    print('tasks nobody stopped:', ', '.join(f'{name} {value}' for name, value in summary['good'].items()))
    for episode in report.good:
        for hold in (*episode.held(Kind.STOP), *episode.held(Kind.SLOWDOWN)):
            speeds = f'{hold.speed_before_rad_s:.2f} to {hold.speed_least_rad_s:.2f} rad/s'
            print(f'false {hold.kind} in episode {episode.seed}, {hold.seconds:.2f} s, {speeds}: {hold.text}')
    print(*(report.complaints() or ['no complaints']), sep='\n')
    return bool(report.complaints())


if __name__ == '__main__':
    sys.exit(main())
