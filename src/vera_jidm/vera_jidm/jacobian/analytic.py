# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The field of a robot whose model and cameras are known: no learning, and the yardstick of what learning can reach.

A surface point P of a body below joint j moves by dP/dq_j = axis_j x (P - anchor_j) if the joint turns and by axis_j if it slides; the
derivative of the pinhole takes that to the picture. This is the robot Jacobian seen through the interaction matrix of visual servoing
[Chaumette & Hutchinson 2006]. MuJoCo draws the model at the measured joints to say which body is seen where and how far away.
"""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, ModelContractError, nearest_name_hint
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_core.types import JacobianField
from vera_jidm.jacobian.calibrated import calibrated_setup
from vera_jidm.jacobian.calibration import AnalyticSetup, CameraCalibration, load_setup
from vera_jidm.jacobian.model import checked_picture, checked_position
from vera_jidm.jacobian.silhouette import Silhouette

SETUP = 'analytic.yaml'


def analytic_field(robot: Embodiment, folder: Path | None = None) -> AnalyticField:
    """Return the analytic field of a setup file, of `analytic.yaml` in a folder, or without either of what the robot file says.

    Raises:
        ConfigError: If there is no setup or it is incomplete.
        ModelContractError: If model and robot do not fit together.
    """
    if folder is None:
        return make_analytic_field(robot, calibrated_setup(robot))
    return make_analytic_field(robot, load_setup(folder / SETUP if folder.is_dir() else folder))


def make_analytic_field(robot: Embodiment, setup: AnalyticSetup) -> AnalyticField:
    """Return the analytic field of a setup; its model is read from the file."""
    return AnalyticField(robot, read_model(setup.model), setup.cameras, joints=setup.joints, base=setup.base)


def read_model(path: Path) -> mujoco.MjModel:
    """Read URDF, MJCF or .mjb; of a URDF with visual shapes those are drawn.

    Raises:
        ConfigError: If the file is missing or MuJoCo cannot read it.
    """
    if not path.is_file():
        raise ConfigError(f'robot model {path} does not exist; give the path of a URDF, MJCF or .mjb file')
    try:
        if path.suffix == '.mjb':
            return mujoco.MjModel.from_binary_path(str(path))
        if path.suffix == '.urdf':
            return _read_urdf(path)
        return mujoco.MjModel.from_xml_path(str(path))
    except (ValueError, ElementTree.ParseError) as error:
        raise ConfigError(f'robot model {path} cannot be read: {error}') from error


def _read_urdf(path: Path) -> mujoco.MjModel:
    """Read a URDF as a picture of the robot: visual shapes where there are any, and links that do not move stay links."""
    document = ElementTree.parse(path).getroot()
    extension = document.find('mujoco')
    extension = ElementTree.SubElement(document, 'mujoco') if extension is None else extension
    compiler = extension.find('compiler')
    compiler = ElementTree.SubElement(extension, 'compiler') if compiler is None else compiler
    compiler.attrib.update(discardvisual='false', fusestatic='false')
    spec = mujoco.MjSpec.from_string(ElementTree.tostring(document, encoding='unicode'))
    spec.modelfiledir = str(path.parent)
    model = spec.compile()
    visual = (model.geom_group == 1) & (model.geom_contype == 0)
    if visual.any():
        model.geom_group[~visual] = 3  # MuJoCo's group for shapes that only collide, which is not drawn
    return model


class AnalyticField:
    """The exact image Jacobian of a rigid robot. Implements JacobianModel.

    Args:
        robot: Whose joints, views and picture size are used.
        model: Of the robot; what it holds besides stays where the model has it, and what can move by itself is not drawn.
        cameras: Calibration of every view of the robot.
        joints: Robot's joint name to the model's, where they differ.
        base: Body whose frame the calibrations mean; '' for the model's world.
        stride: Edge of a cell, px.

    Raises:
        ModelContractError: If a joint, view or body is missing, or a joint neither turns nor slides.
    """

    def __init__(
        self,
        robot: Embodiment,
        model: mujoco.MjModel,
        cameras: Mapping[str, CameraCalibration],
        *,
        joints: Mapping[str, str] | None = None,
        base: str = '',
        stride: int = 4,
    ) -> None:
        if any(edge % stride for edge in robot.working_size):
            raise ModelContractError(f'working size {robot.working_size} is not a multiple of {stride} px')
        missing = [view for view in robot.view_names if view not in cameras]
        if missing:
            raise ModelContractError(f'no calibration of views {missing}; the setup has cameras {sorted(cameras)}')
        self._robot, self._model, self._stride = robot, model, stride
        self._cameras = {view: cameras[view].at_size(robot.working_size) for view in robot.view_names}
        self._data = mujoco.MjData(model)
        names = [(joints or {}).get(name, name) for name in robot.joint_names]
        self._joints = np.array([_joint_id(model, name) for name in names])
        self._slides = model.jnt_type[self._joints] == mujoco.mjtJoint.mjJNT_SLIDE.value
        self._moves = np.stack([_descendants(model, int(model.jnt_bodyid[joint])) for joint in self._joints])
        self._followers = _followers(model, self._joints)
        roots = np.unique(model.body_rootid[model.jnt_bodyid[self._joints]])
        self._of_robot = np.isin(model.body_rootid, roots)
        self._base = _body_id(model, base) if base else 0
        self._drawings = threading.local()

    def predict(self, frames: Mapping[str, RgbArray], position: FloatArray) -> Mapping[str, JacobianField]:
        """Return the field of every view; the pictures are checked but not looked at.

        Args:
            frames: View name to picture at working size, shape (H, W, 3), uint8.
            position: Measured joints in the robot's order, shape (n,), rad or m.

        Raises:
            ShapeError: If a view is missing, a picture has another size or type, or the joints are too few, too many or not finite.
        """
        position = checked_position(position, len(self._joints))
        for view in self._cameras:
            checked_picture(frames, view, self._robot.working_size)
        return self.at(position)

    def at(self, position: FloatArray) -> dict[str, JacobianField]:
        """Return the field of every view at a joint position, shape (n,), rad or m; no pictures are needed.

        Averaged over cells, zero off the robot; confidence is the share of the cell that shows the robot.
        """
        data = self._data
        data.qpos[:] = self._model.qpos0
        data.qpos[self._model.jnt_qposadr[self._joints]] = position
        for follower in self._followers:
            rest = self._model.qpos0[self._model.jnt_qposadr[self._joints[follower.column]]]
            data.qpos[self._model.jnt_qposadr[follower.joint]] += follower.offset + follower.rate * (position[follower.column] - rest)
        mujoco.mj_kinematics(self._model, data)
        return {view: self._field(view, camera) for view, camera in self._cameras.items()}

    def _field(self, view: str, camera: CameraCalibration) -> JacobianField:
        base = self._data.xmat[self._base].reshape(3, 3)
        rotation, centre = base @ camera.rotation, self._data.xpos[self._base] + base @ np.array(camera.position)
        bodies, distance = self._silhouette().draw(self._data, camera, rotation, centre)
        rows, columns = np.nonzero((bodies >= 0) & self._of_robot[bodies])
        depth = distance[rows, columns]
        rays = np.stack([(columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy, np.ones(len(rows))], axis=1)
        velocity = self._velocity(rays * depth[:, None] @ rotation.T + centre, bodies[rows, columns]) @ rotation
        inverse = (1 / depth)[:, None]
        motion = np.stack(
            [
                camera.fx * inverse * (velocity[..., 0] - rays[:, :1] * velocity[..., 2]),
                camera.fy * inverse * (velocity[..., 1] - rays[:, 1:2] * velocity[..., 2]),
            ],
            axis=1,
        )
        height, width = self._robot.working_size
        jacobian, seen = np.zeros((height, width, 2, len(self._joints)), np.float32), np.zeros((height, width), np.float32)
        jacobian[rows, columns], seen[rows, columns] = motion, 1.0
        cells = (height // self._stride, self._stride, width // self._stride, self._stride)
        return JacobianField(
            view=view,
            jacobian=jacobian.reshape(*cells, 2, -1).mean(axis=(1, 3)),
            confidence=seen.reshape(cells).mean(axis=(1, 3)),
            stride=self._stride,
        )

    def _velocity(self, points: FloatArray, bodies: Array) -> FloatArray:
        """Return dP/dq of surface points, shape (N, n, 3), m per rad or m, for points (N, 3) in the world on bodies (N,)."""
        axes, anchors = self._data.xaxis[self._joints], self._data.xanchor[self._joints]
        turning = np.cross(axes[None], points[:, None] - anchors[None])
        velocity = np.where(self._slides[:, None], axes, turning) * self._moves[:, bodies].T[:, :, None]
        for follower in self._followers:
            axis, anchor = self._data.xaxis[follower.joint], self._data.xanchor[follower.joint]
            moved = axis if follower.slides else np.cross(axis, points - anchor)
            velocity[:, follower.column] += follower.rate * moved * follower.moves[bodies][:, None]
        return np.asarray(velocity)

    def _silhouette(self) -> Silhouette:
        """Return this thread's drawing; what moves by itself is left out because nobody measures where it is."""
        if not hasattr(self._drawings, 'silhouette'):
            model = self._model
            still = model.body_weldid == 0
            self._drawings.silhouette = Silhouette(model, self._of_robot | still, self._robot.working_size)
        silhouette: Silhouette = self._drawings.silhouette
        return silhouette


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Follower:
    """A joint of the model that follows one of the robot's, as the fingers of a gripper follow its motor."""

    joint: int
    """Its id in the model."""
    column: int
    """Which of the robot's joints it follows."""
    offset: float
    """rad or m"""
    rate: float
    """Its motion per motion of that joint, rad or m per rad or m."""
    slides: bool
    moves: Array
    """Which bodies it carries, shape (bodies,), bool."""


