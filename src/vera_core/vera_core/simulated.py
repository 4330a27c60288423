# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The `simulation:` block of a robot's YAML file: how the robot stands in the simulator. Robots that are never simulated have none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vera_core.errors import EmbodimentError, nearest_name_hint
from vera_core.shapes import FloatArray

if TYPE_CHECKING:
    from vera_core.embodiment import Joint

SCENES = ('table_cubes', 'cube_in_hand', 'none')
"""What can stand around a robot: a table with four cubes, one cube lying in a hand, nothing."""
_REQUIRED = ('model', 'scene', 'servo', 'cameras')
_KEYS = (*_REQUIRED, 'base', 'self_play')


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPose:
    """A fixed camera that looks at a point."""

    position: tuple[float, float, float]
    """m, world frame"""
    target: tuple[float, float, float]
    """m, world frame"""
    fovy_deg: float
    """Vertical field of view, degrees."""

    @property
    def xyaxes(self) -> FloatArray:
        """Camera x and y axis in the world frame, shape (6,); the camera looks along -z (OpenGL)."""
        backward = np.subtract(self.position, self.target)
        backward = backward / np.linalg.norm(backward)
        right = np.cross([0.0, 0.0, 1.0], backward)
        right /= np.linalg.norm(right)
        return np.concatenate([right, np.cross(backward, right)])

    def focal_px(self, size: int) -> float:
        """Focal length in pixels of a size x size picture."""
        return float(size / 2 / np.tan(np.deg2rad(self.fovy_deg) / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePose:
    """Where the root of the robot's model stands, world frame."""

    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """m"""
    rpy_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Turns about the fixed x, then y, then z axis, degrees."""

    @property
    def quat_wxyz(self) -> FloatArray:
        """The same turn as a unit quaternion, shape (4,), w first as MuJoCo has it."""
        roll, pitch, yaw = np.deg2rad(self.rpy_deg) / 2
        (cr, cp, cy), (sr, sp, sy) = np.cos([roll, pitch, yaw]), np.sin([roll, pitch, yaw])
        return np.array(
            [cr * cp * cy + sr * sp * sy, sr * cp * cy - cr * sp * sy, cr * sp * cy + sr * cp * sy, cr * cp * sy - sr * sp * cy]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Servo:
    """Joint servos of the simulated robot: torque = stiffness (q_ref - q) + damping (dq_ref - dq)."""

    stiffness: float
    """N m/rad"""
    damping: float
    """N m s/rad"""
    torque: tuple[float, ...] = ()
    """What each joint can do at most, N m; empty: anything, and an arm that is blocked pushes the harder the further its command is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfPlay:
    """How far and how fast the joints go in self-play."""

    peak_speed: tuple[float, ...]
    """One per joint, rad/s."""
    spread: tuple[float, ...]
    """Standard deviation of poses about home, one per joint, rad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """How a robot stands in the simulator."""

    model: str
    """Name of a built-in model, or the absolute path of an MJCF or URDF file."""
    scene: str
    """One of `SCENES`."""
    servo: Servo
    cameras: Mapping[str, CameraPose]
    """View name to camera."""
    self_play: SelfPlay
    base: BasePose = BasePose()

    @property
    def model_path(self) -> Path | None:
        """The model's file; None for a built-in model."""
        return Path(self.model) if self.model.endswith(('.xml', '.mjcf', '.urdf')) else None


def parse_simulation(block: Mapping[str, Any], *, folder: Path | None, joints: Sequence[Joint]) -> Simulation:
    """Read the block; `folder` is where a relative path of a model starts.

    Without `self_play`, peak speeds are half of the velocity limits but at most 1 rad/s, and poses spread over a fifth of every range.
    """
    unknown = sorted(set(block) - set(_KEYS))
    if unknown:
        raise EmbodimentError(f"simulation has an unknown entry '{unknown[0]}'; {nearest_name_hint(unknown[0], _KEYS)}")
    missing = [key for key in _REQUIRED if key not in block]
    if missing:
        raise EmbodimentError(f'simulation has no {", no ".join(missing)}; compare it with robots/panda.yaml')
    model = str(block['model'])
    if model.endswith(('.xml', '.mjcf', '.urdf')) and folder is not None:
        model = str((folder / model).resolve())
    if 'self_play' in block:
        self_play = SelfPlay(**{key: tuple(float(x) for x in values) for key, values in block['self_play'].items()})
    else:
        self_play = SelfPlay(
            peak_speed=tuple(min(1.0, 0.5 * joint.velocity) for joint in joints),
            spread=tuple(0.2 * (joint.upper - joint.lower) for joint in joints),
        )
    return Simulation(
        model=model,
        scene=str(block['scene']),
        servo=_servo(block['servo']),
        cameras={str(name): _camera(camera) for name, camera in block['cameras'].items()},
        self_play=self_play,
        base=BasePose(**{key: _triple(value) for key, value in block.get('base', {}).items()}),
    )


def _servo(block: Mapping[str, Any]) -> Servo:
    numbers = {key: float(value) for key, value in block.items() if key != 'torque'}
    return Servo(**numbers, torque=tuple(float(value) for value in block.get('torque', ())))


def _camera(block: Mapping[str, Any]) -> CameraPose:
    return CameraPose(position=_triple(block['position']), target=_triple(block['target']), fovy_deg=float(block['fovy_deg']))


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def check_simulation(simulation: Simulation, *, views: Sequence[str], joint_count: int) -> None:
    """Look at every value.

    Raises:
        EmbodimentError: At the first that cannot be; the text gives the value, what may be and what to do.
    """
    if simulation.scene not in SCENES:
        raise EmbodimentError(f"unknown simulation.scene '{simulation.scene}'; {nearest_name_hint(simulation.scene, SCENES)}")
    path = simulation.model_path
    if path is not None and not path.is_file():
        raise EmbodimentError(
            f'simulation.model {path} does not exist; give a path relative to the YAML file, or the name of a built-in model'
        )
    for label, triple in (('position', simulation.base.position), ('rpy_deg', simulation.base.rpy_deg)):
        if not all(math.isfinite(value) for value in triple):
            raise EmbodimentError(f'simulation.base.{label} is {triple}; it must be three finite numbers')
    for label, number in (('stiffness', simulation.servo.stiffness), ('damping', simulation.servo.damping)):
        if not (math.isfinite(number) and number > 0):
            raise EmbodimentError(f'simulation.servo.{label} is {number}; it must be a positive number')
    torque = simulation.servo.torque
    if torque and (len(torque) != joint_count or not all(math.isfinite(value) and value > 0 for value in torque)):
        raise EmbodimentError(
            f'simulation.servo.torque is {list(torque)}; give one positive number for each of {joint_count} joints, or none'
        )
    if sorted(simulation.cameras) != sorted(views):
        raise EmbodimentError(
            f'simulation.cameras are {sorted(simulation.cameras)} but the views are {sorted(views)}; name one for every view'
        )
    for name, camera in simulation.cameras.items():
        _check_camera(name, camera)
    for label, values in (('peak_speed', simulation.self_play.peak_speed), ('spread', simulation.self_play.spread)):
        if len(values) != joint_count or not all(math.isfinite(value) and value > 0 for value in values):
            raise EmbodimentError(
                f'simulation.self_play.{label} is {list(values)}; give one positive number for each of {joint_count} joints'
            )


def _check_camera(name: str, camera: CameraPose) -> None:
    if not all(math.isfinite(value) for value in (*camera.position, *camera.target)):
        raise EmbodimentError(f'camera {name}: position {camera.position} and target {camera.target} must be finite, in m')
    if not 1.0 <= camera.fovy_deg <= 150.0:
        raise EmbodimentError(f'camera {name}: fovy_deg is {camera.fovy_deg}; it must be in [1, 150] degrees')
    away = np.subtract(camera.position, camera.target)
    if np.linalg.norm(away[:2]) < 1e-3 * np.linalg.norm(away) or not away.any():
        raise EmbodimentError(
            f'camera {name} looks straight up or down from {camera.position}, which leaves its turn open; move it sideways a little'
        )
