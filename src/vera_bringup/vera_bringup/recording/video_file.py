# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera export video`: the demo's picture of a task, drawn from a recording."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from vera_bringup.recording.reader import OpenRecording
from vera_bringup.timeline import Timeline
from vera_bringup.video import Video, write_mp4
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.registry import JACOBIAN_MODELS


def prompt_of(recording: OpenRecording) -> str:
    """Return the sentence of the last task in a recording, that of its last plan when no task was recorded, else nothing."""
    for name in ('task', 'plan'):
        sentences = [recorded.message.prompt for recorded in recording.messages(name) if recorded.message.prompt]
        if sentences:
            return str(sentences[-1])
    return ''


def export(path: Path, out: Path, *, robot: str = '', with_field: bool = True) -> int:
    """Draw the video; returns the exit code.

    Raises:
        ConfigError: If the recording lacks pictures or joint states, or the target is no .mp4 file.
    """
    if out.suffix != '.mp4':
        raise ConfigError(f"the video '{out}' must end in .mp4")
    recording = OpenRecording(path)
    embodiment = recording.robot(robot)
    video = Video(Timeline(recording, embodiment), embodiment, _field(embodiment) if with_field else None, prompt=prompt_of(recording))
    codec = write_mp4(out, video.frames(), size=video.size)
    Console(soft_wrap=True).print(f'{out}: {codec}, {out.stat().st_size / 2**20:.1f} MB', highlight=False)
    return 0


def _field(robot: Embodiment) -> JacobianModel:
    return JACOBIAN_MODELS.make('learned', robot=robot)
