# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes MCAP files as `ros2 bag record --storage mcap` does: profile ros2, definitions in ros2msg, messages in CDR."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from mcap.writer import CompressionType, Writer
from mcap.writer import IndexType as Index
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from vera_bringup.recording.definitions import definition

CHUNK_BYTES = 512 * 1024
"""A chunk is what a reader can still use of a file whose writer was killed: at most this much is lost."""


class RecordingFile:
    """One file being written; safe between threads. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages = 0
        self._file = path.open('wb')
        self._writer = Writer(self._file, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD, index_types=Index.ALL)
        self._writer.start(profile='ros2', library='vera_bringup')
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._sequences: dict[int, int] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def size_bytes(self) -> int:
        """Bytes on disk so far."""
        return self._file.tell()

    def add_topic(self, topic: str, kind: str, qos: QoSProfile | None = None) -> None:
        """Announce a topic with its message type; announcing it again changes nothing.

        Raises:
            ConfigError: If the definition of the type is not installed here.
        """
        with self._lock:
            if topic not in self._channels:
                self._register(topic, kind, qos)

    def _register(self, topic: str, kind: str, qos: QoSProfile | None) -> None:
        if kind not in self._schemas:
            self._schemas[kind] = self._writer.register_schema(name=kind, encoding='ros2msg', data=definition(kind).encode())
        metadata = {'offered_qos_profiles': _qos_text(qos) if qos is not None else ''}
        channel = self._writer.register_channel(topic=topic, message_encoding='cdr', schema_id=self._schemas[kind], metadata=metadata)
        self._channels[topic] = channel
        self._sequences[channel] = 0

    def write(self, topic: str, data: bytes, *, log_ns: int, publish_ns: int) -> None:
        """Add one serialised message of an announced topic.

        Args:
            topic: Full name.
            data: CDR with its four leading bytes, as rclpy hands it out.
            log_ns: When it arrived at the recorder, ns.
            publish_ns: When it was sent, ns.
        """
        with self._lock:
            channel = self._channels[topic]
            self._sequences[channel] += 1
            self._writer.add_message(channel, log_time=log_ns, data=data, publish_time=publish_ns, sequence=self._sequences[channel])
            self.messages += 1

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Add words about the whole file."""
        with self._lock:
            self._writer.add_metadata(name, dict(values))

    def attach(self, name: str, text: str, *, media_type: str, now_ns: int) -> None:
        """Add a text file."""
        with self._lock:
            self._writer.add_attachment(create_time=now_ns, log_time=now_ns, name=name, media_type=media_type, data=text.encode())

    def flush(self) -> None:
        """Hand what is complete to the operating system, so that it outlives this process."""
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        """Write index and end; the file is whole after this."""
        with self._lock:
            self._writer.finish()
            self._file.close()


def _qos_text(qos: QoSProfile) -> str:
    """Return a quality of service as rosbag2 writes it (its numbers are those of the middleware)."""
    history = {HistoryPolicy.KEEP_LAST: 1, HistoryPolicy.KEEP_ALL: 2}.get(qos.history, 1)
    reliability = {ReliabilityPolicy.RELIABLE: 1, ReliabilityPolicy.BEST_EFFORT: 2}.get(qos.reliability, 1)
    durability = {DurabilityPolicy.TRANSIENT_LOCAL: 1, DurabilityPolicy.VOLATILE: 2}.get(qos.durability, 2)
    never = 'sec: 9223372036\n    nsec: 854775807'
    return (
        f'- history: {history}\n  depth: {qos.depth}\n  reliability: {reliability}\n  durability: {durability}\n'
        f'  deadline:\n    {never}\n  lifespan:\n    {never}\n  liveliness: 1\n  liveliness_lease_duration:\n    {never}\n'
        '  avoid_ros_namespace_conventions: false'
    )
