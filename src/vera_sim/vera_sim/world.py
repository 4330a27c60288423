# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One simulated table: physics, pictures, contacts. No clock and no ROS: whoever owns it decides when time passes."""

from __future__ import annotations

import mujoco
import numpy as np

from vera_core.errors import ConfigError, nearest_name_hint
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_sim.mjcf import CAMERAS, TIMESTEP_S, build_model
from vera_sim.scene import COLOURS, Scene

JOINT_NAMES = tuple(f'panda_joint{i}' for i in range(1, 8))
FINGER_NAMES = ('panda_finger_joint1', 'panda_finger_joint2')
CAMERA_SIZE = 256


class World:
    """A Panda at a table with cubes.

    Attributes:
        model: Compiled MuJoCo model; cube sizes in it change with the scene.
        data: State of the one simulation this object owns.
        scene: What stands on the table.
    """

    def __init__(self, scene: Scene, *, camera_size: int = CAMERA_SIZE) -> None:
        self.model = build_model()
        self.data = mujoco.MjData(self.model)
        self.camera_size = camera_size
        self._renderers: dict[int, mujoco.Renderer] = {}
        self._qpos = np.array([self.model.joint(name).qposadr[0] for name in JOINT_NAMES])
        self._dof = np.array([self.model.joint(name).dofadr[0] for name in JOINT_NAMES])
        self._finger_qpos = np.array([self.model.joint(name).qposadr[0] for name in FINGER_NAMES])
        # Actuators by name: their order in the model is nobody's promise.
        self._position = np.array([self.model.actuator(f'{name}_position').id for name in JOINT_NAMES])
        self._velocity = np.array([self.model.actuator(f'{name}_velocity').id for name in JOINT_NAMES])
        robot_root = self.model.body('panda_link0').id
        self.robot_bodies = np.array([self.model.body_rootid[i] == robot_root for i in range(self.model.nbody)])
        self.robot_geoms = self.robot_bodies[self.model.geom_bodyid]
        self._option = mujoco.MjvOption()
        self.set_scene(scene)

    # -- scene and state -------------------------------------------------------------------------------------------------

    def set_scene(self, scene: Scene) -> None:
        """Put the cubes of `scene` on the table, at rest; the arm stays where it is."""
        self.scene = scene
        for cube in scene.cubes:
            geom = self.model.geom(cube.name)
            half = cube.size / 2
            geom.size[:] = half
            geom.rbound[0] = half * np.sqrt(3)
            self.model.geom_aabb[geom.id] = [0, 0, 0, half, half, half]
            body = self.model.body(cube.name)
            body.inertia[:] = body.mass[0] * cube.size**2 / 6
            joint = self.model.joint(cube.name)
            self.data.qpos[joint.qposadr[0] : joint.qposadr[0] + 7] = [*cube.xy, half, np.cos(cube.yaw / 2), 0, 0, np.sin(cube.yaw / 2)]
            self.data.qvel[joint.dofadr[0] : joint.dofadr[0] + 6] = 0
        mujoco.mj_forward(self.model, self.data)

    def set_joints(self, position: FloatArray) -> None:
        """Put the arm at `position`, shape (7,), rad, at rest, and let the servos hold it there."""
        self.data.qpos[self._qpos] = position
        self.data.qpos[self._finger_qpos] = 0.0
        self.data.qvel[self._dof] = 0
        self.data.ctrl[self._position] = position
        self.data.ctrl[self._velocity] = 0
        mujoco.mj_forward(self.model, self.data)

    def copy_state(self, other: World) -> None:
        """Show what `other` shows at this moment: its scene, joints and cubes."""
        if other.scene is not self.scene:
            self.set_scene(other.scene)
        self.data.qpos[:] = other.data.qpos
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    @property
    def joint_position(self) -> FloatArray:
        """Measured joints, shape (7,), rad."""
        return np.asarray(self.data.qpos[self._qpos].copy())

    @property
    def joint_velocity(self) -> FloatArray:
        """Measured joint velocities, shape (7,), rad/s."""
        return np.asarray(self.data.qvel[self._dof].copy())

    @property
    def finger_position(self) -> FloatArray:
        """Finger joints, shape (2,), m."""
        return np.asarray(self.data.qpos[self._finger_qpos].copy())

    @property
    def fingertip(self) -> FloatArray:
        """Lowest point between the closed fingers in the base frame, shape (3,), m."""
        return np.asarray(self.data.site('fingertip').xpos.copy())

    def cube_position(self, name: str) -> FloatArray:
        """Centre of a cube in the base frame, shape (3,), m."""
        self.scene.cube(name)
        return np.asarray(self.data.body(name).xpos.copy())

    # -- physics ---------------------------------------------------------------------------------------------------------

    def step(self, position: FloatArray, velocity: FloatArray) -> None:
        """Advance by one time step with the servos tracking a reference, shapes (7,), rad and rad/s."""
        self.data.ctrl[self._position] = position
        self.data.ctrl[self._velocity] = velocity
        mujoco.mj_step(self.model, self.data)

    def touching(self) -> tuple[str, ...]:
        """Names of the cubes that hand or fingers are in contact with, in the order of the scene."""
        touched: set[str] = set()
        for contact in self.data.contact:
            if contact.dist > 0:
                continue
            first, second = (int(geom) for geom in contact.geom)
            for robot, other in ((first, second), (second, first)):
                if self.robot_geoms[robot]:
                    touched.add(self.model.geom(other).name)
        return tuple(cube.name for cube in self.scene.cubes if cube.name in touched)

    # -- pictures --------------------------------------------------------------------------------------------------------

    def render(self, view: str) -> RgbArray:
        """Return the camera picture, shape (S, S, 3), uint8 RGB."""
        renderer = self._renderer(self.camera_size)
        renderer.update_scene(self.data, camera=self._camera(view), scene_option=self._option)
        return np.asarray(renderer.render().copy())

    def render_depth(self, view: str, size: int) -> FloatArray:
        """Return the distance along the optical axis, shape (size, size), m."""
        renderer = self._renderer(size)
        renderer.enable_depth_rendering()
        renderer.update_scene(self.data, camera=self._camera(view), scene_option=self._option)
        depth = np.asarray(renderer.render().copy())
        renderer.disable_depth_rendering()
        return depth

    def render_geoms(self, view: str, size: int) -> Array:
        """Return the id of the geom seen in every pixel, shape (size, size), int; -1 where there is none."""
        renderer = self._renderer(size)
        renderer.update_scene(self.data, camera=self._camera(view), scene_option=self._option)
        # The library's own segmentation mode maps colours to ids in slow Python; here ids are read from the colours at once.
        flags = renderer.scene.flags
        before = flags[mujoco.mjtRndFlag.mjRND_SEGMENT], flags[mujoco.mjtRndFlag.mjRND_IDCOLOR]
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
        picture = renderer.render().astype(np.int32)
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT], flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = before
        index = picture[..., 0] + (picture[..., 1] << 8) + (picture[..., 2] << 16)
        table = np.full(renderer.scene.ngeom + 1, -1)
        for geom in renderer.scene.geoms[: renderer.scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM and geom.segid >= 0:
                table[geom.segid + 1] = geom.objid
        return np.asarray(table[np.clip(index, 0, len(table) - 1)])

    def robot_mask(self, view: str) -> Array:
        """Return where the robot is seen at camera size, shape (S, S), bool."""
        # Two depth pictures, one with the robot alone, cost half of an id picture.
        full = self.render_depth(view, self.camera_size)
        self._option.geomgroup[0] = 0
        alone = self.render_depth(view, self.camera_size)
        self._option.geomgroup[0] = 1
        return np.asarray((alone < 5.0) & (alone <= full + 2e-3))

    def project(self, view: str, points: FloatArray, size: int) -> FloatArray:
        """Project points of the base frame, shape (N, 3), m, to pixels (u, v) of a size x size picture, shape (N, 2)."""
        camera = self.data.camera(view)
        local = (np.atleast_2d(points) - camera.xpos) @ camera.xmat.reshape(3, 3)
        focal = focal_px(view, size)
        centre = (size - 1) / 2
        return np.stack([centre + focal * local[:, 0] / -local[:, 2], centre - focal * local[:, 1] / -local[:, 2]], axis=1)

    def _camera(self, view: str) -> str:
        if view not in CAMERAS:
            raise ConfigError(f"no camera '{view}' in the simulation; {nearest_name_hint(view, CAMERAS)}")
        return view

    def _renderer(self, size: int) -> mujoco.Renderer:
        if size not in self._renderers:
            self._renderers[size] = mujoco.Renderer(self.model, size, size)
        return self._renderers[size]

    def close(self) -> None:
        """Free the rendering contexts."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()


def focal_px(view: str, size: int) -> float:
    """Focal length of a view in pixels of a size x size picture."""
    return float(size / 2 / np.tan(np.deg2rad(CAMERAS[view].fovy_deg) / 2))


def cube_names() -> tuple[str, ...]:
    """Names of all cubes a scene can hold."""
    return tuple(f'{colour}_cube' for colour in COLOURS)


__all__ = ['CAMERA_SIZE', 'FINGER_NAMES', 'JOINT_NAMES', 'TIMESTEP_S', 'World', 'cube_names', 'focal_px']
