# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera cameras ...`: from pictures in a folder to calibration files, with words about how good they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from rich.console import Console

from vera_bringup.cameras.board import Board, find_all
from vera_bringup.cameras.extrinsics import Extrinsics, extrinsics_of_held_board
from vera_bringup.cameras.intrinsics import calibrate_intrinsics, read_camera_info, write_camera_info
from vera_bringup.cameras.transforms import quat_xyzw
from vera_bringup.viewing.body import load_body
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError, nearest_name_hint
from vera_core.shapes import FloatArray, RgbArray

JOINTS_FILE = 'joints.json'
"""Beside the pictures: {"NAME.png": {"JOINT": rad, ...}, ...}."""
GOOD_COVERAGE = 0.6


def info_path(view: str) -> Path:
    """Return where camera drivers of ROS look for the calibration of a view."""
    return Path.home() / '.ros' / 'camera_info' / f'{view}.yaml'


def print_board(board: Board, out: Path) -> int:
    """Write the board as a picture to print."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(out), board.picture(200)):
        raise ConfigError(f'{out} cannot be written; give a name that ends in .png')
    width, height = (side * 1e3 for side in board.size_m)
    Console(soft_wrap=True).print(
        f'{out}: print it {width:.0f} x {height:.0f} mm large, glue it to something flat and stiff, measure a square'
    )
    return 0


def calibrate(robot: str, view: str, folder: Path, board: Board, out: Path | None) -> int:
    """Find the lens of a view from the pictures in a folder and write its camera_info file."""
    _check_view(load_embodiment(robot), view)
    pictures = read_pictures(folder)
    first = next(iter(pictures.values()))
    size = (first.shape[1], first.shape[0])
    report = calibrate_intrinsics(find_all(pictures, board), board, size, pictures=len(pictures))
    path = out or info_path(view)
    write_camera_info(path, view, report.intrinsics)
    say = Console(soft_wrap=True).print
    matrix = report.intrinsics.matrix
    say(f'{view}: {len(report.used)} of {len(pictures)} pictures, corners {report.rms_px:.2f} px from where the lens puts them')
    say(f'focal lengths {matrix[0, 0]:.1f}, {matrix[1, 1]:.1f} px; centre {matrix[0, 2]:.1f}, {matrix[1, 2]:.1f} px')
    if report.left_out:
        say(f'left out, much worse than the others: {", ".join(report.left_out)}')
    if report.coverage < GOOD_COVERAGE:
        say(f'the board was seen on {report.coverage:.0%} of the picture only; hold it into the corners too and run this again')
    say(f'written: {path}')
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtrinsicsRequest:
    """What `vera cameras extrinsics` is asked."""

    robot: str
    view: str
    folder: Path
    link: str
    """Link that holds the board."""
    board: Board
    info: Path | None
    """camera_info file of the view; that of the user's home when None."""
    out: Path | None


def find_place(request: ExtrinsicsRequest) -> int:
    """Find where the camera of a view stands, and write it beside those of the robot's other views."""
    robot = load_embodiment(request.robot)
    _check_view(robot, request.view)
    pictures = read_pictures(request.folder)
    links = link_poses(robot, request.link, read_joints(request.folder, list(pictures)))
    lens = read_camera_info(request.info or info_path(request.view))
    _check_size(lens.size, pictures)
    views = find_all(pictures, request.board)
    found = extrinsics_of_held_board(views, links, request.board, lens, pictures=len(pictures))
    path = request.out or Path(f'{robot.name}_cameras.yaml')
    write_place(path, request.view, robot.base_frame, found)
    place, turn = found.T_base_camera[:3, 3], quat_xyzw(found.T_base_camera)
    say = Console(soft_wrap=True).print
    say(f'{request.view}: {found.pictures} of {len(pictures)} pictures, corners {found.rms_px:.2f} px from where they should be')
    say(f'it stands at ({place[0]:.3f}, {place[1]:.3f}, {place[2]:.3f}) m in {robot.base_frame}')
    say(f'written: {path}; as a transform:')
    arguments = [f'--{axis} {value:.5f}' for axis, value in zip('xyz', place, strict=True)]
    arguments += [f'--q{axis} {value:.6f}' for axis, value in zip('xyzw', turn, strict=True)]
    frames = f'--frame-id {robot.base_frame} --child-frame-id {request.view}_optical_frame'
    say(f'ros2 run tf2_ros static_transform_publisher {" ".join(arguments)} {frames}')
    return 0


