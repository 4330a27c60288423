# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes the memory of the black box to files, one event at a time, in a thread that gives way to everybody else."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from vera_bringup.recording.black_box import Event
from vera_bringup.recording.lanes import Item
from vera_bringup.recording.pictures import PictureFormat
from vera_bringup.recording.provenance import describe, local_time
from vera_bringup.recording.record import write_item
from vera_bringup.recording.writer import RecordingFile
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError

EVENT = 'vera_event'
"""Name of the metadata record that tells why the file was written."""
FILE_NAME = re.compile(r'blackbox_\d{8}T\d{6}(_\d+)?_(stop|hold)_[A-Z_]+\.mcap')
NICENESS = 15


def default_folder() -> Path:
    """Return where files go when nobody says: beside the logs of ROS."""
    return Path(os.environ.get('ROS_HOME') or Path.home() / '.ros') / 'vera_blackbox'


class EventFiles:
    """A folder with the files of the last events."""

    def __init__(self, folder: Path, robot: Embodiment, robot_name: str, *, pictures: PictureFormat, keep_files: int) -> None:
        """Make the folder.

        Raises:
            ConfigError: If it cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f'the folder of the black box {folder} cannot be made: {error}; set the parameter folder') from error
        self.folder = folder
        self._robot = robot
        self._robot_name = robot_name
        self._pictures = pictures
        self._keep_files = keep_files
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def write_soon(self, event: Event, items: list[Item], done: Callable[[Path | None, str], None]) -> None:
        """Write in a thread; `done` is called from there with the file, or with None and what went wrong."""

        def work() -> None:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
            try:
                done(self.write(event, items), '')
            except Exception as error:  # outermost frame of the thread
                done(None, f'{type(error).__name__}: {error}')

        thread = threading.Thread(target=work, name='black box file')
        self._threads.append(thread)
        thread.start()

    def finish(self) -> None:
        """Wait for the files being written."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def write(self, event: Event, items: list[Item]) -> Path:
        """Write one file, and remove the oldest ones beyond those to keep."""
        with self._lock:
            path = self._free_name(event)
            partial = path.with_suffix('.partial')
            try:
                self._fill(partial, event, items)
                partial.rename(path)
            finally:
                partial.unlink(missing_ok=True)
            for old in self.files()[: -self._keep_files]:
                old.unlink(missing_ok=True)
            return path

    def _fill(self, path: Path, event: Event, items: list[Item]) -> None:
        now_ns = items[-1].log_ns if items else event.begin_ns
        words = {'state': event.state.name, 'reason': event.reason.name, 'text': event.text, 'begin_ns': str(event.begin_ns)}
        with RecordingFile(path) as file:
            describe(file, self._robot, self._robot_name, {'pictures': self._pictures.value}, now_ns=now_ns)
            file.add_metadata(EVENT, words)
            for item in items:
                write_item(file, item, self._pictures)

    def files(self) -> list[Path]:
        """Return the files of this black box, oldest first."""
        return sorted(path for path in self.folder.iterdir() if FILE_NAME.fullmatch(path.name))

    def _free_name(self, event: Event) -> Path:
        begin = local_time(event.begin_ns)
        path, count = self.folder / f'blackbox_{begin}_{event.word}.mcap', 1
        while path.exists():
            count += 1
            path = self.folder / f'blackbox_{begin}_{count}_{event.word}.mcap'
        return path
