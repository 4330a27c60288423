# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The bytes of a sensor_msgs/Image to a colour picture: by cv_bridge where it is installed and works, by the few lines here elsewhere.

Both give the same picture for the encodings in CHANNELS; cv_bridge reads others as well. Rows with bytes after their last pixel are read here
in any case: cv_bridge shifts them, or refuses them, depending on its version. A cv_bridge that was built for another NumPy fails at
its import, or ends the process, so it is tried in a process of its own first, once, when the first picture comes.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec

import cv2
import numpy as np
from sensor_msgs.msg import Image

from vera_core.errors import ShapeError
from vera_core.shapes import RgbArray

CHANNELS: Mapping[str, int] = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}
"""Encodings that are read without cv_bridge, and their bytes per pixel."""
TO_RGB: Mapping[str, int] = {
    'bgr8': cv2.COLOR_BGR2RGB,
    'rgba8': cv2.COLOR_RGBA2RGB,
    'bgra8': cv2.COLOR_BGRA2RGB,
    'mono8': cv2.COLOR_GRAY2RGB,
}
TRIAL_S = 20.0
TRIAL = """
import numpy as np
from cv_bridge import CvBridge
from sensor_msgs.msg import Image
message = Image(height=1, width=2, encoding='bgr8', step=6, data=bytes(range(6)))
assert np.array_equal(CvBridge().imgmsg_to_cv2(message, 'rgb8'), [[[2, 1, 0], [5, 4, 3]]])
"""
"""A row of two pixels, blue first."""

Decode = Callable[[Image, str], RgbArray]


def decode_here(message: Image, name: str) -> RgbArray:
    """Return the picture of an Image whose size, step and length were checked; a view of the message for unpadded rgb8.

    Raises:
        ShapeError: If its encoding is not one of CHANNELS.
    """
    channels = CHANNELS.get(message.encoding)
    if channels is None:
        raise ShapeError(
            f"{name} has encoding '{message.encoding[:40]}' but {', '.join(CHANNELS)} are read here; set the camera driver to one of them, or install "
            'cv_bridge: sudo apt install ros-$ROS_DISTRO-cv-bridge'
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)[:, : channels * message.width]
    picture = rows.reshape(message.height, message.width, channels)
    if message.encoding == 'rgb8':
        return picture
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), TO_RGB[message.encoding]), dtype=np.uint8)


def cv_bridge_obstacle() -> str:
    """Return why cv_bridge cannot be used, found out in a process of its own; empty when it can."""
    if find_spec('cv_bridge') is None:
        return 'it is not installed'
    try:
        trial = subprocess.run([sys.executable, '-c', TRIAL], capture_output=True, text=True, timeout=TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        return f'it gave no picture in {TRIAL_S:.0f} s'
    if trial.returncode == 0:
        return ''
    return next(
        (line for line in reversed(trial.stderr.splitlines()) if line.strip()), f'it ended its process with code {trial.returncode}'
    )


@cache
def decoder() -> Decode:
    """Return what decodes pictures in this process."""
    if cv_bridge_obstacle():
        return decode_here
    bridge = importlib.import_module('cv_bridge').CvBridge()

    def decode(message: Image, name: str) -> RgbArray:
        channels = CHANNELS.get(message.encoding)
        if channels is not None and message.step != channels * message.width:
            return decode_here(message, name)
        try:
            return np.asarray(bridge.imgmsg_to_cv2(message, 'rgb8'), dtype=np.uint8)
        except Exception as error:  # cv_bridge raises errors of its own, of OpenCV and of Python for what it cannot read
            raise ShapeError(f"{name} with encoding '{message.encoding[:40]}' cannot be read by cv_bridge: {str(error)[:200]}") from error

    return decode
