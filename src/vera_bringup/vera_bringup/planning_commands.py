# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of dreaming and of serving plans; like every command, each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vera_bringup.command_options import Robot, Seed

serve_app = typer.Typer(help='Plan for other machines.', no_args_is_help=True)
Backend = Annotated[str, typer.Option(help='Planner backend: embedded, recorded, diffusers, remote or video_api.')]
Settings = Annotated[
    list[str] | None, typer.Option('--set', metavar='NAME=VALUE', help='A parameter of the planner, as in docs/parameters.md.')
]
Host = Annotated[str, typer.Option(help='Address to listen on; 0.0.0.0 lets other machines in.')]
TokenFile = Annotated[str, typer.Option(help='File with the token clients must send; needed when other machines are let in.')]
Places = Annotated[int, typer.Option(min=1, help='Clients at a time.')]


@serve_app.command(name='planner')
def serve_planner(
    robot: Robot = 'panda',
    backend: Backend = 'embedded',
    host: Host = '127.0.0.1',
    port: Annotated[int, typer.Option(min=1, max=65535, help='Port.')] = 8765,
    token_file: TokenFile = '',
    clients: Places = 4,
    settings: Settings = None,
) -> None:
    """Serve plans to planner_node with backend remote on other machines."""
    from vera_bringup.planner_settings import planner_params
    from vera_bringup.serving.serve import serve_planner as serve

    raise typer.Exit(serve(planner_params(robot, backend, settings), host=host, port=port, token_file=token_file, max_clients=clients))


@serve_app.command(name='policy')
def serve_policy(
    robot: Robot = 'panda',
    backend: Backend = 'embedded',
    host: Host = '127.0.0.1',
    port: Annotated[int, typer.Option(min=1, max=65535, help='Port.')] = 8000,
    token_file: TokenFile = '',
    anyone: Annotated[
        bool, typer.Option('--anyone', help="Let other machines in without a token: VERA's own clients cannot send one.")
    ] = False,
    clients: Places = 4,
    settings: Settings = None,
) -> None:
    """Serve action chunks in the wire protocol of VERA's policy server, so that its clients drive this planner and inversion."""
    from vera_bringup.planner_settings import planner_params
    from vera_bringup.serving.serve import serve_policy as serve

    params = planner_params(robot, backend, settings)
    raise typer.Exit(serve(params, host=host, port=port, token_file=token_file, is_open=anyone, max_clients=clients))


def dream(
    prompt: Annotated[str, typer.Option(help='What to do.')],
    image: Annotated[list[Path], typer.Option(help='A picture per view, or one with all views side by side; moments oldest first.')],
    robot: Robot = 'panda',
    backend: Backend = 'embedded',
    out: Annotated[Path, typer.Option(help='Video to write, .mp4 or .gif.')] = Path('dream.mp4'),
    seed: Seed = 0,
    settings: Settings = None,
) -> None:
    """Dream from pictures and a sentence, without a robot: writes a video and prints figures."""
    from vera_bringup.dream import dream as dream_it
    from vera_bringup.planner_settings import planner_params

    _, figures = dream_it(planner_params(robot, backend, [*(settings or ()), f'seed={seed}']), prompt, image, out)
    for line in [*figures.lines(), f'wrote {out}']:
        Console(soft_wrap=True).print(line, markup=False, highlight=False)


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(dream)
    app.add_typer(serve_app, name='serve')
