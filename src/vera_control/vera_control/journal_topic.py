# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The controller's journal on a topic: written only while somebody listens, begun with the whole state for each new listener."""

from __future__ import annotations

from rclpy.node import Node

from vera_control.journal import Journaled, Page
from vera_core.ros.qos import JOURNAL
from vera_core.ros.stamps import from_ns
from vera_msgs.msg import ControlJournal

LISTENERS_PERIOD_NS = 100_000_000
MEMORY_PERIOD_NS = 5_000_000_000
"""A recording that begins anywhere can be repeated from at most this long after its beginning."""


class JournalTopic:
    """Publishes the pages of one core."""

    def __init__(self, node: Node, core: Journaled, robot: str) -> None:
        self._core = core
        self._robot = robot
        self._publisher = node.create_publisher(ControlJournal, 'control_journal', JOURNAL)
        self._listeners = 0
        self._looked_ns = 0
        self._memory_ns = 0

    def turn_page(self, now_ns: int) -> None:
        """Publish what was noted since the last page; call it at the end of every tick."""
        page = self._core.journal.take_page()
        if page is not None:
            self._publisher.publish(page_to_msg(page, self._robot, now_ns))
        if 0 <= now_ns - self._looked_ns < LISTENERS_PERIOD_NS:
            return
        self._looked_ns = now_ns
        before, self._listeners = self._listeners, int(self._publisher.get_subscription_count())
        if not self._listeners:
            self._core.journal.close()
        elif page is None or self._listeners > before or not 0 <= now_ns - self._memory_ns < MEMORY_PERIOD_NS:
            self._core.journal.open(self._core)
            self._memory_ns = now_ns


def page_to_msg(page: Page, robot: str, now_ns: int) -> ControlJournal:
    """Return the message of a page."""
    message = ControlJournal(robot=robot, number=page.number, memory=page.memory, calls=list(page.calls))
    message.header.stamp = from_ns(now_ns)
    return message


def page_from_msg(message: ControlJournal) -> Page:
    """Return the page of a message."""
    return Page(number=int(message.number), memory=message.memory, calls=tuple(message.calls))
