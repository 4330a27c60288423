# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a robot's description file says: driven joints, their limits, a home pose. And what it does not say, with the guess that takes its place."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from vera_core.embodiment import Joint
from vera_core.errors import ConfigError
from vera_core.shapes import Array, FloatArray
from vera_sim.robots.description import UNSEEN_GROUP, read_description

GUESSED_RANGE_RAD = 3.1
GUESSED_VELOCITY_RAD_S = 1.5
# No description format holds these; slow enough for any arm of a few kilograms.
GUESSED_ACCELERATION_RAD_S2 = 7.5
GUESSED_JERK_RAD_S3 = 750.0
HOME_TRIES = 500


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RobotModel:
    """A robot description, read."""

    path: Path
    base_frame: str
    model: mujoco.MjModel
    joints: tuple[Joint, ...]
    home: FloatArray
    """Shape (n,), rad."""
    guesses: tuple[str, ...]
    """What the file does not say and was guessed, in sentences."""

    @property
    def qpos_index(self) -> Array:
        """Where the driven joints are in the model's positions, shape (n,)."""
        return np.array([self.model.joint(joint.name).qposadr[0] for joint in self.joints])

    @property
    def moving_bodies(self) -> Array:
        """Which bodies the driven joints move, shape (nbody,), bool."""
        model = self.model
        moving = np.zeros(model.nbody, bool)
        moving[[int(model.joint(joint.name).bodyid[0]) for joint in self.joints]] = True
        for body in range(1, model.nbody):
            moving[body] |= moving[model.body_parentid[body]]
        return moving

    @property
    def seen_geoms(self) -> Array:
        """Numbers of the geoms of moving bodies that cameras see, shape (G,), int; of all bodies when no moving one has any."""
        seen = self.model.geom_group < UNSEEN_GROUP
        moving = seen & self.moving_bodies[self.model.geom_bodyid]
        return np.flatnonzero(moving if moving.any() else seen)


def read_robot(path: Path) -> RobotModel:
    """Read a URDF or MJCF file.

    Raises:
        EmbodimentError: If there is no such file or it cannot be read; says what to do.
        ConfigError: If it holds no robot that stands on a fixed base.
    """
    spec = read_description(path)
    try:
        model = spec.compile()
    except ValueError as error:
        raise ConfigError(f'{path} cannot be compiled by MuJoCo: {error}') from error
    return _read(path, ET.parse(path).getroot(), model)


def _read(path: Path, root: ET.Element, model: mujoco.MjModel) -> RobotModel:
    guesses: list[str] = []
    names = _driven_joints(path, root, model, guesses)
    velocities = {
        str(joint.get('name')): float(limit.get('velocity', 0.0))
        for joint in root.findall('joint')
        if (limit := joint.find('limit')) is not None
    }
    if not (model.geom_group < UNSEEN_GROUP).any():
        raise ConfigError(f'{path} has no shape that a camera could see; a field is learned from pictures')
    endless = [name for name in names if not model.joint(name).limited[0]]
    unpaced = [name for name in names if velocities.get(name, 0.0) <= 0.0]
    if endless:
        guesses.append(
            f'range of {", ".join(endless)}: without end in the file, set to [{-GUESSED_RANGE_RAD:g}, {GUESSED_RANGE_RAD:g}] rad'
        )
    if unpaced:
        guesses.append(f'velocity limit of {", ".join(unpaced)}: not in the file, set to {GUESSED_VELOCITY_RAD_S:g} rad/s')
    joints = tuple(_joint(model, name, velocities.get(name, 0.0)) for name in names)
    guesses.append(
        f'acceleration ({GUESSED_ACCELERATION_RAD_S2:g} rad/s²) and jerk ({GUESSED_JERK_RAD_S3:g} rad/s³) limits: no description file has them'
    )
    child_links = {str(child.get('link')) for child in root.findall('joint/child')}
    roots = [str(link.get('name')) for link in root.findall('link') if link.get('name') not in child_links]
    first_body = int(model.joint(names[0]).bodyid[0])
    base = roots[0] if roots else model.body(int(model.body_rootid[first_body])).name or 'base'
    return RobotModel(path=path, base_frame=base, model=model, joints=joints, home=_home(model, joints, guesses), guesses=tuple(guesses))


