# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera record`: everything the walk from sentence to motion says, into one MCAP file, from a process of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from vera_bringup.recording.lanes import Item, Lanes
from vera_bringup.recording.pictures import SUFFIX, PictureFormat, compress
from vera_bringup.recording.provenance import PATIENCE_S, ParameterQuestions, describe
from vera_bringup.recording.tap import Tap
from vera_bringup.recording.topics import COMPRESSED, IMAGE, Topic, chosen, default_topics
from vera_bringup.recording.writer import RecordingFile
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, VeraError
from vera_core.ros.bunched import TAKE_S, Arrival
from vera_core.ros.lean_executor import LeanExecutor

WALK = ('sim_node', 'planner_node', 'flow_node', 'jidm_node', 'controller_node', 'executive_node')
BULKY_BYTES = 256 * 1024 * 1024
FLUSH_S = 0.5
LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRequest:
    """What to record, and how."""

    path: Path
    robot: str = 'panda'
    namespace: str = 'vera'
    pictures: PictureFormat = PictureFormat.JPEG
    more: tuple[str, ...] = ()
    """Topics beside the usual ones."""
    without: tuple[str, ...] = ()
    """Usual topics to leave out."""
    duration_s: float = 0.0
    """0: until it is stopped."""

    def check(self) -> None:
        """Refuse a file that is there or cannot be.

        Raises:
            ConfigError: Says which.
        """
        if self.path.suffix != '.mcap':
            raise ConfigError(f"the recording '{self.path}' must end in .mcap")
        if self.path.exists():
            raise ConfigError(f"the recording '{self.path}' exists already; choose another name or remove it")
        if not self.path.parent.is_dir():
            raise ConfigError(f"the folder of the recording '{self.path}' does not exist; make it first")


class DiskWriter:
    """The thread between lanes and file: compresses pictures, writes, flushes."""

    def __init__(self, file: RecordingFile, lanes: Lanes, pictures: PictureFormat) -> None:
        self._file = file
        self._lanes = lanes
        self._pictures = pictures
        self._running = True
        self._flushed_s = time.monotonic()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name='disk', daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Write what waits, then end."""
        self._running = False
        self._lanes.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                item = self._lanes.take(0.2)
                if item is not None:
                    write_item(self._file, item, self._pictures)
                elif not self._running:
                    return
                if time.monotonic() - self._flushed_s > FLUSH_S:
                    self._file.flush()
                    self._flushed_s = time.monotonic()
        except Exception as error:  # outermost frame of the thread: the command line tells it
            self.error = error


def write_item(file: RecordingFile, item: Item, pictures: PictureFormat) -> None:
    """Write one message; a picture in the wanted format, on the topic of that format."""
    topic, data = item.topic, item.data
    if topic.kind == IMAGE and pictures is not PictureFormat.RAW:
        smaller = compress(data, pictures)
        if smaller is not None:
            topic, data = Topic(name=topic.name + SUFFIX, kind=COMPRESSED, qos=topic.qos), smaller
    file.add_topic(topic.name, topic.kind, topic.qos)
    file.write(topic.name, data, log_ns=item.log_ns, publish_ns=item.publish_ns or item.log_ns)


class Recording:
    """A node of its own context that records until it is told to stop. Use `run`."""

    def __init__(self, request: RecordRequest, robot: Embodiment) -> None:
        """Join the graph and open the file.

        Raises:
            ConfigError: If the file cannot be made.
        """
        request.check()
        self._request = request
        self._robot = robot
        self._context = Context()
        self._context.init(args=[])
        self._node = Node(
            'recorder', namespace=request.namespace, context=self._context, start_parameter_services=False, enable_rosout=False
        )
        self.file = RecordingFile(request.path)
        self.lanes = Lanes(bulky_bytes=BULKY_BYTES)
        settings = {'pictures': request.pictures.value, 'namespace': request.namespace}
        describe(self.file, robot, request.robot, settings, now_ns=self._node.get_clock().now().nanoseconds)
        self._disk = DiskWriter(self.file, self.lanes, request.pictures)
        self._questions = ParameterQuestions(self._node, WALK)
        self._knows_parameters = False
        topics = chosen(default_topics(robot, WALK), more=request.more, without=request.without)
        self.tap = Tap(self._node, topics, self._keep)
        self._executor = LeanExecutor(context=self._context)
        self._executor.add_node(self._node)

    def _keep(self, topic: Topic, arrival: Arrival) -> None:
        self.lanes.put(Item(topic, arrival.message, arrival.arrived_ns, arrival.sent_ns))

    def run(self, stop: threading.Event) -> None:
        """Record until `stop` is set or the time is over; the file is whole afterwards.

        Raises:
            VeraError: If the disk cannot keep up or fails; what was written until then is whole.
        """
        started_s, looked_s = time.monotonic(), 0.0
        try:
            while not stop.is_set() and self._disk.error is None:
                self._executor.spin_once(timeout_sec=TAKE_S)
                self.tap.take()
                now_s = time.monotonic()
                if now_s - looked_s > LOOK_S:
                    looked_s = now_s
                    self.tap.look()
                    self._questions.ask()
                    self._write_parameters(now=now_s - started_s > PATIENCE_S)
                if 0 < self._request.duration_s < now_s - started_s:
                    break
        except ExternalShutdownException:
            pass
        finally:
            self._close()
        if self._disk.error is not None:
            raise VeraError(f"the recording '{self._request.path}' ended: {self._disk.error}")

    def _write_parameters(self, *, now: bool) -> None:
        if not self._knows_parameters and (now or self._questions.is_complete):
            self._knows_parameters = True
            self._questions.write(self.file)

    def _close(self) -> None:
        self.tap.take()
        self._disk.finish()
        self._write_parameters(now=True)
        self.file.close()
        self._executor.shutdown(timeout_sec=1.0)
        self._context.try_shutdown()
