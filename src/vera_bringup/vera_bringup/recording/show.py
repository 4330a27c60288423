# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The commands `vera record`, `vera replay` and `vera export` as a person sees them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from vera_bringup.recording.check import TOLERANCE, CheckReport, check
from vera_bringup.recording.reader import OpenRecording
from vera_bringup.recording.record import Recording, RecordRequest
from vera_core.embodiment import load_embodiment
from vera_core.errors import VeraError


def _console() -> Console:
    return Console(soft_wrap=True, highlight=False, markup=False)


def record_and_show(request: RecordRequest) -> int:
    """Record until Ctrl-C, SIGTERM or the end of the time; returns the exit code."""
    console = _console()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    recording = Recording(request, load_embodiment(request.robot))
    console.print(f'recording {len(recording.tap.joined)} topics of /{request.namespace} into {request.path}; Ctrl-C ends it')
    for topic, why in recording.tap.refused.items():
        console.print(f'not recorded: {topic}: {why}')
    recording.run(stop)
    size = request.path.stat().st_size / 2**20
    console.print(f'{request.path}: {recording.file.messages} messages, {size:.1f} MB')
    for topic, count in sorted(recording.lanes.dropped.items()):
        console.print(f'{count} messages of {topic} were given up: the disk could not keep up')
    return 0


@contextmanager
def recorded(request: RecordRequest | None) -> Iterator[None]:
    """Record in a thread while something else runs in the foreground; nothing when there is no request.

    Raises:
        ConfigError: If the file cannot be made.
        VeraError: If the recording ended before it was told to.
    """
    if request is None:
        yield
        return
    stop, errors = threading.Event(), []
    recording = Recording(request, load_embodiment(request.robot))

    def work() -> None:
        try:
            recording.run(stop)
        except VeraError as error:
            errors.append(error)

    thread = threading.Thread(target=work, name='recording')
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


def check_and_show(path: Path, *, robot: str = '') -> int:
    """Repeat the controller's decisions of a recording; returns 0 when they are the recorded ones, else 1."""
    console = _console()
    recording = OpenRecording(path)
    report = check(recording, recording.robot(robot))
    if recording.event:
        console.print(f'written for {recording.event.get("state")} {recording.event.get("reason")}: {recording.event.get("text")}')
    if not recording.is_whole:
        console.print('the file was cut off; what is left of it is repeated')
    for line in lines_of(report):
        console.print(line)
    return 0 if report.is_same else 1


def lines_of(report: CheckReport) -> list[str]:
    """Return a report in sentences."""
    lines = [
        f'repeated {report.ticks} ticks in {report.span_s:.1f} s from {report.pages} pages of the journal, {report.gaps} gap(s)',
        f'commands: {report.commands} compared, largest difference {report.largest:.1e} (allowed {TOLERANCE:.0e})',
        f'safety reports: {report.statuses} compared',
    ]
    if report.unrecorded:
        lines.append(
            f'{report.unrecorded} repeated command(s) are not in the recording, which is where it begins or what the recorder missed'
        )
    lines += [f'repeated: {text}' for text in report.stops]
    if report.first:
        lines.append(f'FIRST DIFFERENCE {report.first}')
    elif not report.is_same:
        lines.append('NOTHING COMPARED: the recording holds no command and no safety report of the time of its journal')
    else:
        lines.append('the same decisions')
    return lines
