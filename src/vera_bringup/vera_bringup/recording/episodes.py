# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a recording on a regular grid of times: pictures, measured joints, commanded joints, and the sentence."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vera_bringup.recording.reader import OpenRecording
from vera_bringup.recording.video_file import prompt_of
from vera_bringup.timeline import Timeline
from vera_core.driver import joint_map
from vera_core.embodiment import Embodiment
from vera_core.ros.messages import to_ns
from vera_core.shapes import FloatArray, RgbArray

SHORTEST_S = 1.0
"""Shorter tasks (refused ones, cancelled at once) are no episodes."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Episode:
    """One task, sampled; F frames, n joints."""

    prompt: str
    state: FloatArray
    """Measured joints, shape (F, n), rad."""
    action: FloatArray
    """Where the arm was told to be one frame later, shape (F, n), rad."""
    times_s: FloatArray
    """Of the frames, since the first picture of the recording, shape (F,), s."""
    timeline: Timeline

    def pictures(self) -> Iterator[Mapping[str, RgbArray]]:
        """View to camera picture, frame by frame."""
        for time_s in self.times_s:
            yield self.timeline.at(float(time_s)).pictures


def episodes_of(recording: OpenRecording, robot: Embodiment, *, fps: int) -> list[Episode]:
    """Return the tasks in a recording; a recording without tasks is one episode.

    Raises:
        ConfigError: If pictures or joint states were not recorded.
    """
    timeline = Timeline(recording, robot)
    commands = _Commands(recording, robot)
    found = []
    for prompt, begin_s, end_s in _tasks(recording, timeline):
        begin_s, end_s = max(0.0, begin_s), min(timeline.duration_s, end_s)
        times = begin_s + np.arange(int((end_s - begin_s) * fps)) / fps
        if end_s - begin_s < SHORTEST_S:
            continue
        state = np.array([timeline.position_at(float(time_s)) for time_s in times])
        told = [commands.at(timeline.start_ns + int((time_s + 1 / fps) * 1e9)) for time_s in times]
        action = np.array([state[index] if command is None else command for index, command in enumerate(told)])
        found.append(Episode(prompt=prompt, state=state, action=action, times_s=times, timeline=timeline))
    return found


def _tasks(recording: OpenRecording, timeline: Timeline) -> list[tuple[str, float, float]]:
    """Return sentence, begin and end of every task, s since the first picture."""
    spans: dict[int, tuple[str, int, int]] = {}
    for recorded in recording.messages('task'):
        task = recorded.message
        before = spans.get(int(task.task_id))
        begin_ns = before[1] if before else recorded.arrival_ns
        spans[int(task.task_id)] = (task.prompt or (before[0] if before else ''), begin_ns, recorded.arrival_ns)
    if not spans:
        return [(prompt_of(recording), 0.0, timeline.duration_s)]
    return [
        (prompt, (begin_ns - timeline.start_ns) * 1e-9, (end_ns - timeline.start_ns) * 1e-9) for prompt, begin_ns, end_ns in spans.values()
    ]


class _Commands:
    """The joints the arm was told to have, from the trajectories in force."""

    def __init__(self, recording: OpenRecording, robot: Embodiment) -> None:
        self._joints = joint_map(robot.driver, robot.joint_names)
        messages = [recorded.message for recorded in recording.messages(robot.driver.command_topic)]
        self._messages = [message for message in messages if hasattr(message, 'points') and message.points]
        self._stamps = [to_ns(message.header.stamp) for message in self._messages]

    def at(self, now_ns: int) -> FloatArray | None:
        """Return the commanded joints at a time, shape (n,), rad; None before the first command."""
        index = bisect_right(self._stamps, now_ns) - 1
        if index < 0:
            return None
        message: Any = self._messages[index]
        times = np.array([to_ns(point.time_from_start) for point in message.points], dtype=np.float64)
        positions = np.array([point.positions for point in message.points])
        driver = np.array([np.interp(now_ns - self._stamps[index], times, column) for column in positions.T])
        return self._joints.our_positions(driver)
