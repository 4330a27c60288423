# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The `driver:` block of a robot's YAML file: the driver's topics, and how the driver names, orders and counts the joints.

A robot may list more drivers under `drivers:`; `NAME@DRIVER` chooses one, for example `allegro@wonik_v4`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from vera_core.errors import EmbodimentError, nearest_name_hint
from vera_core.shapes import FloatArray

POSITION_MESSAGES = ('joint_state', 'array')
"""How a driver takes joint positions: sensor_msgs/JointState with names, or std_msgs/Float64MultiArray in the driver's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverJoint:
    """One joint as the driver sees it: driver position = sign * our position + offset."""

    name: str
    """What the driver calls it."""
    joint: str
    """What the robot file calls it."""
    sign: int = 1
    """1, or -1 where the driver counts the other way."""
    offset: float = 0.0
    """The driver's position where ours is zero, rad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Topics of the robot driver, and its joints. An empty topic: the driver does not take such commands."""

    joint_states_topic: str
    command_topic: str = ''
    """trajectory_msgs/JointTrajectory"""
    position_command_topic: str = ''
    """Joint positions, as `position_message` says."""
    position_message: str = 'joint_state'
    """One of POSITION_MESSAGES."""
    velocity_command_topic: str = ''
    """std_msgs/Float64MultiArray, in the driver's order; only ever used where `simulated` is true."""
    servo_node: str = ''
    """Name of MoveIt's servo node, for example /servo_node."""
    simulated: bool = False
    """True where no command can hurt anybody."""
    joints: tuple[DriverJoint, ...] = ()
    """In the driver's order; empty where the driver names, orders and counts the joints as the robot file does."""


@dataclass(frozen=True, slots=True, eq=False)
class JointMap:
    """Between our joint order and the driver's."""

    names: tuple[str, ...]
    """The driver's names in the driver's order."""
    order: npt.NDArray[np.intp]
    """Shape (n,): the driver's joint i is our joint order[i]."""
    sign: FloatArray
    """Shape (n,), driver order, 1 or -1."""
    offset: FloatArray
    """Shape (n,), driver order, rad."""

    def positions(self, position: FloatArray) -> FloatArray:
        """Return our positions, shape (..., n), rad, as the driver counts and orders them."""
        return np.asarray(position[..., self.order] * self.sign + self.offset)

    def rates(self, rate: FloatArray) -> FloatArray:
        """Return our velocities or accelerations, shape (..., n), as the driver counts and orders them."""
        return np.asarray(rate[..., self.order] * self.sign)

    def our_positions(self, position: FloatArray) -> FloatArray:
        """Return positions the driver gave in its order, shape (..., n), rad, as we count and order them."""
        ours = np.empty_like(position)
        ours[..., self.order] = (position - self.offset) * self.sign
        return ours

    def our_rates(self, rate: FloatArray) -> FloatArray:
        """Return velocities or accelerations the driver gave in its order, shape (..., n), as we count and order them."""
        ours = np.empty_like(rate)
        ours[..., self.order] = rate * self.sign
        return ours


def joint_map(driver: Driver, joint_names: Sequence[str]) -> JointMap:
    """Return the map between a robot's joints and its driver's, both checked by `check_driver`."""
    joints = driver.joints or tuple(DriverJoint(name=name, joint=name) for name in joint_names)
    place = {name: index for index, name in enumerate(joint_names)}
    return JointMap(
        names=tuple(joint.name for joint in joints),
        order=np.array([place[joint.joint] for joint in joints], dtype=np.intp),
        sign=np.array([float(joint.sign) for joint in joints]),
        offset=np.array([joint.offset for joint in joints]),
    )


def parse_driver(document: Mapping[str, Any]) -> Driver:
    """Read one driver block.

    Raises:
        EmbodimentError: If it has a key that does not exist; the text names the nearest.
    """
    for what, block, kind in (
        ('driver', document, Driver),
        *(('driver.joints', joint, DriverJoint) for joint in document.get('joints', ())),
    ):
        known = [field.name for field in fields(kind)]
        unknown = [key for key in block if key not in known]
        if unknown:
            raise EmbodimentError(f"{what} has no key '{unknown[0]}'; {nearest_name_hint(str(unknown[0]), known)}")
    joints = tuple(DriverJoint(**joint) for joint in document.get('joints', ()))
    return Driver(**{**document, 'joints': joints})


def choose_driver(document: Mapping[str, Any], name: str) -> Driver:
    """Read the driver of a robot file that a name chooses: '' for the block `driver`, any other from `drivers`.

    Raises:
        EmbodimentError: If there is no driver of that name, or its block cannot be used.
    """
    others: Mapping[str, Any] = document.get('drivers', {})
    if name and name not in others:
        raise EmbodimentError(f"robot {document['name']} has no driver '{name}'; {nearest_name_hint(name, others)}")
    return parse_driver(others[name] if name else document['driver'])


def check_driver(driver: Driver, joint_names: Sequence[str]) -> None:
    """Hold a driver block against the robot's joints.

    Raises:
        EmbodimentError: If a joint is missing, listed twice or unknown, or a value cannot be used.
    """
    if driver.position_message not in POSITION_MESSAGES:
        raise EmbodimentError(
            f"driver.position_message is '{driver.position_message}'; {nearest_name_hint(driver.position_message, POSITION_MESSAGES)}"
        )
    if not isinstance(driver.simulated, bool):
        raise EmbodimentError(f'driver.simulated is {driver.simulated!r}; it must be true or false')
    if not driver.joints:
        return
    ours = [joint.joint for joint in driver.joints]
    theirs = [joint.name for joint in driver.joints]
    if sorted(ours) != sorted(joint_names) or len(set(theirs)) != len(theirs):
        raise EmbodimentError(f'driver.joints must give every joint once; they map {ours} to {theirs}, the robot has {list(joint_names)}')
    for joint in driver.joints:
        if joint.sign not in (1, -1) or not math.isfinite(joint.offset):
            raise EmbodimentError(
                f'driver joint {joint.name}: sign {joint.sign} and offset {joint.offset} rad; sign must be 1 or -1, the offset finite'
            )
