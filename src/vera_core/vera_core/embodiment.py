# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One robot in one YAML file: joints, limits, poses, views, driver topics."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vera_core.camera import Lens, Place, parse_lens, parse_place
from vera_core.driver import Driver, JointMap, check_driver, choose_driver, joint_map
from vera_core.errors import EmbodimentError, nearest_name_hint
from vera_core.finger import FINGER_NAME, MAX_JOINTS, finger_document
from vera_core.shapes import FloatArray
from vera_core.simulated import Simulation, check_simulation, parse_simulation
from vera_core.workspace import Workspace, check_workspace, parse_workspace


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
    velocity_offset: float = 0.0
    """Offset of the velocity limit near the position limits, rad/s; see `deceleration`."""
    deceleration: float | None = None
    """With it the velocity limit depends on the position q: towards `upper` no faster than sqrt(2 deceleration (upper - q)) -
    velocity_offset, towards `lower` likewise, and never faster than `velocity`; rad/s². None: the limit is `velocity` everywhere."""
    expected_step: float | None = None
    """How far it typically goes from a picture to the planned one, rad: what the inversion believes before it looks. None: as all joints do."""


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
    lens: Lens | None = None
    """Of a calibrated camera."""
    place: Place | None = None
    """Of a calibrated camera."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embodiment:
    """Everything about a robot that the rooms share."""

    name: str
    summary: str
    """One line for people."""
    base_frame: str
    limit_scale: LimitScale
    joints: tuple[Joint, ...]
    poses: dict[str, tuple[float, ...]]
    """Named joint poses, rad; `home` is always there."""
    working_size: tuple[int, int]
    """(height, width) of the pictures that planner, flow and field see, px."""
    views: tuple[View, ...]
    driver: Driver
    description: Path | None = None
    """URDF of its links with their shapes; None where there is none, and nobody then knows where the links are."""
    workspace: Workspace | None = None
    """What its links keep clear of; None for what `Workspace` has by default, without a table."""
    simulation: Simulation | None = None
    """How the robot stands in the simulator; None where it is never simulated."""
    folder: Path | None = None
    """Where its YAML file is; None for a robot of the package."""
    joint_map: JointMap = field(init=False, compare=False, repr=False)
    """Between our joints and the driver's."""

    def __post_init__(self) -> None:
        check_driver(self.driver, self.joint_names)
        object.__setattr__(self, 'joint_map', joint_map(self.driver, self.joint_names))

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

    Behind an @ stands which of the drivers in the file is meant, for example `allegro@wonik_v4`; without, its block `driver`.

    Raises:
        EmbodimentError: If the robot is unknown or its file is incomplete; the text says what is wrong and what is known.
    """
    folder: Path | None = None
    document: Any = None
    text = ''
    name_or_path, driver = _split(name_or_path)
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
        embodiment = _parse(document or yaml.safe_load(text), folder, driver)
    except EmbodimentError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise EmbodimentError(
            f"robot '{name_or_path}' cannot be read: {type(error).__name__}: {error}; compare it with robots/panda.yaml"
        ) from error
    _check(embodiment)
    return embodiment


def _split(name: str) -> tuple[str, str]:
    """Split NAME@DRIVER; an @ inside a path stays there."""
    found = re.fullmatch(r'(.+)@(\w+)', name)
    return (found[1], found[2]) if found else (name, '')


def _parse(document: dict[str, Any], folder: Path | None, driver: str) -> Embodiment:
    height, width = document['working_size']
    joints = tuple(Joint(**joint) for joint in document['joints'])
    poses = {str(name): tuple(float(q) for q in pose) for name, pose in document['poses'].items()}
    return Embodiment(
        name=str(document['name']),
        summary=str(document.get('summary', '')),
        base_frame=str(document['base_frame']),
        limit_scale=LimitScale(**document['limit_scale']),
        joints=joints,
        poses=poses,
        working_size=(int(height), int(width)),
        views=tuple(_view(view) for view in document['views']),
        driver=choose_driver(document, driver),
        description=_description(document['description'], folder) if 'description' in document else None,
        workspace=parse_workspace(document['workspace']) if 'workspace' in document else None,
        simulation=parse_simulation(document['simulation'], folder=folder, joints=joints) if 'simulation' in document else None,
        folder=folder,
    )


def _view(entry: dict[str, Any]) -> View:
    lens, place, name = entry.get('lens'), entry.get('place'), str(entry.get('name'))
    return View(
        **{key: value for key, value in entry.items() if key not in ('lens', 'place')},
        lens=None if lens is None else parse_lens(lens, name),
        place=None if place is None else parse_place(place, name),
    )


def _description(name: Any, folder: Path | None) -> Path:
    """Return where the URDF is: beside the YAML file, or among those of the package."""
    shipped = Path(str(resources.files('vera_core') / 'robots'))
    for path in ((folder or shipped) / str(name), shipped / str(name)):
        if path.suffix == '.urdf' and path.is_file():
            return path.resolve()
    raise EmbodimentError(
        f"description is '{name}', but there is no such .urdf file beside the YAML file or among those of the package; leave it out when there is "
        'none, and write words about the robot under summary'
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
        _check_deceleration(joint)
        if joint.expected_step is not None and not (math.isfinite(joint.expected_step) and joint.expected_step > 0):
            raise EmbodimentError(
                f'joint {joint.name}: expected_step is {joint.expected_step}; it must be a positive number of rad, or left out'
            )
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
    if robot.workspace is not None:
        check_workspace(robot.workspace)
    if robot.simulation is not None:
        check_simulation(robot.simulation, views=robot.view_names, joint_count=len(robot.joints))


def _check_deceleration(joint: Joint) -> None:
    if joint.deceleration is None:
        if joint.velocity_offset != 0.0:
            raise EmbodimentError(
                f'joint {joint.name}: velocity_offset is {joint.velocity_offset} without a deceleration; give both or none'
            )
        return
    if not (
        math.isfinite(joint.deceleration) and joint.deceleration > 0 and math.isfinite(joint.velocity_offset) and joint.velocity_offset >= 0
    ):
        raise EmbodimentError(
            f'joint {joint.name}: deceleration {joint.deceleration} must be positive and velocity_offset {joint.velocity_offset} not negative, both finite'
        )
    standstill = joint.velocity_offset**2 / (2 * joint.deceleration)
    if 2 * standstill >= joint.upper - joint.lower:
        raise EmbodimentError(
            f'joint {joint.name}: its velocity limit is zero within {standstill:.3f} rad of either position limit, which leaves no range to move in'
        )
