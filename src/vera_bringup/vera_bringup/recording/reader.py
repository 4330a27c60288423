# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads recordings: those of `vera record`, of the black box and of `ros2 bag record --storage mcap`, whole or cut off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcap.exceptions import McapError
from mcap.records import Attachment, Channel, Message, Metadata, Schema
from mcap.stream_reader import StreamReader

from vera_bringup.recorder import Recorded
from vera_bringup.recording.definitions import message_class
from vera_bringup.recording.event_files import EVENT
from vera_bringup.recording.pictures import SUFFIX
from vera_bringup.recording.provenance import PARAMETERS, ROBOT_FILE, VERA, recorded_robot
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_core.ros.raw import read_raw


@dataclass(frozen=True, slots=True)
class Line:
    """One serialised message of a recording."""

    topic: str
    kind: str
    data: bytes
    log_ns: int
    """When the recorder got it, ns."""
    publish_ns: int
    """When it was sent, ns."""


class OpenRecording:
    """One recording, read into memory when it is opened: its words about itself, and its messages in the order they arrived."""

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            ConfigError: If it is not there or no MCAP file of ROS 2.
        """
        self.path = path
        self.is_whole = True
        """False when its writer was killed: everything up to its last chunk is there."""
        self._metadata: dict[str, dict[str, str]] = {}
        self._attachments: dict[str, bytes] = {}
        self._lines: dict[str, list[Line]] = {}
        if not path.is_file():
            raise ConfigError(f"the recording '{path}' does not exist")
        try:
            self._read()
        except McapError as error:
            raise ConfigError(f"'{path}' cannot be read as an MCAP file: {error}") from error
        if not self._lines:
            raise ConfigError(f"the recording '{path}' holds no message")

    def _read(self) -> None:
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        with self.path.open('rb') as stream:
            try:
                for record in StreamReader(stream).records:
                    if isinstance(record, Schema):
                        schemas[record.id] = record
                    elif isinstance(record, Channel):
                        channels[record.id] = record
                    elif isinstance(record, Metadata):
                        self._metadata[record.name] = record.metadata
                    elif isinstance(record, Attachment):
                        self._attachments[record.name] = record.data
                    elif isinstance(record, Message):
                        channel = channels[record.channel_id]
                        kind = schemas[channel.schema_id].name
                        line = Line(channel.topic, kind, record.data, record.log_time, record.publish_time)
                        self._lines.setdefault(channel.topic, []).append(line)
            except McapError:
                if not self._lines:
                    raise
                self.is_whole = False
        for lines in self._lines.values():
            lines.sort(key=lambda line: line.log_ns)

    @property
    def topics(self) -> dict[str, str]:
        """Topic to message type."""
        return {topic: lines[0].kind for topic, lines in self._lines.items()}

    @property
    def span_ns(self) -> tuple[int, int]:
        """Arrival of the first and of the last message, ns."""
        return min(lines[0].log_ns for lines in self._lines.values()), max(lines[-1].log_ns for lines in self._lines.values())

    @property
    def about(self) -> dict[str, str]:
        """What it says about itself: versions, robot, settings."""
        return dict(self._metadata.get(VERA, {}))

    @property
    def event(self) -> dict[str, str]:
        """Why the black box wrote it; empty for other recordings."""
        return dict(self._metadata.get(EVENT, {}))

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Parameters of the nodes while it was made."""
        return {node: json.loads(text) for node, text in self._metadata.get(PARAMETERS, {}).items()}

    def robot(self, name: str = '') -> Embodiment:
        """Return the robot of the recording; one given by name or path goes before.

        Raises:
            ConfigError: If the recording does not tell and none is given.
        """
        if name:
            return load_embodiment(name)
        if ROBOT_FILE not in self._attachments:
            raise ConfigError(f"the recording '{self.path}' does not tell its robot; give it with --robot")
        return recorded_robot(self._attachments[ROBOT_FILE].decode(), self.about.get('robot_source', ''))

    def find(self, name: str) -> str:
        """Return the full name of a topic of the walk, whatever namespace it was recorded in; empty when it is not there.

        A picture topic is also found as its compressed one.
        """
        for wanted in (name, f'{name}{SUFFIX}'):
            if wanted in self._lines:
                return wanted
        matches = sorted(topic for topic in self._lines if topic.endswith(f'/{name}')) if not name.startswith('/') else []
        if len(matches) > 1:
            raise ConfigError(f"the recording '{self.path}' holds {', '.join(matches)}; which of them is meant? Name it in full")
        return matches[0] if matches else ''

    def lines(self, topics: Iterable[str]) -> list[Line]:
        """Return the messages of some topics by full name, in order of arrival."""
        return sorted((line for topic in topics for line in self._lines.get(topic, ())), key=lambda line: line.log_ns)

    def messages(self, name: str) -> Iterator[Recorded[Any]]:
        """Decode the messages of one topic, oldest first; compressed pictures come as they are stored."""
        for line in self._lines.get(self.find(name), ()):
            yield Recorded(line.log_ns, read_raw(line.data, message_class(line.kind)))

    def count(self, name: str) -> int:
        """Return how many messages of a topic there are."""
        return len(self._lines.get(self.find(name), ()))
