# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The exact image Jacobian and the exact flow of the simulated robot: the yardstick and, in simulation, the labels.

For a robot pixel with surface point P on a link, dP/dq_j = axis_j x (P - anchor_j) for every joint j between base and link that turns, axis_j for one that slides; the pinhole's
derivative takes that to pixels. This is the robot Jacobian seen through the interaction matrix of visual servoing [Chaumette & Hutchinson 2006].
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from vera_core.shapes import Array, FloatArray, check_shapes
from vera_core.types import JacobianField
from vera_sim.coupled import coupled_joints
from vera_sim.mjcf import PREFIX
from vera_sim.world import World


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """What a camera sees of the robot: one row per robot pixel."""

    rows: Array
    columns: Array
    bodies: Array
    points: FloatArray
    """World frame, shape (N, 3), m."""


def image_jacobian(world: World, view: str, q: FloatArray, *, stride: int = 4, size: int = 128) -> JacobianField:
    """Return the exact image Jacobian at joint position `q`, averaged over cells of stride x stride pixels (zero off the robot).

    Args:
        world: Its robot is put at `q`; cubes stay where they are and hide what they hide.
        view: Camera name.
        q: Shape (n,), rad.
        stride: Cell edge, px.
        size: Edge of the picture the pixels belong to, px.

    Returns:
        Field of shape (size/stride, size/stride, 2, n), px/rad; confidence is the share of each cell that the robot covers.
    """
    check_shapes(q=(q, str(len(world.robot.joints))))
    world.set_joints(q)
    surface = _robot_surface(world, view, size)
    per_pixel = np.zeros((size, size, 2, len(world.robot.joints)), np.float32)
    covered = np.zeros((size, size), np.float32)
    per_pixel[surface.rows, surface.columns] = _pixel_jacobian(world, view, surface, size)
    covered[surface.rows, surface.columns] = 1.0
    cells = size // stride
    jacobian = per_pixel.reshape(cells, stride, cells, stride, 2, -1).mean(axis=(1, 3))
    confidence = covered.reshape(cells, stride, cells, stride).mean(axis=(1, 3))
    return JacobianField(view=view, jacobian=jacobian, confidence=confidence, stride=stride)


def image_flow(world: World, view: str, q_from: FloatArray, q_to: FloatArray, *, size: int = 128) -> FloatArray:
    """Return where every robot pixel of the picture at `q_from` goes at `q_to`, shape (size, size, 2), px; zero off the robot.

    Every surface point is carried along rigidly with its link, so this is exact for any size of motion (occlusion aside).
    """
    count = str(len(world.robot.joints))
    check_shapes(q_from=(q_from, count), q_to=(q_to, count))
    world.set_joints(q_to)
    rotation_to, position_to = world.data.xmat.reshape(-1, 3, 3).copy(), world.data.xpos.copy()
    world.set_joints(q_from)
    surface = _robot_surface(world, view, size)
    rotation, position = world.data.xmat.reshape(-1, 3, 3)[surface.bodies], world.data.xpos[surface.bodies]
    local = np.einsum('nji,nj->ni', rotation, surface.points - position)
    moved = np.einsum('nij,nj->ni', rotation_to[surface.bodies], local) + position_to[surface.bodies]
    flow = np.zeros((size, size, 2), np.float32)
    flow[surface.rows, surface.columns] = world.project(view, moved, size) - world.project(view, surface.points, size)
    return flow


def _robot_surface(world: World, view: str, size: int) -> _Surface:
    geoms = world.render_geoms(view, size)
    depth = world.render_depth(view, size)
    rows, columns = np.nonzero((geoms >= 0) & world.robot_geoms[geoms])
    camera = world.data.camera(view)
    focal, centre = world.simulation.cameras[view].focal_px(size), (size - 1) / 2
    distance = depth[rows, columns]
    local = np.stack([(columns - centre) / focal * distance, -(rows - centre) / focal * distance, -distance], axis=1)
    points = local @ camera.xmat.reshape(3, 3).T + camera.xpos
    return _Surface(rows, columns, world.model.geom_bodyid[geoms[rows, columns]], points)


def _pixel_jacobian(world: World, view: str, surface: _Surface, size: int) -> FloatArray:
    """Derivative of each robot pixel with respect to the joints, shape (N, 2, n), px/rad."""
    camera = world.data.camera(view)
    rotation = camera.xmat.reshape(3, 3)
    local = (surface.points - camera.xpos) @ rotation
    focal = world.simulation.cameras[view].focal_px(size)
    x, y, z = local.T
    # u = c - f x / z and v = c + f y / z with z < 0 in front of an OpenGL camera.
    zero = np.zeros_like(z)
    pinhole = np.stack([np.stack([-focal / z, zero, focal * x / z**2], 1), np.stack([zero, focal / z, -focal * y / z**2], 1)], 1)
    result = np.empty((len(z), 2, len(world.robot.joints)), np.float32)
    for column, name in enumerate(world.robot.joint_names):
        joint = world.model.joint(PREFIX + name).id
        velocity = _velocity(world, joint, surface)
        for coupled in coupled_joints(world.model):
            if coupled.leader == joint:
                leader = float(world.data.qpos[world.model.jnt_qposadr[joint]])
                velocity = velocity + coupled.rate(leader) * _velocity(world, coupled.joint, surface)
        result[:, :, column] = np.einsum('nij,nj->ni', pinhole, velocity @ rotation)
    return result


def _velocity(world: World, joint: int, surface: _Surface) -> FloatArray:
    """Derivative of each surface point with respect to one joint of the model by its id, shape (N, 3), m per rad or per m."""
    moves = _descendants(world.model, int(world.model.jnt_bodyid[joint]))[surface.bodies]
    axis, anchor = world.data.xaxis[joint], world.data.xanchor[joint]
    slides = world.model.jnt_type[joint] == int(mujoco.mjtJoint.mjJNT_SLIDE)
    velocity = np.broadcast_to(axis, surface.points.shape) if slides else np.cross(axis, surface.points - anchor)
    return np.asarray(velocity * moves[:, None])


def _descendants(model: mujoco.MjModel, body: int) -> Array:
    below = np.zeros(model.nbody, bool)
    below[body] = True
    for child in range(body + 1, model.nbody):
        below[child] = below[model.body_parentid[child]]
    return below