def _driven_joints(path: Path, root: ET.Element, model: mujoco.MjModel, guesses: list[str]) -> list[str]:
    """Names of the joints a controller moves, in the order of the file."""
    followers = {str(joint.get('name')) for joint in root.findall('joint') if joint.find('mimic') is not None}
    coupled = (model.eq_type == mujoco.mjtEq.mjEQ_JOINT) & (model.eq_obj2id >= 0)
    followers |= {model.joint(int(index)).name for index in model.eq_obj1id[coupled]}
    hinges = [index for index in range(model.njnt) if model.jnt_type[index] == mujoco.mjtJoint.mjJNT_HINGE]
    driven = [index for index in hinges if model.joint(index).name not in followers]
    if not driven:
        raise ConfigError(f'{path} has no joint that turns and is driven; it has {model.njnt} joints in all')
    unnamed = [index for index in driven if not model.joint(index).name]
    if unnamed:
        raise ConfigError(f'{path}: joint number {unnamed[0] + 1} has no name; every driven joint needs the name its driver publishes')
    for index in driven:
        body = int(model.jnt_bodyid[index])
        while body:
            for joint in range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body]):
                if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE or model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_BALL:
                    raise ConfigError(
                        f'{path}: {model.joint(index).name} hangs on a body that floats; only robots on a fixed base are supported'
                    )
            body = int(model.body_parentid[body])
    left_out = [model.joint(index).name for index in range(model.njnt) if index not in driven and model.joint(index).name]
    if left_out:
        guesses.append(f'not driven, left out: {", ".join(left_out)} (they slide, float or follow another joint)')
    return [model.joint(index).name for index in driven]


def _joint(model: mujoco.MjModel, name: str, velocity: float) -> Joint:
    joint = model.joint(name)
    lower, upper = (float(value) for value in joint.range)
    if not joint.limited[0]:
        lower, upper = -GUESSED_RANGE_RAD, GUESSED_RANGE_RAD
    return Joint(
        name=name,
        lower=lower,
        upper=upper,
        velocity=velocity if velocity > 0.0 else GUESSED_VELOCITY_RAD_S,
        acceleration=GUESSED_ACCELERATION_RAD_S2,
        jerk=GUESSED_JERK_RAD_S3,
    )


def _home(model: mujoco.MjModel, joints: tuple[Joint, ...], guesses: list[str]) -> FloatArray:
    """The key frame named home, else the first one, else the middle of the ranges or the nearest pose to it without a contact."""
    index = np.array([model.joint(joint.name).qposadr[0] for joint in joints])
    lower, upper = np.array([joint.lower for joint in joints]), np.array([joint.upper for joint in joints])
    if model.nkey:
        names = [model.key(number).name for number in range(model.nkey)]
        number = names.index('home') if 'home' in names else 0
        inside = np.clip(model.key_qpos[number][index], lower, upper)
        guesses.append(f"home pose: key frame '{names[number] or number}' of the file")
        return np.asarray(inside)
    middle = (lower + upper) / 2
    rng = np.random.default_rng(0)
    for attempt in range(HOME_TRIES):
        pose = np.clip(middle + rng.normal(0.0, 0.5 * attempt / HOME_TRIES, len(middle)) * (upper - lower) / 2, lower, upper)
        if not _touches(model, index, pose):
            near = '' if attempt == 0 else ' (moved until nothing touches)'
            guesses.append(f'home pose: middle of the joint ranges{near}; change poses.home to where the robot should begin')
            return np.asarray(pose)
    guesses.append('home pose: middle of the joint ranges, where parts of the robot touch; change poses.home')
    return np.asarray(middle)


def _touches(model: mujoco.MjModel, index: Array, pose: FloatArray) -> bool:
    data = mujoco.MjData(model)
    data.qpos[index] = pose
    mujoco.mj_forward(model, data)
    return bool((data.contact.dist < 0).any())
