# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""fault_relay_node stands between the simulator and the graph, and between planner, field and controller, and spoils what passes on demand.

`vera_bringup.faults.streams` gives the nodes the remappings that lead everything through it. Never run it with a robot.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from functools import partial
from typing import Any

from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock

from vera_bringup.faults.params import FaultRelayParams
from vera_bringup.faults.spoil import CLOCK, PASS, SPOILERS, Setting, parse_settings, restamp
from vera_bringup.faults.streams import Stream, streams_of
from vera_core.ros.messages import from_ns, to_ns
from vera_core.ros.node import VeraNode, run

POLL_S = 0.01
CLOCK_PERIOD_S = 0.005
REMEMBERED_S = 2.0
"""How much of a stream is kept for a loop, s."""


class Lane:
    """One stream: what came last, and what is to be done with the next."""

    def __init__(self, node: Any, stream: Stream) -> None:
        self.stream = stream
        self.setting = PASS
        self._node = node
        self._target: QoSProfile = stream.profile
        self.publisher = node.create_publisher(stream.message_type, stream.topic, self._target)
        self._past: deque[tuple[float, bytes]] = deque()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._frozen: bytes | None = None

    def take_setting(self, setting: Setting) -> None:
        """Change what is done from the next message on."""
        if (setting.fault == 'best_effort') is not (self.setting.fault == 'best_effort'):
            self._republish(reliable=setting.fault != 'best_effort')
        self.setting = setting
        self._frozen = None
        self._waiting.clear()
        if setting.fault == 'loop':
            now = time.monotonic()
            self._waiting.extend((now + at - self._past[0][0], raw) for at, raw in self._past)

    def take(self, raw: bytes, other: Lane | None) -> None:
        """Send a message on, or what is made of it.

        Args:
            raw: As it came off the wire.
            other: The stream it is swapped with.
        """
        now, fault = time.monotonic(), self.setting.fault
        if fault in SPOILERS:
            message = deserialize_message(raw, self.stream.message_type)
            self.publisher.publish(SPOILERS[fault](message, self.setting))
        elif fault in ('freeze', 'freeze_pixels'):
            self._frozen = self._frozen or raw
            self._send_frozen(raw, is_restamped=fault == 'freeze_pixels')
        elif fault == 'late':
            self._waiting.append((now + self.setting.seconds, raw))
        elif fault == 'swap' and other is not None:
            other.publisher.publish(raw)
        elif fault in ('pass', 'best_effort'):
            self.publisher.publish(raw)
            self._past.append((now, raw))
            while now - self._past[0][0] > REMEMBERED_S:
                self._past.popleft()

    def send_due(self) -> None:
        """Send what had to wait; a loop begins anew at its end."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            at, raw = self._waiting.popleft()
            self.publisher.publish(raw)
            if self.setting.fault == 'loop':
                self._waiting.append((at + REMEMBERED_S, raw))

    def _send_frozen(self, raw: bytes, *, is_restamped: bool) -> None:
        assert self._frozen is not None
        if not is_restamped:
            self.publisher.publish(self._frozen)
            return
        stamp_ns = to_ns(deserialize_message(raw, self.stream.message_type).header.stamp)
        self.publisher.publish(restamp(deserialize_message(self._frozen, self.stream.message_type), stamp_ns))

    def _republish(self, *, reliable: bool) -> None:
        profile = self.stream.profile
        self._target = QoSProfile(
            history=profile.history,
            depth=profile.depth,
            durability=profile.durability,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        )
        self._node.destroy_publisher(self.publisher)
        self.publisher = self._node.create_publisher(self.stream.message_type, self.stream.topic, self._target)


class FaultRelayNode(VeraNode[FaultRelayParams]):
    """One lane per stream, and the settings of all."""

    def __init__(self) -> None:
        super().__init__('fault_relay_node', FaultRelayParams)

    def configure(self) -> None:
        """Join the graph."""
        self._lanes: dict[str, Lane] = {}
        for stream in streams_of(self.robot):
            self._lanes[stream.name] = Lane(self, stream)
            self.create_subscription(stream.message_type, stream.source, partial(self._pass, stream.name), stream.profile, raw=True)
        self._clock_shift_ns = 0
        self.create_timer(POLL_S, self._poll)
        if self.params.clock:
            self._time = self.create_publisher(Clock, '/clock', 10)
            self.create_timer(CLOCK_PERIOD_S, self._tell_time)
        self.on_params(self.params)

    def on_params(self, params: FaultRelayParams) -> None:
        """Use new settings from the next message on."""
        settings = parse_settings(params.faults)
        self._clock_shift_ns = round(settings.get(CLOCK, PASS).seconds * 1e9)
        for name, lane in self._lanes.items():
            setting = settings.get(name, PASS)
            if setting != lane.setting:
                lane.take_setting(setting)
        self.get_logger().info(f'faults: {params.faults or "none"}')

    def _pass(self, name: str, raw: bytes) -> None:
        lane = self._lanes[name]
        lane.take(raw, self._lanes.get(lane.setting.argument))

    def _poll(self) -> None:
        for lane in self._lanes.values():
            lane.send_due()

    def _tell_time(self) -> None:
        self._time.publish(Clock(clock=from_ns(self.now_ns() + self._clock_shift_ns)))


def main() -> None:
    """Run fault_relay_node until SIGINT or SIGTERM."""
    sys.exit(run(FaultRelayNode))


if __name__ == '__main__':
    main()
