# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of cameras; like every command, each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vera_bringup.command_options import Robot

cameras_app = typer.Typer(help='Calibrate real cameras with a ChArUco board: their lenses and where they stand.', no_args_is_help=True)
View = Annotated[str, typer.Option(help='View of the robot file, for example front.')]
Square = Annotated[float, typer.Option(help='Side of a printed square, m.')]
Columns = Annotated[int, typer.Option(help='Squares of the board along its longer side.')]
Rows = Annotated[int, typer.Option(help='Squares of the board along its shorter side.')]


@cameras_app.command(name='board')
def board_picture(
    out: Annotated[Path, typer.Option(help='Picture to print.')] = Path('board.png'),
    square: Square = 0.035,
    columns: Columns = 7,
    rows: Rows = 5,
) -> None:
    """Write the board to print."""
    from vera_bringup.cameras.board import Board
    from vera_bringup.cameras.commands import print_board

    raise typer.Exit(print_board(Board(columns=columns, rows=rows, square_m=square), out))


@cameras_app.command(name='record')
def record_pictures(
    view: View,
    out: Annotated[Path, typer.Option(help='Folder for the pictures and joints.json.')],
    robot: Robot = 'fr3',
    count: Annotated[int, typer.Option(min=1, help='Pictures to keep.')] = 20,
    patience: Annotated[float, typer.Option(min=1.0, help='Give up after so long without a new place of the board, s.')] = 120.0,
    square: Square = 0.035,
    columns: Columns = 7,
    rows: Rows = 5,
) -> None:
    """Keep a picture and the joints whenever the board is held still in a new place."""
    from vera_bringup.cameras.board import Board
    from vera_bringup.cameras.recording import record

    board = Board(columns=columns, rows=rows, square_m=square)
    raise typer.Exit(record(robot, view, out, board, count=count, patience_s=patience))


@cameras_app.command(name='calibrate')
def calibrate_lens(
    view: View,
    pictures: Annotated[Path, typer.Option(help='Folder with at least 8 pictures of the board.')],
    robot: Robot = 'fr3',
    out: Annotated[Path | None, typer.Option(help='File to write; ~/.ros/camera_info/VIEW.yaml when left out.')] = None,
    square: Square = 0.035,
    columns: Columns = 7,
    rows: Rows = 5,
) -> None:
    """Find the lens of a camera and write it as camera drivers of ROS read it."""
    from vera_bringup.cameras.board import Board
    from vera_bringup.cameras.commands import calibrate

    raise typer.Exit(calibrate(robot, view, pictures, Board(columns=columns, rows=rows, square_m=square), out))


@cameras_app.command(name='extrinsics')
def extrinsics(
    view: View,
    pictures: Annotated[Path, typer.Option(help='Folder with pictures of the board in the gripper, and joints.json.')],
    link: Annotated[str, typer.Option(help='Link that holds the board, for example fr3_hand.')],
    robot: Robot = 'fr3',
    info: Annotated[Path | None, typer.Option(help='Calibration of the lens; ~/.ros/camera_info/VIEW.yaml when left out.')] = None,
    out: Annotated[Path | None, typer.Option(help='File of the places of all cameras; ROBOT_cameras.yaml here when left out.')] = None,
    square: Square = 0.035,
    columns: Columns = 7,
    rows: Rows = 5,
) -> None:
    """Find where a camera stands in the frame of the robot's base."""
    from vera_bringup.cameras.board import Board
    from vera_bringup.cameras.commands import ExtrinsicsRequest, find_place

    board = Board(columns=columns, rows=rows, square_m=square)
    request = ExtrinsicsRequest(robot=robot, view=view, folder=pictures, link=link, board=board, info=info, out=out)
    raise typer.Exit(find_place(request))


@cameras_app.command(name='apply')
def apply(
    robot: Robot = 'fr3',
    info: Annotated[list[str] | None, typer.Option(metavar='VIEW=FILE', help='Calibrated lens of a view. May be repeated.')] = None,
    places: Annotated[Path | None, typer.Option(help='File of the places of all cameras, of vera cameras extrinsics.')] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; the robot's own when left out.")] = None,
    write: Annotated[bool, typer.Option('--write', help='Write it; without, the change is only shown.')] = False,
) -> None:
    """Put calibrations into the robot's YAML file; everything else in it stays, and what would break it is refused."""
    from vera_bringup.cameras.robot_file import apply_calibrations, parse_infos

    raise typer.Exit(apply_calibrations(robot, infos=parse_infos(info or ()), places=places, out=out, write=write))


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(cameras_app, name='cameras')
