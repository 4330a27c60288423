# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Publishes a recording again: recorded inputs at recorded distances in time, every stamp moved to now by the same amount."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import QoSProfile

from vera_bringup.recording.definitions import message_class
from vera_bringup.recording.pictures import SUFFIX, rgb_from_compressed
from vera_bringup.recording.reader import Line, OpenRecording
from vera_bringup.recording.topics import COMPRESSED, IMAGE
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, ShapeError
from vera_core.ros import qos
from vera_core.ros.messages import from_ns, image_from_rgb, to_ns
from vera_core.ros.raw import read_raw

STAGES: Mapping[str, tuple[str, ...]] = {
    'camera': ('pictures', 'task'),
    'plan': ('pictures', 'plan', 'task'),
    'flow': ('pictures', 'flow', 'task'),
    'estimate': ('joint_velocity', 'task'),
}
"""Stage to what is published beside the joint states; what comes later is left to the nodes."""
NODES: Mapping[str, tuple[str, ...]] = {
    'camera': ('planner_node', 'flow_node', 'jidm_node', 'controller_node'),
    'plan': ('flow_node', 'jidm_node', 'controller_node'),
    'flow': ('jidm_node', 'controller_node'),
    'estimate': ('controller_node',),
}
"""Stage to the nodes that have work to do."""
POLL_S = 0.02
_QOS: Mapping[str, QoSProfile] = {'plan': qos.PLAN, 'flow': qos.STREAM, 'joint_velocity': qos.STREAM, 'task': qos.TASK}


@dataclass(frozen=True, slots=True)
class Shift:
    """From recorded time to present time: now = begin + (then - recorded begin) / rate."""

    recorded_ns: int
    now_ns: int
    rate: float = 1.0

    def __call__(self, then_ns: int) -> int:
        """Return the present time of a recorded one, ns."""
        return self.now_ns + round((then_ns - self.recorded_ns) / self.rate)


def shift_stamps(message: Any, shift: Callable[[int], int]) -> None:
    """Move every time in a message, in headers, in lists and by itself; a time of zero means none and stays. Durations stay as they are."""
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        if isinstance(value, Time):
            if to_ns(value):
                setattr(message, name, from_ns(shift(to_ns(value))))
        elif '/' in kind:
            for part in value if isinstance(value, Sequence) else (value,):
                shift_stamps(part, shift)


class Player:
    """Publishes the inputs of one stage."""

    def __init__(self, node: Node, recording: OpenRecording, robot: Embodiment, *, stage: str, rate: float) -> None:
        """Make the publishers.

        Raises:
            ConfigError: If something the stage needs was not recorded.
        """
        self._rate = rate
        wanted = {robot.driver.joint_states_topic: (robot.driver.joint_states_topic, qos.SENSOR)}
        for what in STAGES[stage]:
            if what == 'pictures':
                wanted |= {view.image_topic: (view.image_topic, qos.SENSOR) for view in robot.views}
            else:
                wanted[what] = (what, _QOS[what])
        found = {name: recording.find(name) for name in wanted}
        missing = [name for name, topic in found.items() if not topic and name != 'task']
        if missing:
            raise ConfigError(f"'{recording.path}' cannot be replayed from stage {stage}: {', '.join(missing)} was not recorded")
        self._publishers = {}
        for name, topic in found.items():
            if topic:
                kind = IMAGE if recording.topics[topic] == COMPRESSED else recording.topics[topic]
                self._publishers[topic] = node.create_publisher(message_class(kind), *wanted[name])
        self._lines = recording.lines(self._publishers)
        self._node = node

    @property
    def duration_s(self) -> float:
        """How long it takes, s."""
        return (self._lines[-1].log_ns - self._lines[0].log_ns) * 1e-9 / self._rate

    def wait_for(self, nodes: Collection[str], timeout_s: float) -> list[str]:
        """Wait until every one of these nodes listens to what will be published; return those that do not after `timeout_s`.

        What is published before a node has been discovered, or has made its subscriptions, is lost to it: its run would begin later than the
        recorded one.
        """
        deadline_s = time.monotonic() + timeout_s
        while missing := sorted(set(nodes) - self._listeners()):
            if time.monotonic() > deadline_s:
                break
            time.sleep(POLL_S)
        return missing

    def _listeners(self) -> set[str]:
        """Return the names of all nodes that the publishers of their topics are connected with."""
        names: set[str] = set()
        for topic, publisher in self._publishers.items():
            known = {info.node_name for info in self._node.get_subscriptions_info_by_topic(topic)}
            if publisher.get_subscription_count() >= len(known):
                names |= known
        return names

    def play(self, keep_going: Callable[[], bool]) -> int:
        """Publish everything at its time and return how many messages; stops early when `keep_going` says so."""
        shift = Shift(self._lines[0].log_ns, self._node.get_clock().now().nanoseconds, self._rate)
        begin_s, sent = time.monotonic(), 0
        for line in self._lines:
            due_s = begin_s + (line.log_ns - self._lines[0].log_ns) * 1e-9 / self._rate
            message = _message_of(line)
            if message is None:
                continue
            shift_stamps(message, shift)
            while (wait_s := due_s - time.monotonic()) > 0 and keep_going():
                time.sleep(min(wait_s, 0.1))
            if not keep_going():
                break
            self._publishers[line.topic].publish(message)
            sent += 1
        return sent


def _message_of(line: Line) -> Any:
    """Return the message of a line, a compressed picture as the Image the camera driver had sent; None when it is no picture."""
    message = read_raw(line.data, message_class(line.kind))
    if line.kind != COMPRESSED:
        return message
    try:
        rgb = rgb_from_compressed(message, line.topic.removesuffix(SUFFIX))
    except ShapeError:
        return None
    return image_from_rgb(rgb, stamp_ns=to_ns(message.header.stamp), frame_id=message.header.frame_id)
