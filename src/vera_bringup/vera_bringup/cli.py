# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The `vera` command line. Every command imports what it needs when it runs, so that `vera --help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vera_bringup import planning_commands, training_commands
from vera_bringup.cameras import command_line as cameras_commands
from vera_bringup.command_options import Robot, Seed
from vera_bringup.recording import commands as recording_commands
from vera_bringup.selfplay import commands as selfplay_commands
from vera_core.errors import VeraError
from vera_core.goals import task_names

app = typer.Typer(
    name='vera',
    help='A sentence moves a robot through a video plan, image flow, a Jacobian field and joint velocities.',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={'help_option_names': ['-h', '--help']},
)
robot_app = typer.Typer(help='Bring a robot of your own.', no_args_is_help=True)
app.add_typer(robot_app, name='robot')

Planner = Annotated[str, typer.Option(help='Planner backend: embedded or recorded.')]
TASKS = ('follow', *task_names())


@app.command()
def up(
    system: Annotated[
        str, typer.Argument(help='Set-up to start: panda_sim, panda_mock, panda_real, allegro_sim or allegro_real.')
    ] = 'panda_sim',
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar='[NAME:=VALUE]...', help='Arguments of the set-up, written as for ros2 launch.')
    ] = None,
    robot: Annotated[str, typer.Option(help="Embodiment, by name or path; the set-up's own when left out.")] = '',
    planner: Annotated[str, typer.Option(help="Planner backend; the set-up's own when left out.")] = '',
    namespace: Annotated[str, typer.Option(help='Namespace of all nodes.')] = '',
    operator: Annotated[bool, typer.Option('--operator', help='Serve the operator page too; short for operator_page:=true.')] = False,
    record: Annotated[Path | None, typer.Option(help='Record everything into this file (.mcap); see vera record.')] = None,
    show_args: Annotated[bool, typer.Option('--show-args', help='List the arguments of the set-up, start nothing.')] = False,
) -> None:
    """Start all nodes of a set-up and keep them running until Ctrl-C."""
    from vera_bringup.arguments import argument_table, parse_words
    from vera_bringup.system import find_set_up, load_system

    if show_args:
        Console(soft_wrap=True).print(argument_table(find_set_up(system).arguments), markup=False, highlight=False)
        return
    from vera_bringup.foreground import run_in_foreground

    given = parse_words(arguments or ()) | ({'namespace': namespace} if namespace else {}) | ({'operator_page': 'true'} if operator else {})
    described = load_system(system, robot=robot, planner=planner, arguments=given)
    if record is None:
        raise typer.Exit(run_in_foreground(described))
    from vera_bringup.recording.record import RecordRequest
    from vera_bringup.recording.show import recorded

    with recorded(RecordRequest(path=record, robot=described.robot, namespace=described.namespace)):
        code = run_in_foreground(described)
    raise typer.Exit(code)


@app.command(name='operator')
def operator_page(
    robot: Robot = 'panda',
    namespace: Annotated[str, typer.Option(help='Namespace of the running system.')] = 'vera',
    port: Annotated[int, typer.Option(min=0, max=65535, help='Port of the page on this machine; 0: any free one.')] = 8400,
    stop_port: Annotated[int, typer.Option(min=0, max=65535, help='Port of its stop line; 0: any free one.')] = 8401,
) -> None:
    """Serve the operator page beside a running system until Ctrl-C; open the address it prints."""
    from vera_bringup.foreground import run_in_foreground
    from vera_bringup.viewers import operator_alone

    raise typer.Exit(run_in_foreground(operator_alone(robot, namespace=namespace, port=port, stop_port=stop_port)))


@app.command()
def demo(
    prompt: Annotated[
        list[str] | None,
        typer.Option(help='What to do; may be given several times, then it is done one after the other. Left out: touch the red cube.'),
    ] = None,
    target: Annotated[str, typer.Option(help='Object the success check is about; taken from the prompt when empty.')] = '',
    planner: Planner = 'embedded',
    robot: Robot = 'panda',
    seed: Seed = 7,
    video: Annotated[Path, typer.Option(help='Where the video goes.')] = Path('demo.mp4'),
) -> None:
    """Start the simulated robot, give it sentences, show what happens, write a video. Exit code 0 only when every task succeeded."""
    from vera_bringup.demo import PROMPTS, run_demo

    raise typer.Exit(run_demo(prompts=prompt or PROMPTS, target=target, planner=planner, robot_name=robot, seed=seed, video=video))


