# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What was recorded of one task, decoded and in order of time: what the video is drawn from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from vera_bringup.recorder import Recorded
from vera_bringup.recording.pictures import rgb_from_compressed
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, ShapeError
from vera_core.imaging import to_working_size
from vera_core.ros.messages import flow_from_msg, plan_from_msg, rgb_from_image, robot_state_from_joint_state, to_ns
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_core.types import FlowField, VideoPlan

ItemT = TypeVar('ItemT')


class MessageSource(Protocol):
    """What happened: the recorder of a session, or a recording."""

    def messages(self, topic: str, /) -> Iterator[Recorded[Any]]:
        """Decode the messages of one topic, oldest first."""
        ...


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Moment:
    """Everything that was known at one instant of the task."""

    time_s: float
    """Since the first picture, s."""
    pictures: Mapping[str, RgbArray]
    """View to the newest camera picture."""
    working: Mapping[str, RgbArray]
    """View to the same at working size."""
    position: FloatArray
    """Measured joints at the time of the pictures, shape (n,), rad."""
    plan: VideoPlan | None
    """The plan that is followed."""
    flow: FlowField | None


class Timeline:
    """Random access to the recording of one task by time since its first picture."""

    def __init__(self, recorder: MessageSource, robot: Embodiment) -> None:
        """Decode a recording made with `topics_for_video`.

        Raises:
            ConfigError: If a view or the joint states were not recorded.
        """
        self._robot = robot
        self._images = {view.name: _images(recorder, view.image_topic) for view in robot.views}
        states = [robot_state_from_joint_state(recorded.message, robot) for recorded in recorder.messages(robot.driver.joint_states_topic)]
        empty = [name for name, images in self._images.items() if not images] + ([] if states else ['joint states'])
        if empty:
            raise ConfigError(f'nothing was recorded of {", ".join(empty)}; there is no video to draw')
        self._state_ns = np.array([state.stamp_ns for state in states], dtype=np.int64)
        self._positions = np.stack([state.position for state in states])
        self._velocities = np.stack([state.velocity for state in states])
        self._plans = [(recorded.arrival_ns, plan_from_msg(recorded.message)) for recorded in recorder.messages('plan')]
        self._flows = [(recorded.arrival_ns, flow_from_msg(recorded.message)) for recorded in recorder.messages('flow')]
        self._estimates = [
            (to_ns(recorded.message.header.stamp), np.array(recorded.message.velocity)) for recorded in recorder.messages('joint_velocity')
        ]
        self._start_ns = max(images[0][0] for images in self._images.values())
        self._end_ns = min(images[-1][0] for images in self._images.values())

    @property
    def duration_s(self) -> float:
        """From the first to the last picture, s."""
        return (self._end_ns - self._start_ns) * 1e-9

    @property
    def start_ns(self) -> int:
        """Stamp of the first picture all views have, ns."""
        return self._start_ns

    def position_at(self, time_s: float) -> FloatArray:
        """Return the measured joints `time_s` after the first picture, shape (n,), rad."""
        return self._position(self._start_ns + int(time_s * 1e9))

    def measured_velocity(self) -> tuple[FloatArray, FloatArray]:
        """Return times since the first picture, shape (N,), s, and measured joint velocities, shape (N, n), rad/s."""
        return (self._state_ns - self._start_ns) * 1e-9, self._velocities

    def estimated_velocity(self) -> tuple[FloatArray, FloatArray]:
        """Return times of the pictures since the first one, shape (N,), s, and estimated joint velocities, shape (N, n), rad/s."""
        times = np.array([(stamp - self._start_ns) * 1e-9 for stamp, _ in self._estimates])
        count = len(self._robot.joints)
        return times, np.array([velocity for _, velocity in self._estimates]).reshape(-1, count)

    def at(self, time_s: float) -> Moment:
        """Return what was known `time_s` after the first picture."""
        now_ns = self._start_ns + int(time_s * 1e9)
        newest = {view: images[_index(images, now_ns)] for view, images in self._images.items()}
        stamp_ns = min(stamp for stamp, _ in newest.values())
        flow = self._flows[_index(self._flows, now_ns)][1] if self._flows and self._flows[0][0] <= now_ns else None
        return Moment(
            time_s=time_s,
            pictures={view: rgb for view, (_, rgb) in newest.items()},
            working={view: to_working_size(rgb, self._robot.working_size) for view, (_, rgb) in newest.items()},
            position=self._position(stamp_ns),
            plan=self._plan(now_ns, flow),
            flow=flow,
        )

    def _plan(self, now_ns: int, flow: FlowField | None) -> VideoPlan | None:
        known = [plan for arrival_ns, plan in self._plans if arrival_ns <= now_ns]
        followed = [plan for plan in known if flow is not None and plan.plan_id == flow.plan_id]
        return (followed or known)[-1] if known else None

    def _position(self, stamp_ns: int) -> FloatArray:
        columns: Array = self._positions
        return np.array([np.interp(stamp_ns, self._state_ns, column) for column in columns.T])


def _images(recorder: MessageSource, topic: str) -> list[tuple[int, RgbArray]]:
    images = []
    for recorded in recorder.messages(topic):
        try:
            picture = rgb_from_compressed if hasattr(recorded.message, 'format') else rgb_from_image
            images.append((to_ns(recorded.message.header.stamp), picture(recorded.message, topic)))
        except ShapeError:  # a malformed picture was refused by every node as well
            continue
    return images


def _index(items: Sequence[tuple[int, ItemT]], now_ns: int) -> int:
    """Return the index of the newest item not newer than `now_ns`; 0 before the first."""
    return max(0, bisect_right([stamp for stamp, _ in items], now_ns) - 1)
