# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Proposes where two cameras should stand: a quarter turn apart, the robot's reach filling both pictures, every joint seen to move."""

from __future__ import annotations

import itertools

import mujoco
import numpy as np

from vera_bringup.robot_model import RobotModel
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_core.simulated import CameraPose

VIEWS = ('front', 'side')
FOVY_DEG = 33.5
FILLED = 0.94
"""The reach ends at this share of the way from the middle to the border of the picture."""
REACHED = 98.0
"""This percentage of all places the robot reaches is inside."""
# The simulated room has its walls at negative x and positive y: cameras stand on the other sides and look at them.
AZIMUTHS_DEG = tuple(range(0, 76, 15))
ROOM_X_M, ROOM_Y_M, FLOOR_M = -0.95, 1.25, 0.05
ELEVATIONS_DEG = (15.0, 28.0, 40.0)
POSES = 48


def propose_cameras(robot: RobotModel, spread: FloatArray) -> dict[str, CameraPose]:
    """Return a camera for every view name.

    Of all pairs of directions a quarter turn apart the one is taken with the highest sum over joints of log(motion energy in both
    pictures), so that no joint is hidden by its axis pointing at both cameras.

    Args:
        robot: What is to be seen.
        spread: Standard deviation of poses about home, shape (n,), rad.

    Raises:
        ConfigError: If the robot is too large for the simulated room.
    """
    points, motion = _reach(robot, spread)
    low, high = np.percentile(points, [100 - REACHED, REACHED], axis=0)
    target = (low + high) / 2
    best: tuple[float, list[CameraPose]] | None = None
    for azimuth, elevation in itertools.product(AZIMUTHS_DEG, ELEVATIONS_DEG):
        pair = [_framed(points, target, angle, elevation) for angle in (azimuth, azimuth - 90)]
        if any(x < ROOM_X_M or y > ROOM_Y_M or z < FLOOR_M for x, y, z in (camera.position for camera in pair)):
            continue
        energy = sum(_energy(camera, points, motion) for camera in pair)
        score = float(np.sum(np.log(energy + 1e-9)))
        if best is None or score > best[0] + 1e-9:
            best = score, pair
    if best is None:
        raise ConfigError(
            f'the robot reaches from {np.round(low, 2).tolist()} to {np.round(high, 2).tolist()} m, which no camera in the simulated room sees whole; '
            'are lengths in metres?'
        )
    return dict(zip(VIEWS, best[1], strict=True))


def _reach(robot: RobotModel, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Corners of all moving parts in random poses, shape (M, 3), m, and how each joint moves them, shape (M, n, 3), m/rad."""
    model, data = robot.model, mujoco.MjData(robot.model)
    parts = robot.seen_geoms
    corners = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    local = model.geom_aabb[parts, None, :3] + corners * model.geom_aabb[parts, None, 3:]
    lower, upper = (np.array([getattr(joint, side) for joint in robot.joints]) for side in ('lower', 'upper'))
    bodies = np.repeat(model.geom_bodyid[parts], len(corners))
    moves = np.stack([_below(model, int(model.joint(joint.name).bodyid[0]))[bodies] for joint in robot.joints], axis=1)
    rng = np.random.default_rng(0)
    points, motion = [], []
    for _ in range(POSES):
        data.qpos[robot.qpos_index] = np.clip(robot.home + rng.normal(0.0, spread), lower, upper)
        mujoco.mj_kinematics(model, data)
        rotation = data.geom_xmat[parts].reshape(-1, 3, 3)
        here = (np.einsum('gij,gcj->gci', rotation, local) + data.geom_xpos[parts, None]).reshape(-1, 3)
        axes = np.stack([data.joint(joint.name).xaxis for joint in robot.joints])
        anchors = np.stack([data.joint(joint.name).xanchor for joint in robot.joints])
        points.append(here)
        motion.append(np.cross(axes[None], here[:, None] - anchors[None]) * moves[..., None])
    return np.concatenate(points), np.concatenate(motion)


def _below(model: mujoco.MjModel, body: int) -> FloatArray:
    below = np.zeros(model.nbody)
    below[body] = 1.0
    for child in range(body + 1, model.nbody):
        below[child] = max(below[child], below[model.body_parentid[child]])
    return below


def _framed(points: FloatArray, target: FloatArray, azimuth_deg: float, elevation_deg: float) -> CameraPose:
    """Camera in a direction from the target, as near as the reach allows."""
    azimuth, elevation = np.deg2rad([azimuth_deg, elevation_deg])
    direction = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    away = _pose(target + direction, target)
    axes = np.stack([away.xyaxes[:3], away.xyaxes[3:], direction])
    local = (points - target) @ axes.T
    # A point at height z above the target plane is inside when |x| <= (distance - z) tan(half angle).
    opening = FILLED * np.tan(np.deg2rad(FOVY_DEG) / 2)
    needed = local[:, 2] + np.abs(local[:, :2]).max(axis=1) / opening
    return _pose(target + float(np.percentile(needed, REACHED)) * direction, target)


def _pose(position: FloatArray, target: FloatArray) -> CameraPose:
    (px, py, pz), (tx, ty, tz) = (np.round(point, 4).tolist() for point in (position, target))
    return CameraPose(position=(px, py, pz), target=(tx, ty, tz), fovy_deg=FOVY_DEG)


def _energy(camera: CameraPose, points: FloatArray, motion: FloatArray) -> FloatArray:
    """Mean square motion in the picture of each joint, shape (n,), in units of the focal length per radian."""
    right, up = camera.xyaxes[:3], camera.xyaxes[3:]
    depth = (np.asarray(camera.position) - points) @ np.cross(right, up)
    across = np.stack([motion @ right, motion @ up], axis=-1) / np.maximum(depth, 0.05)[:, None, None]
    return np.asarray((across**2).sum(axis=-1).mean(axis=0))
