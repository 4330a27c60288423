# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""One simulated robot and what lies about it: physics, pictures, contacts. No clock and no ROS: whoever owns it decides when time passes."""

from __future__ import annotations

import mujoco
import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, nearest_name_hint
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_sim.coupled import coupled_joints
from vera_sim.mjcf import PREFIX, build_model
from vera_sim.obstacle import Obstacle, PushMeter
from vera_sim.scene import COLOURS, Scene, cube_names, required_simulation, sample_scene
from vera_sim.scenery import TIMESTEP_S

CAMERA_SIZE = 256


class World:
    """A robot and the objects of its scene.

    Attributes:
        robot: The robot; joint arrays have its order.
        simulation: How it stands in the simulator.
        model: Compiled MuJoCo model; cube sizes in it change with the scene.
        data: State of the one simulation this object owns.
        scene: What lies about the robot.
        passive_names: Joints of the robot that nobody commands, for example a gripper's.
        robot_bodies: Which bodies are the robot's, shape (nbody,), bool.
        robot_geoms: Which geoms are the robot's, shape (ngeom,), bool.
    """

    def __init__(
        self, robot: Embodiment, scene: Scene | None = None, *, camera_size: int = CAMERA_SIZE, obstacle: Obstacle | None = None
    ) -> None:
        """Build the world of `robot` with `scene`, that of seed 0 when None, and an obstacle no camera sees.

        Raises:
            EmbodimentError: If the robot cannot be simulated; the text says why.
        """
        self.robot = robot
        self.simulation = required_simulation(robot)
        self.model = build_model(robot, obstacle)
        self.data = mujoco.MjData(self.model)
        self.camera_size = camera_size
        self._renderers: dict[int, mujoco.Renderer] = {}
        self._qpos = np.array([self.model.joint(PREFIX + name).qposadr[0] for name in robot.joint_names])
        self._dof = np.array([self.model.joint(PREFIX + name).dofadr[0] for name in robot.joint_names])
        # Actuators by name: their order in the model is nobody's promise.
        self._position = np.array([self.model.actuator(f'{PREFIX}{name}_position').id for name in robot.joint_names])
        self._velocity = np.array([self.model.actuator(f'{PREFIX}{name}_velocity').id for name in robot.joint_names])
        self.robot_bodies = self._find_robot_bodies()
        self.robot_geoms = self.robot_bodies[self.model.geom_bodyid]
        self._push_meter = None if obstacle is None else PushMeter(self.model, self.robot_geoms)
        self.passive_names, self._passive_qpos = self._find_passive_joints()
        self._coupled = coupled_joints(self.model)
        self._tips = self._find_points('fingertip')
        self._marks = self._find_points('mark') or self._tips
        self._option = mujoco.MjvOption()
        self.set_scene(scene or sample_scene(robot, 0))

    def _find_robot_bodies(self) -> Array:
        objects = [self.model.body(name).id for name in cube_names(self.simulation.scene)]
        return (np.arange(self.model.nbody) > 0) & ~np.isin(self.model.body_rootid, objects)

    def _find_passive_joints(self) -> tuple[tuple[str, ...], Array]:
        simple = (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE))
        found = [
            index
            for index in range(self.model.njnt)
            if self.robot_bodies[self.model.jnt_bodyid[index]]
            and int(self.model.jnt_type[index]) in simple
            and self.model.joint(index).name.removeprefix(PREFIX) not in self.robot.joint_names
        ]
        return tuple(self.model.joint(index).name.removeprefix(PREFIX) for index in found), self.model.jnt_qposadr[found]

    def _find_points(self, prefix: str) -> list[tuple[int, FloatArray]]:
        """Bodies and points on them, m: the sites of that name; of fingertips the middles of the last links where the model has no such site."""
        sites = [self.model.site(index) for index in range(self.model.nsite)]
        marked = [(int(site.bodyid[0]), site.pos.copy()) for site in sites if site.name.startswith(PREFIX + prefix)]
        if marked or prefix != 'fingertip':
            return marked
        last = set(np.flatnonzero(self.robot_bodies).tolist()) - set(self.model.body_parentid.tolist())
        return [(body, self.model.body_ipos[body].copy()) for body in sorted(last)]

    # -- scene and state -------------------------------------------------------------------------------------------------

    def set_scene(self, scene: Scene) -> None:
        """Put the cubes of `scene` in their places, at rest; the robot stays where it is.

        Raises:
            ConfigError: If the scene is one of another kind of robot.
        """
        names = tuple(cube.name for cube in scene.cubes)
        if names != cube_names(self.simulation.scene):
            raise ConfigError(f'a scene with {names} does not fit robot {self.robot.name}; draw it with sample_scene(robot, seed)')
        self.scene = scene
        for cube in scene.cubes:
            geom = self.model.geom(cube.name)
            half = cube.size / 2
            geom.size[:] = half
            geom.rgba[:3] = COLOURS[cube.colour]
            geom.rbound[0] = half * np.sqrt(3)
            self.model.geom_aabb[geom.id] = [0, 0, 0, half, half, half]
            body = self.model.body(cube.name)
            body.inertia[:] = body.mass[0] * cube.size**2 / 6
            joint = self.model.joint(cube.name)
            self.data.qpos[joint.qposadr[0] : joint.qposadr[0] + 7] = [
                *cube.xy,
                cube.floor + half,
                np.cos(cube.yaw / 2),
                0,
                0,
                np.sin(cube.yaw / 2),
            ]
            self.data.qvel[joint.dofadr[0] : joint.dofadr[0] + 6] = 0
        mujoco.mj_forward(self.model, self.data)

    def set_joints(self, position: FloatArray) -> None:
        """Put the robot at `position`, shape (n,), rad, at rest, and let the servos hold it there."""
        self.data.qpos[self._qpos] = position
        self.data.qpos[self._passive_qpos] = self.model.qpos0[self._passive_qpos]
        for coupled in self._coupled:
            leader = self.data.qpos[self.model.jnt_qposadr[coupled.leader]]
            self.data.qpos[self.model.jnt_qposadr[coupled.joint]] = coupled.position(float(leader))
        self.data.qvel[self._dof] = 0
        self.data.ctrl[self._position] = position
        self.data.ctrl[self._velocity] = 0
        mujoco.mj_forward(self.model, self.data)

    @property
    def state(self) -> FloatArray:
        """Where everything is, shape (nq,); for `show`."""
        return np.asarray(self.data.qpos.copy())

    def show(self, state: FloatArray) -> None:
        """Put everything, robot and cubes, where it was in a `state` of a world of the same robot and scene, for pictures; nothing moves."""
        self.data.qpos[:] = state
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def copy_state(self, other: World) -> None:
        """Show what `other` shows at this moment: its scene, joints and cubes."""
        if other.scene is not self.scene:
            self.set_scene(other.scene)
        self.show(other.data.qpos)

    @property
    def joint_position(self) -> FloatArray:
        """Measured joints, shape (n,), rad."""
        return np.asarray(self.data.qpos[self._qpos].copy())

    @property
    def joint_velocity(self) -> FloatArray:
        """Measured joint velocities, shape (n,), rad/s."""
        return np.asarray(self.data.qvel[self._dof].copy())

    @property
    def passive_position(self) -> FloatArray:
        """Joints nobody commands, in the order of `passive_names`, rad or m."""
        return np.asarray(self.data.qpos[self._passive_qpos].copy())

    @property
    def fingertips(self) -> FloatArray:
        """The robot's outermost points, world frame, shape (K, 3), m: one for an arm, one per finger for a hand."""
        return self._place(self._tips)

    @property
    def marks(self) -> FloatArray:
        """Points that tell how the fingers stand, world frame, shape (K, 3), m: the lower ends of a driven gripper's fingers, else the fingertips."""
        return self._place(self._marks)

    def _place(self, points: list[tuple[int, FloatArray]]) -> FloatArray:
        return np.array([self.data.xpos[body] + self.data.xmat[body].reshape(3, 3) @ point for body, point in points])

    @property
    def fingertip(self) -> FloatArray:
        """The first of `fingertips`, shape (3,), m; the Panda's is the lowest point between its closed fingers."""
        return np.asarray(self.fingertips[0])

    def cube_position(self, name: str) -> FloatArray:
        """Centre of a cube in the world frame, shape (3,), m."""
        self.scene.cube(name)
        return np.asarray(self.data.body(name).xpos.copy())

    # -- physics ---------------------------------------------------------------------------------------------------------

    def step(self, position: FloatArray, velocity: FloatArray) -> None:
        """Advance by one time step with the servos tracking a reference, shapes (n,), rad and rad/s."""
        self.data.ctrl[self._position] = position
        self.data.ctrl[self._velocity] = velocity
        mujoco.mj_step(self.model, self.data)

    def touching(self) -> tuple[str, ...]:
        """Names of the cubes that the robot is in contact with, in the order of the scene."""
        geoms = self.data.contact.geom[self.data.contact.dist <= 0]  # all contacts at once: this is asked fifty times a second
        by_robot = self.robot_geoms[geoms]
        others = {int(geom) for geom in np.concatenate([geoms[by_robot[:, 0], 1], geoms[by_robot[:, 1], 0]])}
        touched = {self.model.geom(geom).name for geom in others}
        return tuple(cube.name for cube in self.scene.cubes if cube.name in touched)

    @property
    def has_obstacle(self) -> bool:
        """Whether something unseen stands in the way."""
        return self._push_meter is not None

    def push(self) -> float:
        """Return the force with which the robot pushes against the obstacle, N; 0 without one."""
        return 0.0 if self._push_meter is None else self._push_meter.force(self.data)

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
        """Project points of the world frame, shape (N, 3), m, to pixels (u, v) of a size x size picture, shape (N, 2)."""
        camera = self.data.camera(view)
        local = (np.atleast_2d(points) - camera.xpos) @ camera.xmat.reshape(3, 3)
        focal = self.simulation.cameras[view].focal_px(size)
        centre = (size - 1) / 2
        return np.stack([centre + focal * local[:, 0] / -local[:, 2], centre - focal * local[:, 1] / -local[:, 2]], axis=1)

    def _camera(self, view: str) -> str:
        if view not in self.simulation.cameras:
            raise ConfigError(f"no camera '{view}' in the simulation; {nearest_name_hint(view, self.simulation.cameras)}")
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


__all__ = ['CAMERA_SIZE', 'TIMESTEP_S', 'World']
