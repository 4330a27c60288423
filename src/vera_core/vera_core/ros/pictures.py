# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Camera pictures and float pictures to sensor_msgs/Image and back, checked at the door."""

from __future__ import annotations

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from vera_core.bounds import MAX_EDGE
from vera_core.errors import ShapeError
from vera_core.imaging import to_working_size
from vera_core.ros.picture_codec import CHANNELS, decoder
from vera_core.ros.stamps import bytes_field, from_ns, to_ns
from vera_core.shapes import FloatArray, RgbArray, check_shapes
from vera_core.types import Frame

BLANK_LEVELS = 1.0
"""A picture whose colours deviate by less than this from their mean shows nothing, grey levels of 255."""


def image_from_rgb(rgb: RgbArray, *, stamp_ns: int, frame_id: str = '') -> Image:
    """Make an rgb8 Image from a picture of shape (H, W, 3), uint8."""
    check_shapes(rgb=(rgb, 'H W 3'))
    if rgb.dtype != np.uint8:
        raise ShapeError(f'rgb has dtype {rgb.dtype} but uint8 was expected')
    height, width = rgb.shape[:2]
    header = Header(stamp=from_ns(stamp_ns), frame_id=frame_id)
    return Image(header=header, height=height, width=width, encoding='rgb8', is_bigendian=0, step=3 * width, data=bytes_field(rgb))


def rgb_from_image(msg: Image, name: str = 'image') -> RgbArray:
    """Picture of shape (H, W, 3), uint8, of a colour or grey Image, decoded as `picture_codec` says; perhaps a view of the message.

    Raises:
        ShapeError: If encoding, size, step or length do not fit together.
    """
    if msg.height == 0 or msg.width == 0:
        raise ShapeError(f'{name} is {msg.width}x{msg.height} px; an empty picture cannot be used')
    if max(msg.height, msg.width) > MAX_EDGE:
        raise ShapeError(f'{name} is {msg.width}x{msg.height} px; at most {MAX_EDGE} px are taken')
    least = CHANNELS.get(msg.encoding, 1) * msg.width
    if msg.step < least:
        raise ShapeError(f'{name} has step {msg.step} but {msg.width} px of {msg.encoding[:40]} take {least} bytes per row')
    if len(msg.data) != msg.step * msg.height:
        raise ShapeError(
            f'{name} has {len(msg.data)} bytes but step {msg.step} x height {msg.height} = {msg.step * msg.height}; it arrived cut or malformed'
        )
    return decoder()(msg, name)


def frame_from_image(msg: Image, view: str, working_size: tuple[int, int]) -> Frame:
    """Frame at the working size (height, width) of a camera Image.

    Raises:
        ShapeError: If the Image is malformed, not stamped, smaller than the working size, of another aspect ratio (it would be distorted), or
            of one colour.
    """
    rgb = rgb_from_image(msg, f'image of view {view}')
    stamp_ns = to_ns(msg.header.stamp)
    if stamp_ns <= 0:
        raise ShapeError(f'image of view {view} has no stamp; the camera driver must set header.stamp to the time of exposure')
    height, width = working_size
    if msg.height < height or msg.width < width or abs(msg.width * height - msg.height * width) > 0.01 * msg.height * width:
        raise ShapeError(
            f'image of view {view} is {msg.width}x{msg.height} px but the robot file needs at least {width}x{height} px of the same aspect ratio'
        )
    rgb = to_working_size(rgb, working_size)
    colour, spread = cv2.meanStdDev(rgb)
    if float(spread.max()) < BLANK_LEVELS:
        raise ShapeError(
            f'image of view {view} is all of one colour, rgb {tuple(int(level) for level in colour.ravel())}; '
            'is the lens covered, or is the camera not ready yet?'
        )
    return Frame(view=view, stamp_ns=stamp_ns, rgb=rgb)


def float_image(values: FloatArray, encoding: str, stamp: Time, view: str) -> Image:
    """Make a 32FC1 or 32FC2 Image of an array of shape (H, W) or (H, W, 2)."""
    pixels = np.asarray(values, dtype='<f4')
    height, width = pixels.shape[:2]
    step = pixels.nbytes // height
    return Image(
        header=Header(stamp=stamp, frame_id=view), height=height, width=width, encoding=encoding, step=step, data=bytes_field(pixels)
    )


def float_array(msg: Image, encoding: str, name: str) -> FloatArray:
    """Array of a 32FC1 or 32FC2 Image, a view of the message.

    Raises:
        ShapeError: If encoding, size, step or length do not fit together.
    """
    channels = int(encoding[-1])
    if max(msg.height, msg.width) > MAX_EDGE:
        raise ShapeError(f'{name} is {msg.width}x{msg.height} px; at most {MAX_EDGE} px are taken')
    if msg.encoding != encoding or msg.is_bigendian:
        raise ShapeError(
            f"{name} has encoding '{msg.encoding[:40]}' (big-endian: {bool(msg.is_bigendian)}) but little-endian {encoding} is needed"
        )
    if msg.step != 4 * channels * msg.width or len(msg.data) != msg.step * msg.height or not len(msg.data):
        raise ShapeError(f'{name} is {msg.width}x{msg.height} px with step {msg.step} and {len(msg.data)} bytes; these do not fit together')
    shape = (msg.height, msg.width, channels) if channels > 1 else (msg.height, msg.width)
    return np.frombuffer(msg.data, dtype='<f4').reshape(shape)
