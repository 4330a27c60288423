# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""blackbox_node: keeps the last seconds of everything in memory and writes them to a file when the controller stops, or holds for a fault.

Messages stay as they came off the wire; only the safety status is decoded. What a file costs is paid when it is written.
"""

from __future__ import annotations

import time
from pathlib import Path

from vera_bringup.recording.black_box import Event, EventWatch, Memory
from vera_bringup.recording.event_files import EventFiles, default_folder
from vera_bringup.recording.lanes import Item
from vera_bringup.recording.params import BlackBoxParams
from vera_bringup.recording.pictures import PictureFormat
from vera_bringup.recording.tap import Tap
from vera_bringup.recording.topics import Topic, chosen, default_topics
from vera_control.wire import safety_from_msg
from vera_core.errors import ConfigError, VeraError, nearest_name_hint
from vera_core.ros.bunched import TAKE_S, Arrival
from vera_core.ros.node import VeraNode, run
from vera_core.ros.raw import read_raw
from vera_msgs.msg import SafetyStatus

PERIOD_S = 0.25
LOOK_S = 2.0
NOT_HEARD = ('task_prompt',)
"""`ros2 topic pub --once` sends when it has found one reader: a black box found first would have a sentence sent before executive_node listens.
What becomes a task is told by `task`, sentence and all."""


class BlackBoxNode(VeraNode[BlackBoxParams]):
    """Wires a tap to a memory, and the safety status to files."""

    def __init__(self) -> None:
        super().__init__('blackbox_node', BlackBoxParams)

    def configure(self) -> None:
        """Make the folder and begin to listen.

        Raises:
            ConfigError: If the folder cannot be made or the picture format is unknown.
        """
        params = self.params
        formats = [form.value for form in PictureFormat]
        if params.picture_format not in formats:
            raise ConfigError(f"unknown picture format '{params.picture_format}'; {nearest_name_hint(params.picture_format, formats)}")
        folder = Path(params.folder).expanduser() if params.folder else default_folder()
        pictures = PictureFormat(params.picture_format)
        self._files = EventFiles(folder, self.robot, params.robot, pictures=pictures, keep_files=params.keep_files)
        self._memory = Memory(span_s=params.span_s, most_bytes=params.memory_mb * 2**20, bulky_period_s=1.0 / params.picture_rate_hz)
        self._events = EventWatch(after_s=params.after_s, quiet_s=params.quiet_s)
        self._status_topic = self.resolve_topic_name('safety_status')
        self._looked_s = 0.0
        self._uses_sim_time = bool(self.get_parameter('use_sim_time').value)
        every = default_topics(self.robot, [name for name in params.watched_nodes if name])
        self._tap = Tap(self, chosen(every, without=NOT_HEARD), self._on_message)
        self.create_timer(TAKE_S, self._tap.take)
        self.create_timer(PERIOD_S, self._look)

    def close(self) -> None:
        """Write the event that was not due yet, and wait for the files."""
        event = self._events.take_last()
        if event is not None:
            self._write(event)
        self._files.finish()

    def _on_message(self, topic: Topic, arrival: Arrival) -> None:
        data, now_ns = arrival.message, self.now_ns() if self._uses_sim_time else arrival.arrived_ns
        self._memory.put(Item(topic, data, now_ns, arrival.sent_ns))
        if topic.name == self._status_topic and self.is_active:
            try:
                report = safety_from_msg(read_raw(data, SafetyStatus))
            except VeraError as error:
                self.get_logger().warning(f'a safety status is kept but not understood: {error}', throttle_duration_sec=LOOK_S)
                return
            self._events.on_status(report.state, report.reason, report.text, now_ns)

    def _look(self) -> None:
        event = self._events.take_due(self.now_ns())
        if event is not None:
            self._write(event)
        if time.monotonic() - self._looked_s > LOOK_S:
            self._looked_s = time.monotonic()
            self._tap.look()
            megabytes = self._memory.bytes / 2**20
            self.beacon.say(
                f'keeping the last {self.params.span_s:.0f} s; {megabytes:.0f} MB; {len(self._files.files())} files in {self._files.folder}'
            )

    def _write(self, event: Event) -> None:
        self._files.write_soon(event, self._memory.items(), self._written)

    def _written(self, path: Path | None, fault: str) -> None:
        if path is None:
            self.get_logger().error(f'the black box could not be written: {fault}')
        else:
            self.get_logger().warning(
                f'the last {self.params.span_s:.0f} s are in {path}; repeat the decision with: vera replay {path} --check'
            )


def main() -> int:
    """Run the node."""
    return run(BlackBoxNode)


if __name__ == '__main__':
    raise SystemExit(main())