def _followers(model: mujoco.MjModel, joints: Array) -> tuple[_Follower, ...]:
    """Return what the model's equality constraints between two joints make follow `joints`; of a curved relation the straight part."""
    found = []
    for index in np.flatnonzero((model.eq_type == mujoco.mjtEq.mjEQ_JOINT.value) & (model.eq_active0 == 1)):
        joint, column = int(model.eq_obj1id[index]), np.flatnonzero(joints == model.eq_obj2id[index])
        if len(column) and joint not in joints:
            found.append(
                _Follower(
                    joint=joint,
                    column=int(column[0]),
                    offset=float(model.eq_data[index, 0]),
                    rate=float(model.eq_data[index, 1]),
                    slides=model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE.value,
                    moves=_descendants(model, int(model.jnt_bodyid[joint])),
                )
            )
    return tuple(found)


def _joint_id(model: mujoco.MjModel, name: str) -> int:
    known = [model.joint(joint).name for joint in range(model.njnt)]
    if name not in known:
        raise ModelContractError(f"the model has no joint '{name}'; {nearest_name_hint(name, known)}")
    joint = known.index(name)
    if model.jnt_type[joint] not in (mujoco.mjtJoint.mjJNT_HINGE.value, mujoco.mjtJoint.mjJNT_SLIDE.value):
        raise ModelContractError(f"joint '{name}' of the model neither turns about nor slides along one axis")
    return joint


def _body_id(model: mujoco.MjModel, name: str) -> int:
    known = [model.body(body).name for body in range(model.nbody)]
    if name not in known:
        raise ModelContractError(f"the model has no body '{name}' for the base frame; {nearest_name_hint(name, known)}")
    return known.index(name)


def _descendants(model: mujoco.MjModel, body: int) -> Array:
    """Return which bodies a joint of this body carries, shape (bodies,), bool: parents come before children."""
    below = np.zeros(model.nbody, bool)
    below[body] = True
    for child in range(body + 1, model.nbody):
        below[child] = below[model.body_parentid[child]]
    return below
