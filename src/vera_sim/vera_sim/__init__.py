# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A world to try the robot in: MuJoCo scenes, exact flow and Jacobian, scripted experts, self-play, and a node in the driver's place."""

import ctypes.util
import os

# MuJoCo reads this at its first import. Without a screen EGL (Mesa) works; OSMesa is the other off-screen way.
if 'MUJOCO_GL' not in os.environ and 'DISPLAY' not in os.environ:
    os.environ['MUJOCO_GL'] = 'egl' if ctypes.util.find_library('EGL') else 'osmesa'
