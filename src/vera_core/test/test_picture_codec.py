# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Our codec beside a cv_bridge: the same pictures; and a cv_bridge that does not work is not used.

The cv_bridge here is a stand-in with its public API. VERA_CV_BRIDGE names a folder with a real one to compare with instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy')

from sensor_msgs.msg import Image

from vera_core.errors import ShapeError
from vera_core.ros import messages as m
from vera_core.ros.picture_codec import CHANNELS, cv_bridge_obstacle, decode_here, decoder

STAND_IN = """
import numpy as np
class CvBridgeError(TypeError):
    pass
ORDER = {'rgb8': (0, 1, 2), 'bgr8': (2, 1, 0), 'rgba8': (0, 1, 2), 'bgra8': (2, 1, 0), 'mono8': (0, 0, 0), 'yuv422_yuy2': (0, 0, 0)}
WIDTH = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1, 'yuv422_yuy2': 2}
class CvBridge:
    def imgmsg_to_cv2(self, img_msg, desired_encoding='passthrough'):
        assert desired_encoding == 'rgb8'
        if img_msg.encoding not in ORDER:
            raise CvBridgeError('Unrecognized image encoding [' + img_msg.encoding + ']')
        picture = np.empty((img_msg.height, img_msg.width, 3), np.uint8)
        for row in range(img_msg.height):
            for column in range(img_msg.width):
                for channel, source in enumerate(ORDER[img_msg.encoding]):
                    picture[row, column, channel] = img_msg.data[row * img_msg.step + column * WIDTH[img_msg.encoding] + source]
        return picture
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a cv_bridge with some text in the way of every import, here and in child processes."""

    def put(text: str) -> None:
        real = os.environ.get('VERA_CV_BRIDGE') if text is STAND_IN else None
        if real is None:
            (tmp_path / 'cv_bridge.py').write_text(text)
        folder = real or str(tmp_path)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv('PYTHONPATH', os.pathsep.join([folder, *filter(None, sys.path)]))

    decoder.cache_clear()
    yield put
    decoder.cache_clear()
    for name in [name for name in sys.modules if name.partition('.')[0] == 'cv_bridge']:
        del sys.modules[name]


def message(encoding: str, *, height: int = 5, width: int = 7, padding: int = 0) -> Image:
    channels = {'yuv422_yuy2': 2}.get(encoding) or CHANNELS.get(encoding, 6)
    data = np.random.default_rng(3).integers(0, 256, (height, channels * width + padding), dtype=np.uint8)
    return Image(height=height, width=width, encoding=encoding, step=data.shape[1], data=m.bytes_field(data))


def test_cv_bridge_and_our_codec_give_the_same_pictures(install: Callable[[str], None]) -> None:
    install(STAND_IN)
    assert cv_bridge_obstacle() == ''
    assert decoder() is not decode_here
    for encoding in CHANNELS:
        for padding in (0, 4):
            image = message(encoding, padding=padding)
            np.testing.assert_array_equal(m.rgb_from_image(image), decode_here(image, 'image'), err_msg=f'{encoding}, {padding} bytes more')
    with pytest.raises(ShapeError, match="image of view front with encoding '16UC3' cannot be read by cv_bridge"):
        m.rgb_from_image(message('16UC3'), 'image of view front')


@pytest.mark.skipif('VERA_CV_BRIDGE' in os.environ, reason='which encodings a real one reads more is its own business')
def test_cv_bridge_reads_more(install: Callable[[str], None]) -> None:
    image = message('yuv422_yuy2')
    with pytest.raises(ShapeError, match="encoding 'yuv422_yuy2' but rgb8"):
        decode_here(image, 'image')
    install(STAND_IN)
    assert m.rgb_from_image(image).shape == (5, 7, 3)


@pytest.mark.parametrize(
    ('text', 'why'),
    [
        ("raise ImportError('numpy.core.multiarray failed to import')", 'numpy.core.multiarray failed to import'),
        ('import os; os.abort()', 'ended its process with code -6'),
        (STAND_IN.replace('(2, 1, 0)', '(0, 1, 2)'), 'AssertionError'),
    ],
)
def test_a_cv_bridge_that_does_not_work_is_not_used(install: Callable[[str], None], text: str, why: str) -> None:
    install(text)
    assert why in cv_bridge_obstacle()
    assert decoder() is decode_here
    assert m.rgb_from_image(message('bgr8')).shape == (5, 7, 3)


def test_without_cv_bridge_the_codec_here_decodes() -> None:
    decoder.cache_clear()
    assert cv_bridge_obstacle() == 'it is not installed'
    assert decoder() is decode_here
    image = message('rgb8')
    assert np.shares_memory(decode_here(image, 'image'), np.frombuffer(image.data, np.uint8))
