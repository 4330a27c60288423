# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How often does a sentence become the right motion, when the machine is quick enough? Dreamt or filmed plans, closed loop, on simulated time, without ROS.

    MUJOCO_GL=egl python benchmarks/closed_loop_dreams.py --task push --episodes 100 --json dreams_push.json

The cores of all nodes around the simulated robot, with the episodes of `vera evaluate` and the simulator's own check of success; a dream arrives
0.6 s after its pictures, an estimate 0.07 s after its own. So the figures say what the method does, not how busy the machine was; those of the
running nodes come from `vera evaluate`. `--unchecked` follows every dream. `--direct FOLDER` takes joint steps from a direct network (such as UniPi's, of
two pictures; field_accuracy.py makes them) in place of the field and its inverse, under the same planner, check, gates and bounds. `--planner recorded` follows
the expert's film in place of dreams, the upper bound for any planner; it knows all tasks. About 20 s of one core per episode; a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console
from rich.table import Table

from vera_bringup.closed_loop_dreams import DreamRun, DreamSettings
from vera_bringup.exact_field import write_exact_field
from vera_bringup.recordings import write_clip
from vera_bringup.statistics import median, wilson_interval
from vera_bringup.task_episodes import chance, draw_task_episodes
from vera_bringup.task_run import Episode
from vera_core.embodiment import load_embodiment
from vera_core.goals import task_names
from vera_jidm.direct.model import load_direct
from vera_jidm.executability import PlanCheck, load_calibration
from vera_jidm.registry import JACOBIAN_MODELS
from vera_planner.backends.embedded import EmbeddedPlanner
from vera_planner.backends.recorded import RecordedPlanner
from vera_planner.planner import VideoPlanner
from vera_sim.simulation import Simulation
from vera_sim.tasks import find_task
from vera_sim.world import World


def row_of(episode: Episode, run: DreamRun, longest_s: float) -> dict[str, Any]:
    """Carry an episode out and return what is kept of it."""
    carried = run.do(episode, longest_s)
    return {
        'seed': episode.seed,
        'prompt': episode.prompt,
        'held_out': episode.held_out,
        'held_out_goal': episode.held_out_goal,
        'success': carried.success,
        'check': carried.check,
        'outcome': carried.followed.outcome.code.name.lower(),
        'text': carried.followed.outcome.text,
        'time_s': round(carried.followed.outcome.elapsed_s, 2),
        'duty': round(carried.duty, 3),
        'dreams': carried.dreams,
        'refused': list(carried.refused),
        'dropped': carried.dropped,
        'violations': carried.followed.violations,
        'reason': carried.followed.reason.name,
    }


def summary(rows: Sequence[Mapping[str, Any]], task: str) -> Table:
    """Return the figures of all rows and of the held-out ones."""
    table = Table(title=f'{task}, closed loop without ROS', show_header=False)
    for label, chosen in (
        ('success', list(rows)),
        ('… wordings in training', [row for row in rows if not row['held_out']]),
        ('… wordings held out', [row for row in rows if row['held_out']]),
        ('… goals held out', [row for row in rows if row['held_out_goal']]),
    ):
        if chosen:
            done = sum(bool(row['success']) for row in chosen)
            low, high = wilson_interval(done, len(chosen))
            table.add_row(label, f'{done} of {len(chosen)} = {done / len(chosen):.0%} (95 %: {low:.0%} to {high:.0%})')
    dreams, refused = sum(row['dreams'] for row in rows), sum(len(row['refused']) for row in rows)
    table.add_row('chance', f'{chance(task):.0%}')
    table.add_row('median time', f'{median([row["time_s"] for row in rows]):.1f} s')
    table.add_row('median duty cycle', f'{median([row["duty"] for row in rows]):.0%}')
    table.add_row('plans refused before the first step', f'{refused} of {dreams}')
    table.add_row('plans dropped on their way', str(sum(row['dropped'] for row in rows)))
    table.add_row('commands outside a limit', str(sum(row['violations'] for row in rows)))
    return table


def planner_for(episode: Episode, dreamer: EmbeddedPlanner | None, camera: World | None, folder: Path) -> VideoPlanner:
    """Return who dreams, or with a camera world the player of the expert's film of this episode."""
    if dreamer is not None:
        return dreamer
    assert camera is not None
    write_clip(camera, folder / 'film.npz', episode)
    return RecordedPlanner(camera.robot, str(folder / 'film.npz'))


def main() -> None:
    """Run the episodes that are not in the report yet, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--task', default='reach', choices=task_names())
    parser.add_argument('--planner', default='embedded', choices=('embedded', 'recorded'))
    parser.add_argument('--field', default='learned', choices=('learned', 'analytic'), help='analytic: the exact one of the simulator')
    parser.add_argument('--episodes', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--weights', default='', help='folder of the planner; the shipped ones when left out')
    parser.add_argument('--unchecked', action='store_true', help='follow every dream')
    parser.add_argument('--direct', type=Path, help='folder of a direct network that takes the place of the field')
    parser.add_argument('--json', type=Path, help='file for the rows; those in it are not run again')
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    console = Console(soft_wrap=True, highlight=False)
    task = find_task(arguments.task)
    robot = load_embodiment(task.robot)
    rows: list[dict[str, Any]] = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.is_file() else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exact = write_exact_field(robot, folder) if arguments.field == 'analytic' else None
        field = JACOBIAN_MODELS.make(arguments.field, robot=robot, folder=exact)
        direct = load_direct(arguments.direct, robot) if arguments.direct else None
        dreamer = EmbeddedPlanner(robot, arguments.weights) if arguments.planner == 'embedded' else None
        camera = World(robot) if dreamer is None else None
        check, settings = PlanCheck(robot, field, load_calibration()), DreamSettings(checks=not arguments.unchecked)
        simulation: Simulation | None = None
        for number, episode in enumerate(draw_task_episodes(arguments.task, episodes=arguments.episodes, seed=arguments.seed)):
            if number < len(rows):
                continue
            if simulation is None:
                simulation = Simulation(robot, seed=episode.seed, goal=episode.goal, now_s=0.0)
            else:
                simulation.reset(seed=episode.seed, goal=episode.goal, now_s=0.0)
            planner = planner_for(episode, dreamer, camera, folder)
            run = DreamRun(simulation, field, planner, check, settings, seed=1000 * number, direct=direct)
            rows.append(row_of(episode, run, task.max_duration_s))
            row = rows[-1]
            console.print(f'{number} {row["prompt"]}: {"yes" if row["success"] else "no"}, {row["outcome"]}, {row["time_s"]} s, duty {row["duty"]:.0%}, '
                          f'{len(row["refused"])} of {row["dreams"]} plans refused; {row["check"]}; {row["text"]}')  # fmt: skip
            if arguments.json:
                arguments.json.write_text(json.dumps(rows, indent=1) + '\n', encoding='utf-8')
    console.print(summary(rows, arguments.task))


if __name__ == '__main__':
    main()
