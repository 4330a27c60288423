# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The `vera` command line. Every command imports what it needs when it runs, so that `vera --help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vera_core.errors import VeraError

app = typer.Typer(
    name='vera',
    help='A sentence moves a robot through a video plan, image flow, a Jacobian field and joint velocities.',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={'help_option_names': ['-h', '--help']},
)
train_app = typer.Typer(help='Train a model from data of the simulator or of self-play.', no_args_is_help=True)
app.add_typer(train_app, name='train')

Robot = Annotated[str, typer.Option(help='Embodiment: the name of a shipped robot or the path of a YAML file.')]
Planner = Annotated[str, typer.Option(help='Planner backend: embedded or recorded.')]
Seed = Annotated[int, typer.Option(help='Same seed, same draw.')]


@app.command()
def up(
    system: Annotated[str, typer.Argument(help='Set-up to start, e.g. panda_sim.')] = 'panda_sim',
    robot: Robot = 'panda',
    planner: Planner = 'embedded',
    namespace: Annotated[str, typer.Option(help='Namespace of all nodes.')] = 'vera',
) -> None:
    """Start all nodes of a set-up and keep them running until Ctrl-C."""
    from vera_bringup.foreground import run_in_foreground
    from vera_bringup.system import load_system

    raise typer.Exit(run_in_foreground(load_system(system, robot=robot, planner=planner).with_namespace(namespace)))


@app.command()
def demo(
    prompt: Annotated[str, typer.Option(help='What to do.')] = 'touch the red cube',
    target: Annotated[str, typer.Option(help='Object the success check is about; taken from the prompt when empty.')] = '',
    planner: Planner = 'embedded',
    robot: Robot = 'panda',
    seed: Seed = 7,
    video: Annotated[Path, typer.Option(help='Where the video goes.')] = Path('demo.mp4'),
) -> None:
    """Start the simulated robot, give it a sentence, show what happens, write a video. Exit code 0 only when the task succeeded."""
    from vera_bringup.demo import run_demo

    raise typer.Exit(run_demo(prompt=prompt, target=target, planner=planner, robot_name=robot, seed=seed, video=video))


@app.command()
def evaluate(
    robot: Robot = 'panda',
    task: Annotated[str, typer.Option(help='Task: reach.')] = 'reach',
    planner: Planner = 'embedded',
    episodes: Annotated[int, typer.Option(min=1, help='Number of independent episodes.')] = 30,
    seed: Seed = 0,
    json: Annotated[Path | None, typer.Option(help='File for the report.')] = None,
    log: Annotated[Path | None, typer.Option(help='File for everything the nodes print.')] = None,
) -> None:
    """Run independent episodes through the real nodes and report success with its interval, latencies, duty cycle, violations."""
    from vera_bringup.evaluate import EvaluationRequest
    from vera_bringup.evaluate_show import evaluate_and_show

    request = EvaluationRequest(robot=robot, task=task, planner=planner, episodes=episodes, seed=seed)
    raise typer.Exit(evaluate_and_show(request, report=json, log_file=log))


@app.command()
def prompt(
    sentence: Annotated[str, typer.Argument(help='What to do, e.g. "touch the red cube".')],
    robot: Robot = 'panda',
    namespace: Annotated[str, typer.Option(help='Namespace of the running system.')] = 'vera',
    max_duration: Annotated[float, typer.Option(min=0.0, help='Longest time, s; 0: the default of the executive.')] = 0.0,
) -> None:
    """Give a running system a sentence and show its progress until the task ends."""
    from vera_bringup.prompt import run_prompt

    raise typer.Exit(run_prompt(sentence, robot_name=robot, namespace=namespace, max_duration_s=max_duration))


@app.command()
def collect(
    robot: Robot = 'panda',
    out: Annotated[Path, typer.Option(help='Folder for the recordings (MCAP).')] = Path('data/selfplay'),
    seconds: Annotated[float, typer.Option(min=1.0, help='Length in all, simulated s.')] = 1800.0,
    seed: Seed = 0,
) -> None:
    """Record self-play of the simulated robot: smooth random motion with pictures, measured joints and commands."""
    from vera_bringup.training import collect_selfplay

    raise typer.Exit(collect_selfplay(robot, out, seconds=seconds, seed=seed))


