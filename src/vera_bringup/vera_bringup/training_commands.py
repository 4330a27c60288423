# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of data, training and its measures; like every command, each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vera_bringup.command_options import Robot, Seed

train_app = typer.Typer(help='Train a model from data of the simulator or of self-play.', no_args_is_help=True)


def collect(
    robot: Robot = 'panda',
    out: Annotated[Path | None, typer.Option(help='Folder for the recordings (MCAP); data/ROBOT/selfplay when left out.')] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help='Length in all, simulated s.')] = 1800.0,
    seed: Seed = 0,
) -> None:
    """Record self-play of the simulated robot: smooth random motion with pictures, measured joints and commands."""
    from vera_bringup.training import collect_selfplay, data_folder

    raise typer.Exit(collect_selfplay(robot, out or data_folder(robot, 'selfplay'), seconds=seconds, seed=seed))


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
    minutes: Annotated[float, typer.Option(min=0.1, help='Time of one core for the training itself, min.')] = 40.0,
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
    task: Annotated[
        str, typer.Option(help='reach: all of the planner; push, pick with stack, or rotate: what they need besides.')
    ] = 'reach',
    data: Annotated[Path, typer.Option(help="Folder for the expert's videos; missing ones are rendered first.")] = Path('data/clips'),
    work: Annotated[Path, typer.Option(help='Folder for checkpoints; a stopped training goes on from there.')] = Path('data/planner'),
    out: Annotated[Path | None, typer.Option(help='Folder for the weights; the one inside the package when left out.')] = None,
    clips: Annotated[int | None, typer.Option(min=50, help='Videos to train on; 1400 for reach, 400 for other tasks.')] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help='Time for the training itself, min; 45 for reach, 10 for other tasks.')
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train the embedded planner on videos of the simulator's scripted expert."""
    from vera_bringup.training_planner import train, train_task

    if task == 'reach':
        raise typer.Exit(train(robot, data=data, work=work, out=out, clips=clips or 1400, minutes=minutes or 45.0, seed=seed))
    raise typer.Exit(train_task(robot, task, data=data, work=work, out=out, clips=clips or 400, minutes=minutes or 10.0, seed=seed))


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


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(collect)
    app.add_typer(train_app, name='train')
    app.command(name='evaluate-idm')(evaluate_idm)
    app.command(name='evaluate-planner')(evaluate_planner)
