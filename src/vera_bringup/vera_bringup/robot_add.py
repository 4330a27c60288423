# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera robot add`: from a URDF or MJCF file to the YAML file that all other commands take."""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vera_bringup.robot_cameras import propose_cameras
from vera_bringup.robot_model import read_robot
from vera_bringup.robot_yaml import robot_yaml, spread_of
from vera_core.embodiment import Embodiment, known_robots, load_embodiment
from vera_core.errors import ConfigError


def add_robot(description: Path, *, name: str = '', out: Path | None = None, overwrite: bool = False) -> tuple[Path, tuple[str, ...]]:
    """Write the YAML file of the robot in a description file.

    Args:
        description: URDF or MJCF file.
        name: Name of the robot; by default that of the description file.
        out: File to write; by default NAME.yaml in the current folder.
        overwrite: Replace a file that is there.

    Returns:
        The file, and what was guessed, in sentences.

    Raises:
        ConfigError: If the description cannot be used, the name is taken, or the file exists.
    """
    name = name or re.sub(r'\W+', '_', description.stem).strip('_').lower()
    if not re.fullmatch(r'[a-z][a-z0-9_]*', name):
        raise ConfigError(f"'{name}' cannot be the name of a robot; it needs lower-case letters, digits and _, beginning with a letter")
    if name in known_robots() or re.fullmatch(r'finger_\d+', name):
        raise ConfigError(f"'{name}' is the name of a robot that is included; give another with --name")
    target = out or Path(f'{name}.yaml')
    if target.suffix not in ('.yaml', '.yml'):
        raise ConfigError(f"'{target}' does not end in .yaml; every command knows a robot's file by that")
    if target.exists() and not overwrite:
        raise ConfigError(f'{target} exists; give another --out, or --overwrite to lose what is in it')
    robot = read_robot(description)
    cameras = propose_cameras(robot, spread_of(robot))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(robot_yaml(robot, cameras, name=name, target=target), encoding='utf-8')
    return target, robot.guesses


def add_and_show(description: Path, *, name: str, out: Path | None, overwrite: bool) -> int:
    """Write the file, show what is in it, what was guessed and what comes next; return 0."""
    console = Console(soft_wrap=True)
    path, guesses = add_robot(description, name=name, out=out, overwrite=overwrite)
    console.print(_joint_table(load_embodiment(str(path))))
    console.print('guessed:')
    for guess in (*guesses, 'cameras: two, a quarter turn apart, so that the reach of the robot fills the picture'):
        console.print(f'  {guess}', markup=False, highlight=False)
    console.print(f'written: {path}; look through it, then', markup=False, highlight=False)
    for command in ('collect', 'train idm', 'evaluate --task follow'):
        verb, _, rest = command.partition(' --')
        console.print(f'  vera {verb} --robot {path}{" --" + rest if rest else ""}', markup=False, highlight=False)
    return 0


def _joint_table(robot: Embodiment) -> Table:
    table = Table('joint', 'from, rad', 'to, rad', 'home, rad', 'at most, rad/s', title=f'{robot.name} on {robot.base_frame}')
    for joint, home in zip(robot.joints, robot.home, strict=True):
        table.add_row(joint.name, f'{joint.lower:.3f}', f'{joint.upper:.3f}', f'{home:.3f}', f'{joint.velocity:.2f}')
    return table