@train_app.command()
def idm(
    robot: Robot = 'panda',
    data: Annotated[Path, typer.Option(help='Folder with self-play; recorded first when there is none.')] = Path('data/selfplay'),
    work: Annotated[Path, typer.Option(help='Folder for labels and checkpoint; a stopped training goes on from there.')] = Path('data/idm'),
    out: Annotated[Path | None, typer.Option(help='Folder for the weights; the one inside the package when left out.')] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help='Time of one core for the training itself, min.')] = 22.0,
    labels: Annotated[str, typer.Option(help='exact: of the simulator; estimated: optical flow alone, as on a robot.')] = 'exact',
    seed: Seed = 0,
) -> None:
    """Train the Jacobian field of a robot on its self-play."""
    from vera_bringup.training import train_field
    from vera_core.errors import ConfigError, nearest_name_hint

    if labels not in ('exact', 'estimated'):
        raise ConfigError(f"unknown labels '{labels}'; {nearest_name_hint(labels, ('exact', 'estimated'))}")
    raise typer.Exit(train_field(robot, data=data, work=work, out=out, minutes=minutes, seed=seed, exact_labels=labels == 'exact'))


@app.command(name='evaluate-idm')
def evaluate_idm(
    robot: Robot = 'panda',
    data: Annotated[Path, typer.Option(help='Folder with held-out self-play; recorded first when there is none.')] = Path(
        'data/selfplay_held_out'
    ),
    weights: Annotated[Path | None, typer.Option(help='Folder with weights; the shipped ones when left out.')] = None,
    pairs: Annotated[int, typer.Option(min=1, help='Pairs of moments to measure on.')] = 240,
    seed: Seed = 0,
    json: Annotated[Path | None, typer.Option(help='File for the report.')] = None,
) -> None:
    """Measure the Jacobian field and the joint motion recovered with it on held-out self-play, beside the exact field."""
    from vera_bringup.training import measure_field

    raise typer.Exit(measure_field(robot, data=data, weights=weights, pairs=pairs, seed=seed, json=json))


@train_app.command()
def planner(
    robot: Robot = 'panda',
    data: Annotated[Path, typer.Option(help="Folder for the expert's videos; missing ones are rendered first.")] = Path('data/clips'),
    work: Annotated[Path, typer.Option(help='Folder for checkpoints; a stopped training goes on from there.')] = Path('data/planner'),
    out: Annotated[Path | None, typer.Option(help='Folder for the weights; the one inside the package when left out.')] = None,
    clips: Annotated[int, typer.Option(min=50, help='Videos to train on.')] = 1400,
    minutes: Annotated[float, typer.Option(min=0.1, help='Time for the training itself, min.')] = 45.0,
    seed: Seed = 0,
) -> None:
    """Train the embedded planner on videos of the simulator's scripted expert."""
    from vera_bringup.training_planner import train

    raise typer.Exit(train(robot, data=data, work=work, out=out, clips=clips, minutes=minutes, seed=seed))


@app.command(name='evaluate-planner')
def evaluate_planner(
    robot: Robot = 'panda',
    data: Annotated[Path, typer.Option(help="Folder for the expert's videos; missing ones are rendered first.")] = Path('data/clips'),
    weights: Annotated[str, typer.Option(help='Weights; those of the package when left out.')] = '',
    clips: Annotated[int, typer.Option(min=1, help='Held-out videos to measure on.')] = 50,
    seed: Seed = 0,
    json: Annotated[Path | None, typer.Option(help='File for the report.')] = None,
) -> None:
    """Measure the dream alone on held-out layouts and wordings: where the hand ends, and how true the pictures are."""
    from vera_bringup.training_planner import measure

    raise typer.Exit(measure(robot, data=data, weights=weights, clips=clips, seed=seed, json=json))


@app.command()
def doctor(robot: Robot = 'panda') -> None:
    """Check what this machine has of what the nodes need."""
    from vera_bringup.doctor import examine

    console = Console(soft_wrap=True)
    failed = 0
    for finding in examine(robot):
        failed += not finding.ok
        console.print(f'{"[green]ok[/]  " if finding.ok else "[red]no[/]  "} [bold]{finding.subject}[/]: ', end='')
        console.print(finding.text, markup=False, highlight=False)
    raise typer.Exit(1 if failed else 0)


def main() -> None:
    """Run the command line; errors in words, exit code 2 for what the caller can correct, 1 for what failed while running."""
    try:
        app()
    except VeraError as error:
        Console(stderr=True, soft_wrap=True).print(f'vera: {error}', markup=False, highlight=False, style='red')
        # SessionError is imported late: at this point ROS is loaded already if it can be one.
        session = sys.modules.get('vera_bringup.asking')
        sys.exit(1 if session is not None and isinstance(error, session.SessionError) else 2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == '__main__':
    main()
