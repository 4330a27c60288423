# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The scripted expert of the Panda: moves the fingertip onto a named cube, slowly enough for optical flow. It makes demonstrations; no node ever asks it."""

from __future__ import annotations

import mujoco
import numpy as np

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_sim.mjcf import PREFIX, build_model
from vera_sim.world import World

PRESS_M = 0.010
"""How deep the expert presses into the foam; the touch point lies this far under the top face."""
PEAK_SPEED_M_S = 0.13
SHORTEST_S = 4.0
HOME = np.array([0.0, -0.45, 0.0, -2.25, 0.0, 1.85, 0.785])
DOWN = np.diag([1.0, -1.0, -1.0])


def touch_point(world: World, cube: str) -> FloatArray:
    """Where the fingertip ends in a touch, base frame, shape (3,), m: under the middle of the top face."""
    found = world.scene.cube(cube)
    return np.asarray(found.top - np.array([0.0, 0.0, PRESS_M]))


def sample_start(seed: int, *, low: bool = False) -> FloatArray:
    """Draw a start pose, shape (7,), rad: fingertip uniformly in a box above the table, hand within some 0.25 rad of pointing down.

    Args:
        seed: Same seed, same pose.
        low: Draw from just above the cubes instead, where a corrected plan starts.
    """
    rng = np.random.default_rng([seed, 23])
    height = (0.085, 0.22) if low else (0.24, 0.46)
    for _ in range(100):
        target = np.array([rng.uniform(0.32, 0.60), rng.uniform(-0.25, 0.25), rng.uniform(*height)])
        reference = HOME + rng.normal(0, [0.15, 0.15, 0.15, 0.15, 0.2, 0.15, 0.35])
        tilt = rotation_from_vector(rng.normal(0, 0.12, 3)) @ DOWN
        q, error = solve_pose(_Kinematics.shared(), target, tilt, reference, reference)
        if error < 2e-3:
            return q
    raise ConfigError(f'no start pose found for seed {seed}; draw another seed')


def reach_path(world: World, cube: str, q_start: FloatArray, *, dt_s: float, seed: int = 0) -> FloatArray:
    """Return a joint path that ends touching `cube`, sampled every `dt_s`, shape (T, 7), rad; row 0 is `q_start`.

    The fingertip follows a minimum-jerk profile; its height lags behind, so that it comes down on the cube from above. The hand turns to
    point down on the way.

    Raises:
        ConfigError: If the cube is unknown or out of reach; the text gives the error that remained.
    """
    rng = np.random.default_rng([seed, 37])
    goal = touch_point(world, cube)
    arm = _Kinematics.shared()
    start, rotation_start = arm.pose(q_start)
    distance = float(np.linalg.norm(goal - start))
    duration = max(SHORTEST_S, 1.9 * distance / PEAK_SPEED_M_S) * rng.uniform(0.95, 1.05)
    count = int(np.ceil(duration / dt_s)) + 1
    progress = minimum_jerk(np.linspace(0.0, 1.0, count))
    final = rotation_from_vector(np.array([0.0, 0.0, rng.normal(0, 0.05)])) @ _nearest_down(rotation_start)
    turn = rotation_vector(final @ rotation_start.T)
    path = np.empty((count, 7))
    q = np.asarray(q_start, float)
    reference = q.copy()
    # The redundant joint drifts towards the home posture; joints that set the heading are left alone.
    posture = np.where([False, True, False, True, False, True, False], HOME, reference)
    for i, s in enumerate(progress):
        target = start + (goal - start) * np.array([s, s, s**1.6])
        q, error = solve_pose(arm, target, rotation_from_vector(turn * s) @ rotation_start, q, (1 - s) * reference + s * posture)
        if error > 4e-3:
            raise ConfigError(f'{cube} at {np.round(goal, 3)} m is out of reach: {error * 1e3:.1f} mm remained')
        path[i] = q
    path[0] = q_start
    return path


def solve_pose(
    arm: _Kinematics, position: FloatArray, rotation: FloatArray, q_start: FloatArray, q_reference: FloatArray
) -> tuple[FloatArray, float]:
    """Find joints for a fingertip pose by damped least squares with a null-space pull; returns joints and the position error, m."""
    q = np.array(q_start, float)
    error = np.zeros(3)
    for _ in range(60):
        here, turned = arm.pose(q)
        error = position - here
        twist = np.concatenate([error, 0.3 * rotation_vector(rotation @ turned.T)])
        pull = q_reference - q
        if np.linalg.norm(twist) < 4e-4:
            break
        jacobian = arm.jacobian()
        jacobian[3:] *= 0.3
        inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + 1e-4 * np.eye(6))
        step = inverse @ twist + 0.15 * (np.eye(7) - inverse @ jacobian) @ pull
        q = np.clip(q + np.clip(step, -0.2, 0.2), arm.lower, arm.upper)
    return q, float(np.linalg.norm(position - arm.pose(q)[0]))