@app.command()
def evaluate(
    robot: Robot = 'panda',
    task: Annotated[
        str,
        typer.Option(help='reach, push, pick, stack or rotate: through the running nodes; follow: random motions from video, without ROS.'),
    ] = 'reach',
    planner: Planner = 'embedded',
    episodes: Annotated[int, typer.Option(min=1, help='Number of independent episodes.')] = 30,
    seed: Seed = 0,
    json: Annotated[Path | None, typer.Option(help='File for the report.')] = None,
    log: Annotated[Path | None, typer.Option(help='File for everything the nodes print.')] = None,
    field: Annotated[str, typer.Option(help='Jacobian field by name; analytic: the exact one of the simulator.')] = 'learned',
    weights: Annotated[str, typer.Option(help='Folder with the weights of the field; those of the robot when left out.')] = '',
) -> None:
    """Run independent episodes and report success with its interval, chance beside it; latencies, duty cycle and violations, through the real nodes.

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

    request = EvaluationRequest(robot=robot, task=task, planner=planner, episodes=episodes, seed=seed, field=field, weights=weights)
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


TaskRobot = Annotated[str, typer.Option(help='Embodiment; one that does the task when left out.')]


@app.command()
def experts(
    task: Annotated[str, typer.Option(help='reach, push, pick, stack or rotate.')] = 'push',
    robot: TaskRobot = '',
    episodes: Annotated[int, typer.Option(min=1, help='Number of scenes.')] = 20,
    seed: Annotated[int, typer.Option(min=0, help='First scene; the others follow.')] = 0,
) -> None:
    """Let a scripted expert do its task in the physics, without ROS, and report its success with its interval."""
    from vera_bringup.experts import measure_expert

    raise typer.Exit(measure_expert(task, robot, seeds=range(seed, seed + episodes)))


@app.command()
def clips(
    out: Annotated[Path, typer.Option(help='Folder for the shards; those already there are kept.')],
    task: Annotated[str, typer.Option(help='reach, push, pick, stack or rotate.')] = 'push',
    robot: TaskRobot = '',
    count: Annotated[int, typer.Option(min=1, help='Videos.')] = 500,
    seed: Annotated[
        int, typer.Option(min=0, help='First scene; the others follow. Trainings count from 0, held-out videos from 500000.')
    ] = 0,
    held_out: Annotated[bool, typer.Option('--held-out', help='Film only goals that are held out of training.')] = False,
) -> None:
    """Film the scripted expert of a task as a planner's training reads it; goals that are held out are never among it."""
    from vera_bringup.experts import film_clips

    raise typer.Exit(film_clips(task, robot, out, seeds=range(seed, seed + count), held_out=held_out))


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


@app.command()
def keystore(
    folder: Annotated[Path, typer.Argument(help='New folder for the keys; ROS_SECURITY_KEYSTORE of the machine they are for.')],
    system: Annotated[str, typer.Option(help='Set-up whose nodes get keys.')] = 'panda_real',
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar='[NAME:=VALUE]...', help='Arguments of the set-up, as it will be started.')
    ] = None,
    domain: Annotated[int, typer.Option(help='ROS_DOMAIN_ID the keys are good for.')] = 0,
    days: Annotated[int, typer.Option(help='How long they are good, days.')] = 3650,
) -> None:
    """Make a keystore of SROS 2: keys for every node of a set-up, and what each of them may say and hear."""
    from datetime import UTC, datetime

    from vera_bringup.arguments import parse_words
    from vera_bringup.security.keystore import KeystoreRequest, make_keystore
    from vera_bringup.system import load_system

    described = load_system(system, arguments=parse_words(arguments or ()))
    enclaves = make_keystore(KeystoreRequest(folder=folder, system=described, domain=domain, days=days), datetime.now(UTC))
    console = Console(soft_wrap=True)
    console.print(f'{folder}: domain {domain}, {len(enclaves)} enclaves\n  ' + '\n  '.join(enclaves), markup=False, highlight=False)
    console.print('Next: docs/security.md. Keep private/ away from the robot.', markup=False, highlight=False)


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


for commands in (planning_commands, training_commands, selfplay_commands, recording_commands, cameras_commands):
    commands.add_to(app)


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
