# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Camera pictures smaller: a serialised Image becomes a serialised CompressedImage on the topic image_transport would use."""

from __future__ import annotations

from enum import StrEnum

import cv2
import numpy as np
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image

from vera_core.errors import ShapeError, VeraError
from vera_core.ros.messages import bytes_field, rgb_from_image
from vera_core.ros.raw import read_raw
from vera_core.shapes import RgbArray

SUFFIX = '/compressed'
JPEG_QUALITY = 92
PNG_LEVEL = 1


class PictureFormat(StrEnum):
    """How pictures are kept."""

    JPEG = 'jpeg'
    """Small; the colours of a pixel change by a few levels."""
    PNG = 'png'
    """Without loss."""
    RAW = 'raw'
    """As they came."""


def compress(raw: bytes, form: PictureFormat) -> bytes | None:
    """Return a serialised CompressedImage of a serialised Image; None when it is no colour picture, to be kept as it is."""
    try:
        message = read_raw(raw, Image)
        rgb = rgb_from_image(message)
    except VeraError:
        return None
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if form is PictureFormat.JPEG else [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL]
    done, data = cv2.imencode('.jpg' if form is PictureFormat.JPEG else '.png', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    if not done:
        return None
    # image_transport's words: the encoding of the picture, then that of the bytes, whose channels are BGR.
    words = f'{message.encoding}; {form.value} compressed bgr8'
    return bytes(serialize_message(CompressedImage(header=message.header, format=words, data=bytes_field(data))))


def rgb_from_compressed(message: CompressedImage, name: str) -> RgbArray:
    """Return the picture of a CompressedImage, shape (H, W, 3), uint8.

    Raises:
        ShapeError: If its bytes are no picture.
    """
    bgr = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ShapeError(f'{name} holds {len(message.data)} bytes of format {message.format!r} that are no picture')
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
