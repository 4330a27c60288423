# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One robot in one YAML file: joints, limits, poses, views, driver topics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vera_core.errors import EmbodimentError, nearest_name_hint
from vera_core.finger import FINGER_NAME, MAX_JOINTS, finger_document
from vera_core.shapes import FloatArray
from vera_core.simulated import Simulation, check_simulation, parse_simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """One driven joint with the manufacturer's limits."""

    name: str
    lower: float
    """rad"""
    upper: float
    """rad"""
    velocity: float
    """rad/s"""
    acceleration: float
    """rad/s²"""
    jerk: float
    """rad/s³"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitScale:
    """Shares of the manufacturer's limits that commands may use, each in (0, 1]."""

    velocity: float
    acceleration: float
    jerk: float


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One camera."""

    name: str
    image_topic: str
    camera_info_topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Topics of the robot driver."""

    joint_states_topic: str
    command_topic: str
    """trajectory_msgs/JointTrajectory"""
    position_command_topic: str = ''
    """sensor_msgs/JointState, for drivers that take joint positions; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embodiment:
    """Everything about a robot that the rooms share."""

    name: str
    description: str
    base_frame: str
    limit_scale: LimitScale
    joints: tuple[Joint, ...]
    poses: dict[str, tuple[float, ...]]
    """Named joint poses, rad; `home` is always there."""
    working_size: tuple[int, int]
    """(height, width) of the pictures that planner, flow and field see, px."""
    views: tuple[View, ...]
    driver: Driver
    simulation: Simulation | None = None
    """How the robot stands in the simulator; None where it is never simulated."""
    folder: Path | None = None
    """Where its YAML file is; None for a robot of the package."""

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joint names in the order of every joint array."""
        return tuple(joint.name for joint in self.joints)

    @property
    def view_names(self) -> tuple[str, ...]:
        """View names in their fixed order."""
        return tuple(view.name for view in self.views)

    @property
    def home(self) -> FloatArray:
        """Home pose, shape (n,), rad."""
        return np.array(self.poses['home'])

    def limits(self, quantity: str) -> FloatArray:
        """Return one limit of all joints, shape (n,): `lower` or `upper` in rad; `velocity`, `acceleration` or `jerk` already scaled by `limit_scale`."""
        values = np.array([getattr(joint, quantity) for joint in self.joints])
        return values * getattr(self.limit_scale, quantity, 1.0)


def known_robots() -> tuple[str, ...]:
    """Names of the robots that ship with the package; beside them `finger_1` to `finger_16` are made on demand."""
    folder = resources.files('vera_core') / 'robots'
    return tuple(sorted(entry.name.removesuffix('.yaml') for entry in folder.iterdir() if entry.name.endswith('.yaml')))


def load_embodiment(name_or_path: str) -> Embodiment:
    """Load a shipped robot by name, a planar finger by `finger_` and its number of joints, or any robot by the path of its YAML file.

    Raises:
        EmbodimentError: If the robot is unknown or its file is incomplete; the text says what is wrong and what is known.
    """
    folder: Path | None = None
    document: Any = None
    text = ''
    if name_or_path.endswith(('.yaml', '.yml')):
        path = Path(name_or_path)
        if not path.is_file():
            raise EmbodimentError(
                f"robot file '{name_or_path}' does not exist; give the path of an embodiment YAML or one of {', '.join(known_robots())}"
            )
        text, folder = path.read_text(encoding='utf-8'), path.parent
    elif (finger := FINGER_NAME.fullmatch(name_or_path)) is not None:
        document = finger_document(int(finger[1]))
    elif name_or_path in known_robots():
        text = (resources.files('vera_core') / 'robots' / f'{name_or_path}.yaml').read_text(encoding='utf-8')
    else:
        known = (*known_robots(), 'finger_1', f'finger_{MAX_JOINTS}')
        raise EmbodimentError(f"unknown robot '{name_or_path}'; {nearest_name_hint(name_or_path, known)}")
    try:
        embodiment = _parse(document or yaml.safe_load(text), folder)
    except EmbodimentError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise EmbodimentError(
            f"robot '{name_or_path}' cannot be read: {type(error).__name__}: {error}; compare it with robots/panda.yaml"
        ) from error
    _check(embodiment)
    return embodiment


def _parse(document: dict[str, Any], folder: Path | None) -> Embodiment:
    height, width = document['working_size']
    joints = tuple(Joint(**joint) for joint in document['joints'])
    poses = {str(name): tuple(float(q) for q in pose) for name, pose in document['poses'].items()}
    return Embodiment(
        name=str(document['name']),
        description=str(document['description']),
        base_frame=str(document['base_frame']),
        limit_scale=LimitScale(**document['limit_scale']),
        joints=joints,
        poses=poses,
        working_size=(int(height), int(width)),
        views=tuple(View(**view) for view in document['views']),
        driver=Driver(**document['driver']),
        simulation=parse_simulation(document['simulation'], folder=folder, joints=joints) if 'simulation' in document else None,
        folder=folder,
    )


def _check(robot: Embodiment) -> None:
    if 'home' not in robot.poses:
        raise EmbodimentError(f'robot {robot.name} has no pose named home')
    if len(set(robot.joint_names)) != len(robot.joints) or not robot.joints:
        raise EmbodimentError(f'robot {robot.name} needs at least one joint and no joint name twice; got {robot.joint_names}')
    if len(set(robot.view_names)) != len(robot.views) or not robot.views:
        raise EmbodimentError(f'robot {robot.name} needs at least one view and no view name twice; got {robot.view_names}')
    for joint in robot.joints:
        values = (joint.lower, joint.upper, joint.velocity, joint.acceleration, joint.jerk)
        if not all(math.isfinite(value) for value in values) or joint.lower >= joint.upper or min(values[2:]) <= 0:
            raise EmbodimentError(f'joint {joint.name}: limits {values} are not usable; need lower < upper and positive rates, all finite')
    for quantity in ('velocity', 'acceleration', 'jerk'):
        scale = getattr(robot.limit_scale, quantity)
        if not 0 < scale <= 1:
            raise EmbodimentError(f'limit_scale.{quantity} is {scale}; it must be in (0, 1]')
    for name, pose in robot.poses.items():
        if len(pose) != len(robot.joints):
            raise EmbodimentError(f'pose {name} has {len(pose)} values for {len(robot.joints)} joints')
        for joint, value in zip(robot.joints, pose, strict=True):
            if not joint.lower <= value <= joint.upper:
                raise EmbodimentError(f'pose {name} puts {joint.name} at {value} rad, outside [{joint.lower}, {joint.upper}]')
    if robot.simulation is not None:
        check_simulation(robot.simulation, views=robot.view_names, joint_count=len(robot.joints))
