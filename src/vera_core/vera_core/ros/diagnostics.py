# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Diagnostics to ROS: messages are counted on their way through publishers and subscriptions, and /diagnostics tells once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy._rclpy_pybind11 import RCLError
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecyclePublisher
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy

from vera_core.diagnostics import Diagnostics, Report
from vera_core.errors import VeraError
from vera_core.ros.stamps import to_ns

PERIOD_S = 1.0
COMPLAIN_S = 2.0
FOREVER_NS = 9 * 10**18
TOPIC = '/diagnostics'
PREFIX = 'vera: '
"""What the names of all our diagnostics begin with."""


class CountedPublisher(LifecyclePublisher):  # type: ignore[misc]  # rclpy is not typed
    """A publisher that is silent while its node is not active, and tells what it sent."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.on_sent: Callable[[Any], None] = lambda message: None

    def publish(self, msg: Any) -> None:
        """Publish when the node is active."""
        if self.is_activated:
            Publisher.publish(self, msg)
            self.on_sent(msg)


class StreamCounter:
    """Notes the messages of one node's streams."""

    def __init__(self, node: Node, diagnostics: Diagnostics) -> None:
        self._node = node
        self._diagnostics = diagnostics
        self._offered: list[tuple[str, QoSProfile]] = []
        self._wanted: list[tuple[str, QoSProfile]] = []
        self._told: set[tuple[str, str]] = set()
        self._next = -1

    def counted(self, topic: str, callback: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return the callback of a subscription, preceded by a note. What it raises about one message does not end the node."""
        self._diagnostics.expect(topic, 'in')

        def received(message: Any) -> Any:
            self._mark(topic, 'in', message)
            try:
                return callback(message)
            except VeraError as error:
                code, text = 'bad_message', f'message on {topic} refused: {error}'
            except (RCLError, ExternalShutdownException):
                raise  # the context has ended
            except Exception as error:  # outermost frame of one message: it is skipped and told, the next one may be good
                code, text = 'fault', f'fault over a message on {topic}, which is skipped: {type(error).__name__}: {error}'
            self._diagnostics.refuse(code, text, time.monotonic())
            self._node.get_logger().error(text, throttle_duration_sec=COMPLAIN_S)
            return None

        return received

    def watch(self, publisher: CountedPublisher) -> None:
        """Note what a publisher sends from now on."""
        topic = publisher.topic_name
        if (topic, publisher.qos_profile) not in self._offered:
            self._offered.append((topic, publisher.qos_profile))
        self._diagnostics.expect(topic, 'out')
        publisher.on_sent = lambda message: self._mark(topic, 'out', message)

    def _mark(self, topic: str, direction: str, message: Any) -> None:
        header = getattr(message, 'header', None)
        stamp_ns = 0 if header is None else to_ns(header.stamp)
        latency_s = (self._node.get_clock().now().nanoseconds - stamp_ns) * 1e-9 if stamp_ns else None
        self._diagnostics.mark(topic, direction, time.monotonic(), latency_s)

    def watch_subscription(self, subscription: Any) -> None:
        """Compare what a subscription wants with what publishers offer, from now on."""
        wanted = (subscription.topic_name, subscription.qos_profile)
        if wanted not in self._wanted:
            self._wanted.append(wanted)

    def forget(self) -> None:
        """Compare nothing more until there are new publishers and subscriptions."""
        self._offered.clear()
        self._wanted.clear()

    def compare(self) -> None:
        """Note who offers or wants a quality of service with which nothing passes; called once a second, looks at one topic each time.

        The middleware tells that by events, too, but each of them is one more thing that an executor waits for at every turn. Asking for the
        endpoints of a topic takes milliseconds in which the node does nothing else, so all of them at once would be felt.
        """
        looks = [(topic, profile, True) for topic, profile in self._offered] + [(topic, profile, False) for topic, profile in self._wanted]
        if not looks:
            return
        self._next = (self._next + 1) % len(looks)
        topic, profile, is_offered = looks[self._next]
        if is_offered:
            for other in self._node.get_subscriptions_info_by_topic(topic):
                self._note(topic, clash(profile, other.qos_profile))
        else:
            for other in self._node.get_publishers_info_by_topic(topic):
                self._note(topic, clash(other.qos_profile, profile))

    def _note(self, topic: str, policy: str) -> None:
        if policy and (topic, policy) not in self._told:
            self._told.add((topic, policy))
            self._diagnostics.incompatible(topic, policy)
            self._node.get_logger().warning(f'{topic}: somebody there wants another {policy}, so nothing passes between the two')


def clash(offered: QoSProfile, wanted: QoSProfile) -> str:
    """Return the first policy with which nothing passes from a publisher to a subscription (DDS 1.4, 2.2.3), empty when all fit."""
    if (offered.reliability, wanted.reliability) == (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE):
        return 'RELIABILITY'
    if (offered.durability, wanted.durability) == (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL):
        return 'DURABILITY'
    if _longest_ns(offered.deadline) > _longest_ns(wanted.deadline):
        return 'DEADLINE'
    if (offered.liveliness, wanted.liveliness) == (LivelinessPolicy.AUTOMATIC, LivelinessPolicy.MANUAL_BY_TOPIC):
        return 'LIVELINESS'
    if _longest_ns(offered.liveliness_lease_duration) > _longest_ns(wanted.liveliness_lease_duration):
        return 'LIVELINESS'
    return ''


def _longest_ns(duration: Duration) -> float:
    """Return a deadline or lease, ns; infinite where none is set, which a profile says by zero and the middleware by its largest number."""
    return duration.nanoseconds if 0 < duration.nanoseconds < FOREVER_NS else float('inf')


class DiagnosticsPublisher:
    """Tells /diagnostics once a second how a node is."""

    def __init__(self, node: Node, hardware_id: str, report: Callable[[], Report]) -> None:
        """Start telling.

        Args:
            node: The node; its name follows `PREFIX`.
            hardware_id: Name of the robot.
            report: Called once a second from the executor.
        """
        self._node = node
        self._hardware_id = hardware_id
        self._report = report
        self._publisher = node.create_publisher(DiagnosticArray, TOPIC, 10)
        self._timer = node.create_timer(PERIOD_S, self._publish)

    def _publish(self) -> None:
        report = self._report()
        status = DiagnosticStatus(
            level=bytes([report.level]),
            name=f'{PREFIX}{self._node.get_name()}',
            message=report.text,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=key, value=value) for key, value in report.values],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