def read_pictures(folder: Path) -> dict[str, RgbArray]:
    """Return the pictures of a folder by file name.

    Raises:
        ConfigError: If there is none, or a file is no picture.
    """
    files = sorted(file for file in folder.glob('*') if file.suffix.lower() in ('.png', '.jpg', '.jpeg'))
    if not files:
        raise ConfigError(f'{folder} has no .png or .jpg pictures; take some with `vera cameras record`')
    pictures = {}
    for file in files:
        bgr = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ConfigError(f'{file} is not a picture that can be read')
        pictures[file.name] = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)
    return pictures


def read_joints(folder: Path, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the measured joints of each picture, rad by joint name.

    Raises:
        ConfigError: If the file is missing or does not have every picture.
    """
    path = folder / JOINTS_FILE
    try:
        document = json.loads(path.read_text(encoding='utf-8'))
        joints = {name: {str(joint): float(value) for joint, value in document[name].items()} for name in names}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError(
            f'{path} has to give the joint positions of every picture, {{"NAME.png": {{"JOINT": rad}}}}: {type(error).__name__}: {error}; '
            '`vera cameras record` writes it'
        ) from error
    return joints


def link_poses(robot: Embodiment, link: str, joints: Mapping[str, Mapping[str, float]]) -> dict[str, FloatArray]:
    """Return T_base_link for each picture, shape (4, 4).

    Raises:
        ConfigError: If the robot has no description or no such link, or a joint is missing.
    """
    body = load_body(robot)
    if body is None:
        raise ConfigError(
            f'robot {robot.name} has no description (URDF), so it is not known where its links are; add `description:` to its file'
        )
    if link not in body.links:
        raise ConfigError(f"robot {robot.name} has no link '{link}'; {nearest_name_hint(link, body.links)}")
    for name, positions in joints.items():
        missing = [joint for joint in robot.joint_names if joint not in positions]
        if missing:
            raise ConfigError(f'{JOINTS_FILE} lacks {", ".join(missing)} for {name}')
    return {name: body.link_poses(positions)[link] for name, positions in joints.items()}


def write_place(path: Path, view: str, base_frame: str, found: Extrinsics) -> None:
    """Put the place of one camera into the file of all cameras of a robot."""
    document = yaml.safe_load(path.read_text(encoding='utf-8')) if path.is_file() else {}
    place = [round(float(value), 6) for value in found.T_base_camera[:3, 3]]
    turn = [round(float(value), 8) for value in quat_xyzw(found.T_base_camera)]
    document = {**(document or {}), view: {'parent': base_frame, 'child': f'{view}_optical_frame', 'position': place, 'quat_xyzw': turn}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False, default_flow_style=None), encoding='utf-8')


def _check_view(robot: Embodiment, view: str) -> None:
    if view not in robot.view_names:
        raise ConfigError(f"robot {robot.name} has no view '{view}'; {nearest_name_hint(view, robot.view_names)}")


def _check_size(size: tuple[int, int], pictures: Mapping[str, RgbArray]) -> None:
    for name, picture in pictures.items():
        if (picture.shape[1], picture.shape[0]) != size:
            raise ConfigError(f'{name} is {picture.shape[1]} x {picture.shape[0]} px but the lens was calibrated at {size[0]} x {size[1]}')
