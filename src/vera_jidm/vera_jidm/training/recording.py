# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads a self-play recording (MCAP with ROS 2 messages) into arrays: pictures of every view and the joints measured with them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.imaging import to_working_size
from vera_core.shapes import Array, FloatArray, RgbArray

SYNC_NS = 20_000_000
"""Pictures of two views, or a picture and a joint state, belong together when they are at most this far apart, ns."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Recording:
    """One stretch of self-play."""

    path: Path
    stamps_ns: Array
    """Shape (T,), int64, ns."""
    frames: Mapping[str, RgbArray]
    """View name to pictures at working size, shape (T, H, W, 3), uint8."""
    position: FloatArray
    """Measured joints at the stamps, shape (T, n), rad."""
    metadata: Mapping[str, str]
    """What the recorder noted, for example the scene."""

    def __len__(self) -> int:
        return len(self.stamps_ns)


@dataclass(slots=True)
class _Raw:
    pictures: dict[str, list[tuple[int, RgbArray]]]
    joints: list[tuple[int, FloatArray]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


def find_recordings(folder: Path) -> list[Path]:
    """Return the recordings of a folder and its subfolders in a fixed order.

    Raises:
        ConfigError: If there is none.
    """
    paths = sorted(folder.rglob('*.mcap'))
    if not paths:
        raise ConfigError(f'no *.mcap recording in {folder}; make some with: vera collect')
    return paths


def read_recording(path: Path, robot: Embodiment) -> Recording:
    """Read one recording.

    Pictures may be sensor_msgs/Image or CompressedImage, on the view's image topic or on that topic with `/compressed`. Moments at which a
    view or the joints are missing are left out.

    Raises:
        ConfigError: If the file is damaged, or holds no usable moment of this robot; the text names the topics that were found.
    """
    raw = _Raw(pictures={view.name: [] for view in robot.views})
    topics: set[str] = set()
    try:
        with path.open('rb') as stream:
            reader = make_reader(stream, decoder_factories=[DecoderFactory()])
            for entry in reader.iter_metadata():
                raw.metadata.update(entry.metadata)
            summary = reader.get_summary()
            topics.update(channel.topic for channel in (summary.channels.values() if summary is not None else ()))
            for decoded in reader.iter_decoded_messages(topics=_wanted(robot)):
                topics.add(decoded.channel.topic)
                _take(decoded.channel.topic, decoded.decoded_message, robot, raw)
    except (McapError, OSError, ValueError, EOFError, struct.error) as error:
        raise ConfigError(f'{path} cannot be read: {type(error).__name__}: {error}; record it again with: vera collect') from error
    return _aligned(path, raw, robot, topics)


def _wanted(robot: Embodiment) -> list[str]:
    pictures = [topic for view in robot.views for topic in (view.image_topic, f'{view.image_topic}/compressed')]
    return [robot.driver.joint_states_topic, *pictures]


def _take(topic: str, message: Any, robot: Embodiment, raw: _Raw) -> None:
    if topic == robot.driver.joint_states_topic:
        indices = {name: index for index, name in enumerate(message.name)}
        if all(name in indices for name in robot.joint_names):
            raw.joints.append((_stamp_ns(message), np.array([message.position[indices[name]] for name in robot.joint_names])))
        return
    for view in robot.views:
        if topic in (view.image_topic, f'{view.image_topic}/compressed'):
            raw.pictures[view.name].append((_stamp_ns(message), to_working_size(_decode(message, topic), robot.working_size)))


def _stamp_ns(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _decode(message: Any, topic: str) -> RgbArray:
    if hasattr(message, 'format'):
        bgr = cv2.imdecode(np.frombuffer(bytes(message.data), dtype=np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ConfigError(f'a picture on {topic} ({message.format}, {len(message.data)} bytes) cannot be decoded')
        return np.asarray(bgr[..., ::-1], dtype=np.uint8)
    if message.encoding not in ('rgb8', 'bgr8'):
        raise ConfigError(f'a picture on {topic} has encoding {message.encoding}; rgb8 or bgr8 is needed')
    rows = np.frombuffer(bytes(message.data), dtype=np.uint8).reshape(message.height, message.step)
    picture = rows[:, : 3 * message.width].reshape(message.height, message.width, 3)
    return picture if message.encoding == 'rgb8' else picture[..., ::-1]


def _aligned(path: Path, raw: _Raw, robot: Embodiment, topics: Iterable[str]) -> Recording:
    missing = [view for view, pictures in raw.pictures.items() if not pictures] + ([] if len(raw.joints) > 1 else ['joint states'])
    if missing:
        raise ConfigError(
            f'{path} has no {" and no ".join(missing)} of robot {robot.name}; its topics are {", ".join(sorted(topics)) or "none"}'
        )
    joint_stamps = np.array([stamp for stamp, _ in raw.joints], dtype=np.int64)
    joints = np.stack([joint for _, joint in raw.joints])
    reference = robot.view_names[0]
    stamps = np.array([stamp for stamp, _ in raw.pictures[reference]], dtype=np.int64)
    usable = (stamps >= joint_stamps[0] - SYNC_NS) & (stamps <= joint_stamps[-1] + SYNC_NS)
    nearest: dict[str, Array] = {}
    for view, pictures in raw.pictures.items():
        view_stamps = np.array([stamp for stamp, _ in pictures], dtype=np.int64)
        nearest[view] = _nearest(view_stamps, stamps)
        usable &= np.abs(view_stamps[nearest[view]] - stamps) <= SYNC_NS
    usable &= np.abs(joint_stamps[_nearest(joint_stamps, stamps)] - stamps) <= SYNC_NS
    if not usable.any():
        raise ConfigError(
            f'{path} has no moment at which all views and the joints were recorded within {SYNC_NS // 1_000_000} ms of each other'
        )
    frames = {view: np.stack([raw.pictures[view][index][1] for index in nearest[view][usable]]) for view in robot.view_names}
    position = np.stack([np.interp(stamps[usable], joint_stamps, joints[:, joint]) for joint in range(joints.shape[1])], axis=1)
    return Recording(path=path, stamps_ns=stamps[usable], frames=frames, position=position, metadata=raw.metadata)


def _nearest(values: Array, wanted: Array) -> Array:
    """Index of the value nearest to each wanted one; `values` ascend."""
    right = np.clip(np.searchsorted(values, wanted), 1, max(len(values) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(values) - 1)
    return np.where(np.abs(values[left] - wanted) <= np.abs(values[right] - wanted), left, right)
