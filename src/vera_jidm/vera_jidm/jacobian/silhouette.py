# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which body of a MuJoCo model a calibrated camera sees in every pixel, and how far away it is."""

from __future__ import annotations

import copy

import mujoco
import numpy as np

from vera_core.shapes import Array, FloatArray
from vera_jidm.jacobian.calibration import CameraCalibration

HIDDEN_GROUP = 5


class Silhouette:
    """Draws ids and depth at once, off screen. Belongs to the thread that made it, as its OpenGL context does.

    Args:
        model: What is drawn.
        shown: Bodies that are drawn, shape (bodies,), bool.
        size: (height, width) of the picture, px.
    """

    def __init__(self, model: mujoco.MjModel, shown: Array, size: tuple[int, int]) -> None:
        height, width = size
        model = copy.copy(model)
        model.vis.global_.offheight, model.vis.global_.offwidth = height, width
        model.vis.quality.offsamples = 0  # mixed colours at edges would be ids of something else
        model.geom_group[~shown[model.geom_bodyid]] = HIDDEN_GROUP
        self._model, self._size = model, size
        self._near, self._far = model.vis.map.znear * model.stat.extent, model.vis.map.zfar * model.stat.extent
        self._gl = mujoco.GLContext(width, height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene = mujoco.MjvScene(model, maxgeom=2 * model.ngeom + 100)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[HIDDEN_GROUP] = 0

    def draw(self, data: mujoco.MjData, camera: CameraCalibration, rotation: FloatArray, centre: FloatArray) -> tuple[Array, FloatArray]:
        """Return the body of every pixel, shape (H, W), -1 for none, and its distance along the optical axis, shape (H, W), m.

        Args:
            data: State after mj_kinematics.
            camera: Intrinsics at the size of this picture.
            rotation: From camera to world, shape (3, 3).
            centre: Optical centre in the world, shape (3,), m.
        """
        scene, (height, width) = self._scene, self._size
        seen = mujoco.mjtCatBit.mjCAT_STATIC.value | mujoco.mjtCatBit.mjCAT_DYNAMIC.value
        mujoco.mjv_updateScene(self._model, data, self._option, None, mujoco.MjvCamera(), seen, scene)
        self._aim(camera, rotation, centre)
        scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
        colours, raised = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.float32)
        self._gl.make_current()
        rectangle = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(rectangle, scene, self._context)
        mujoco.mjr_readPixels(colours, raised, rectangle, self._context)
        ids = colours[::-1].astype(np.int32) @ np.array([1, 1 << 8, 1 << 16])
        bodies = np.full(scene.ngeom + 1, -1)
        for geom in scene.geoms[: scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM and geom.segid >= 0:
                bodies[geom.segid + 1] = self._model.geom_bodyid[geom.objid]
        # The buffer holds 1 at the near and 0 at the far plane, linear in 1 / distance.
        inverse = 1 / self._far + raised[::-1].astype(np.float64) * (1 / self._near - 1 / self._far)
        return bodies[np.clip(ids, 0, scene.ngeom)], 1 / inverse

    def _aim(self, camera: CameraCalibration, rotation: FloatArray, centre: FloatArray) -> None:
        height, width = self._size
        left, right = -(camera.cx + 0.5) / camera.fx, (width - 0.5 - camera.cx) / camera.fx
        top, bottom = (camera.cy + 0.5) / camera.fy, -(height - 0.5 - camera.cy) / camera.fy
        for eye in self._scene.camera:  # the picture is drawn from the mean of two eyes
            eye.pos, eye.forward, eye.up = centre, rotation[:, 2], -rotation[:, 1]
            eye.frustum_near, eye.frustum_far = self._near, self._far
            eye.frustum_center, eye.frustum_width = self._near * (left + right) / 2, self._near * (right - left) / 2
            eye.frustum_top, eye.frustum_bottom = self._near * top, self._near * bottom
            eye.orthographic = 0
