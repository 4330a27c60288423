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
robot_app = typer.Typer(help='Bring a robot of your own.', no_args_is_help=True)
app.add_typer(robot_app, name='robot')

Robot = Annotated[str, typer.Option(help='Embodiment: the name of a shipped robot or the path of a YAML file.')]
Planner = Annotated[str, typer.Option(help='Planner backend: embedded or recorded.')]
TASKS = ('follow', 'reach')
Seed = Annotated[int, typer.Option(help='Same seed, same draw.')]


@app.command()
def up(
    system: Annotated[str, typer.Argument(help='Set-up to start: panda_sim or allegro_sim.')] = 'panda_sim',
    robot: Annotated[str, typer.Option(help="Embodiment, by name or path; the set-up's own when left out.")] = '',
    planner: Annotated[str, typer.Option(help="Planner backend: embedded or recorded; the set-up's own when left out.")] = '',
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
    task: Annotated[str, typer.Option(help='reach: through the running nodes; follow: random motions from video, without ROS.')] = 'reach',
    planner: Planner = 'embedded',
    episodes: Annotated[int, typer.Option(min=1, help='Number of independent episodes.')] = 30,
    seed: Seed = 0,
    json: Annotated[Path | None, typer.Option(help='File for the report.')] = None,
    log: Annotated[Path | None, typer.Option(help='File for everything the nodes print.')] = None,
    field: Annotated[str, typer.Option(help='Task follow: Jacobian field by name; analytic: the exact one of the simulator.')] = 'learned',
    weights: Annotated[str, typer.Option(help='Task follow: folder with the weights of the field; those of the robot when left out.')] = '',
) -> None:
    """Run independent episodes and report success with its interval. Task reach: latencies, duty cycle and violations, through the real nodes.

    Task follow films random joint motions of any simulated robot and follows the videos closed loop, without ROS: how near it ends.
    """
    from vera_core.errors import ConfigError, nearest_name_hint

    if task not in TASKS:
        raise ConfigError(f"unknown task '{task}'; {nearest_name_hint(task, TASKS)}")
    if task == 'follow':
        from vera_bringup.closed_loop_run import FollowRequest, follow_and_show

        wanted = FollowRequest(robot=robot, field=field, weights=weights, episodes=episodes, seed=seed)
        raise typer.Exit(follow_and_show(wanted, report=json))
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
    out: Annotated[Path | None, typer.Option(help='Folder for the recordings (MCAP); data/ROBOT/selfplay when left out.')] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help='Length in all, simulated s.')] = 1800.0,
    seed: Seed = 0,
) -> None:
    """Record self-play of the simulated robot: smooth random motion with pictures, measured joints and commands."""
    from vera_bringup.training import collect_selfplay, data_folder

    raise typer.Exit(collect_selfplay(robot, out or data_folder(robot, 'selfplay'), seconds=seconds, seed=seed))


@robot_app.command(name='add')
def robot_add(
    description: Annotated[Path, typer.Argument(help='URDF or MJCF file.')],
    name: Annotated[str, typer.Option(help='Name of the robot; that of the description when left out.')] = '',
    out: Annotated[Path | None, typer.Option(help='File to write; NAME.yaml here when left out.')] = None,
    overwrite: Annotated[bool, typer.Option('--overwrite', help='Replace a file that is there.')] = False,
) -> None:
    """Write the YAML file of a robot from its description: joints, limits, home pose, two cameras. Says what it guessed."""
    from vera_bringup.robot_add import add_and_show

    raise typer.Exit(add_and_show(description, name=name, out=out, overwrite=overwrite))


@train_app.command()
def idm(
    robot: Robot = 'panda',
    data: Annotated[
        Path | None, typer.Option(help='Folder with self-play, recorded first when there is none; data/ROBOT/selfplay when left out.')
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help='Folder for labels and checkpoint, to go on from there; data/ROBOT/idm when left out.')
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help='Folder for the weights; when left out inside the package, or ROBOT_field beside its YAML file.')
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help='Time of one core for the training itself, min.')] = 22.0,
    labels: Annotated[str, typer.Option(help='exact: of the simulator; estimated: optical flow alone, as on a robot.')] = 'exact',
    head: Annotated[str, typer.Option(help='Network by the name of its head: links, unet or pretrained.')] = 'links',
    joints: Annotated[bool, typer.Option(help='Tell the field the measured joints, or let it read the posture off the picture.')] = True,
    backbone: Annotated[str | None, typer.Option(help='Folder or model id of the backbone of head pretrained.')] = None,
    tune_backbone: Annotated[bool, typer.Option('--tune-backbone', help='Train the backbone too.')] = False,
    weight: Annotated[list[str] | None, typer.Option(help='Weight of a loss, name=value; 0 switches it off. May be repeated.')] = None,
    threads: Annotated[int, typer.Option(help='Threads of the training, 1 or 2.')] = 1,
    precision: Annotated[str, typer.Option(help='fp32, or bf16 on processors that have units for it.')] = 'fp32',
    seed: Seed = 0,
) -> None:
    """Train the Jacobian field of a robot on its self-play; ends with a report page."""
    from vera_bringup.training import FieldRequest, data_folder, train_field
    from vera_jidm.training.precision import to_precision
    from vera_jidm.training.trainer import TrainingOptions

    training = TrainingOptions(minutes=minutes, seed=seed, threads=threads, precision=to_precision(precision))
    request = FieldRequest(
        robot=robot,
        data=data or data_folder(robot, 'selfplay'),
        work=work or data_folder(robot, 'idm'),
        out=out,
        labels=labels,
        weights=weight or (),
        head=head,
        uses_position=joints,
        backbone=backbone,
        freeze_backbone=not tune_backbone,
        training=training,
    )
    raise typer.Exit(train_field(request))


@app.command(name='evaluate-idm')
def evaluate_idm(
    robot: Robot = 'panda',
    data: Annotated[
        Path | None,
        typer.Option(help='Folder with held-out self-play, recorded first when there is none; data/ROBOT/held_out when left out.'),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help='Folder with weights; those of the robot when left out.')] = None,
    pairs: Annotated[int, typer.Option(min=1, help='Pairs of moments to measure on.')] = 240,
    seed: Seed = 0,
    json: Annotated[Path | None, typer.Option(help='File for the report.')] = None,
) -> None:
    """Measure the Jacobian field and the joint motion recovered with it on held-out self-play, beside the exact field."""
    from vera_bringup.training import data_folder, measure_field

    data = data or data_folder(robot, 'held_out')
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