def solve_fingertip(position: FloatArray, rotation: FloatArray, q_start: FloatArray, q_reference: FloatArray) -> tuple[FloatArray, float]:
    """Inverse kinematics of the fingertip; arguments and result as in `solve_pose`."""
    return solve_pose(_Kinematics.shared(), position, rotation, q_start, q_reference)


def fingertip_position(q: FloatArray) -> FloatArray:
    """Forward kinematics: fingertip in the base frame, shape (3,), m."""
    return _Kinematics.shared().pose(q)[0]


def hand_pose(q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Forward kinematics: fingertip, shape (3,), m, and orientation of the hand, shape (3, 3), in the base frame."""
    return _Kinematics.shared().pose(q)


def random_rotation(rng: np.random.Generator, spread: float) -> FloatArray:
    """A small random turn, shape (3, 3); `spread` is the standard deviation of its rotation vector, rad."""
    return rotation_from_vector(rng.normal(0, spread, 3))


class _Kinematics:
    """Forward kinematics of the fingertip on a state of its own, so that the expert never disturbs the world."""

    _instance: _Kinematics | None = None

    def __init__(self, model: mujoco.MjModel, joint_names: tuple[str, ...]) -> None:
        self.model, self.data = model, mujoco.MjData(model)
        self._qpos = np.array([model.joint(PREFIX + name).qposadr[0] for name in joint_names])
        self._dof = np.array([model.joint(PREFIX + name).dofadr[0] for name in joint_names])
        self._site = model.site(f'{PREFIX}fingertip').id
        ranges = np.array([model.joint(PREFIX + name).range for name in joint_names])
        self.lower, self.upper = ranges[:, 0] + 0.05, ranges[:, 1] - 0.05

    @classmethod
    def shared(cls) -> _Kinematics:
        if cls._instance is None:
            robot = load_embodiment('panda')
            cls._instance = cls(build_model(robot), robot.joint_names)
        return cls._instance

    def pose(self, q: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Fingertip position, shape (3,), m, and orientation, shape (3, 3), in the base frame."""
        self.data.qpos[self._qpos] = q
        mujoco.mj_kinematics(self.model, self.data)
        return self.data.site_xpos[self._site].copy(), self.data.site_xmat[self._site].reshape(3, 3).copy()

    def jacobian(self) -> FloatArray:
        """Geometric Jacobian of the fingertip at the last `pose`, shape (6, 7)."""
        mujoco.mj_comPos(self.model, self.data)
        full = np.zeros((6, self.model.nv))
        mujoco.mj_jacSite(self.model, self.data, full[:3], full[3:], self._site)
        return full[:, self._dof]


def minimum_jerk(s: FloatArray) -> FloatArray:
    """Return the share of the way at shares `s` of the time, both 0..1: smooth, at rest at either end."""
    return np.asarray(s**3 * (10 - 15 * s + 6 * s**2))


def rotation_from_vector(vector: FloatArray) -> FloatArray:
    """Rotation matrix, shape (3, 3), of a rotation vector, shape (3,), rad."""
    quat, matrix = np.zeros(4), np.zeros(9)
    angle = float(np.linalg.norm(vector))
    mujoco.mju_axisAngle2Quat(quat, vector / angle if angle > 1e-12 else np.array([0.0, 0.0, 1.0]), angle)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)


def rotation_vector(rotation: FloatArray) -> FloatArray:
    """Rotation vector, shape (3,), rad, of a rotation matrix, shape (3, 3)."""
    quat, vector = np.zeros(4), np.zeros(3)
    mujoco.mju_mat2Quat(quat, np.ascontiguousarray(rotation).reshape(9))
    mujoco.mju_quat2Vel(vector, quat, 1.0)
    return vector


def _nearest_down(rotation: FloatArray) -> FloatArray:
    """The orientation with the hand pointing straight down that is nearest to `rotation`."""
    heading = rotation[:, 0] - np.array([0, 0, rotation[2, 0]])
    x = heading / np.linalg.norm(heading)
    z = np.array([0.0, 0.0, -1.0])
    return np.stack([x, np.cross(z, x), z], axis=1)
