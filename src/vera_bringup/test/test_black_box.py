# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The memory of the black box, what it takes for an event, and a stop repeated from its file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from trajectory_msgs.msg import JointTrajectory

from vera_bringup.recording.black_box import Event, EventWatch, Memory
from vera_bringup.recording.check import check
from vera_bringup.recording.event_files import EventFiles
from vera_bringup.recording.lanes import Item
from vera_bringup.recording.pictures import PictureFormat
from vera_bringup.recording.reader import OpenRecording
from vera_bringup.recording.show import lines_of
from vera_bringup.recording.topics import Topic
from vera_control.controller import Controller
from vera_control.journal_topic import page_to_msg
from vera_control.params import ControllerParams
from vera_control.safety import Reason, SafetyState
from vera_control.wire import status_to_msg, trajectory_to_msg
from vera_core.driver import joint_map
from vera_core.embodiment import load_embodiment
from vera_core.ros import qos
from vera_core.types import JointVelocity, RobotState

ROBOT = load_embodiment('panda')
JOINTS = joint_map(ROBOT.driver, ROBOT.joint_names)
S, MS = 1_000_000_000, 1_000_000
START = 1_700_000_000 * S
SMALL = Topic(name='/vera/task', kind='vera_msgs/msg/Task', qos=qos.TASK)
PLAN = Topic(name='/vera/plan', kind='vera_msgs/msg/VideoPlan', qos=qos.PLAN)
BULKY = Topic(name='/camera', kind='sensor_msgs/msg/Image', qos=qos.SENSOR, is_bulky=True)
JOURNAL = Topic(name='/vera/control_journal', kind='vera_msgs/msg/ControlJournal', qos=qos.JOURNAL)
STATUS = Topic(name='/vera/safety_status', kind='vera_msgs/msg/SafetyStatus', qos=qos.STATUS)
COMMAND = Topic(name=ROBOT.driver.command_topic, kind='trajectory_msgs/msg/JointTrajectory', qos=qos.COMMAND)
RUNNING, HOLDING, STOPPED, ARMED = SafetyState.RUNNING, SafetyState.HOLDING, SafetyState.STOPPED_LATCHED, SafetyState.ARMED


def memory(**changes) -> Memory:
    return Memory(**{'span_s': 30.0, 'most_bytes': 10**6, 'bulky_period_s': 0.1} | changes)


def test_the_memory_goes_back_thirty_seconds_and_keeps_the_plan_in_force():
    kept = memory()
    kept.put(Item(PLAN, b'first', START - S, 0))
    kept.put(Item(PLAN, b'plan', START, 0))
    for second in range(1, 60):
        kept.put(Item(SMALL, b'task', START + second * S, 0))
    times = [(item.log_ns - START) // S for item in kept.items()]
    assert times == [0, *range(29, 60)]
    assert kept.items()[0].data == b'plan'


def test_the_memory_gives_up_old_pictures_before_words():
    kept = memory(most_bytes=1000)
    for index in range(20):
        kept.put(Item(BULKY, b'x' * 200, START + index * S // 4, 0))
        kept.put(Item(SMALL, b'y' * 20, START + index * S // 4 + 1, 0))
    assert kept.bytes <= 1000
    items = kept.items()
    assert sum(item.topic is SMALL for item in items) == 20
    assert [item.log_ns for item in items if item.topic is BULKY] == [START + index * S // 4 for index in (17, 18, 19)]


def test_pictures_faster_than_the_rate_are_left_out():
    kept = memory()
    for index in range(60):  # 60 Hz into 10 Hz with half a period of slack: every fourth
        kept.put(Item(BULKY, b'x', START + index * S // 60, 0))
    assert 10 <= len(kept.items()) <= 20


def events(*reports: tuple[float, SafetyState, Reason], after_s: float = 1.0, quiet_s: float = 30.0) -> list[tuple[str, float]]:
    """Words of the events of a list of reports, and when each began, s."""
    watch = EventWatch(after_s=after_s, quiet_s=quiet_s)
    found = []
    times = {round(time_s * 10): (state, reason) for time_s, state, reason in reports}
    for tick in range(int(max(times)) + 50):
        if tick in times:
            watch.on_status(*times[tick], 'text', START + tick * S // 10)
        event = watch.take_due(START + tick * S // 10)
        if event is not None:
            found.append((event.word, (event.begin_ns - START) / S))
    return found


def test_a_stop_is_one_event_however_often_it_is_reported():
    reports = [(0.0, RUNNING, Reason.OK), *((1 + k / 10, STOPPED, Reason.OPERATOR_STOP) for k in range(100))]
    assert events(*reports) == [('stop_OPERATOR_STOP', 1.0)]


def test_a_hold_that_becomes_a_stop_is_one_event_from_its_beginning():
    assert events((0.0, RUNNING, Reason.OK), (1.0, HOLDING, Reason.NOT_FOLLOWING), (1.5, STOPPED, Reason.NOT_FOLLOWING)) == [
        ('stop_NOT_FOLLOWING', 1.0)
    ]


def test_a_stop_after_the_file_of_its_hold_gets_a_file_of_its_own():
    assert events((0.0, RUNNING, Reason.OK), (1.0, HOLDING, Reason.NODE_LOST), (5.0, STOPPED, Reason.OPERATOR_STOP)) == [
        ('hold_NODE_LOST', 1.0),
        ('stop_OPERATOR_STOP', 5.0),
    ]


def test_a_hold_that_comes_and_goes_is_told_once_in_thirty_seconds():
    flicker = [(t / 2, HOLDING if t % 2 else RUNNING, Reason.STALE_ESTIMATE if t % 2 else Reason.OK) for t in range(20)]
    assert events(*flicker) == [('hold_STALE_ESTIMATE', 0.5)]


def test_waiting_for_work_and_the_first_look_are_no_events():
    assert events((0.0, HOLDING, Reason.STALE_JOINT_STATE), (1.0, ARMED, Reason.NO_TASK), (2.0, RUNNING, Reason.OK)) == []


@dataclass
class Run:
    """A controller with its driver in one loop, everything it says kept as the black box keeps it."""

    controller: Controller = field(default_factory=lambda: Controller(ROBOT, ControllerParams(require_task=False)))
    kept: Memory = field(default_factory=lambda: memory(most_bytes=10**8))
    now_ns: int = START
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))

    def keep(self, topic: Topic, message) -> None:
        self.kept.put(Item(topic, serialize_message(message), self.now_ns, 0))

    def step(self, velocity: np.ndarray | None) -> None:
        """Twenty milliseconds: states, perhaps an estimate, a tick with its command, a report, a page."""
        core = self.controller
        for _ in range(4):
            at = core.reference.at(self.now_ns) if core.reference.is_anchored else None
            position, speed = (at.position, at.velocity) if at is not None else (ROBOT.home, np.zeros(7))
            core.on_state(RobotState(stamp_ns=self.now_ns, position=position, velocity=speed), self.now_ns)
            self.now_ns += 5 * MS
        if velocity is not None:
            core.on_estimate(
                JointVelocity(
                    stamp_ns=self.now_ns - 80 * MS, plan_id=1, task_id=1, step=2, dt_s=0.35, delta_q=velocity * 0.35, std=np.full(7, 0.01),
                    observability=np.ones(7), residual_ratio=0.3, residual_px=0.5, condition=10.0, remaining_px=20.0, at_plan_end=False,
                ),
                self.now_ns,
            )  # fmt: skip
        trajectory = core.tick(self.now_ns)
        if trajectory is not None and core.may_send(self.now_ns, self.now_ns + 2 * MS):
            self.keep(COMMAND, trajectory_to_msg(trajectory, JOINTS, self.now_ns))
        self.keep(STATUS, status_to_msg(core.status(self.now_ns), ROBOT.joint_names, self.now_ns))
        page = core.journal.take_page()
        if page is not None:
            self.keep(JOURNAL, page_to_msg(page, ROBOT.name, self.now_ns))

    def go(self, steps: int, *, moving: bool = True) -> None:
        for _ in range(steps):
            self.step(self.rng.normal(0, 0.2, 7) if moving and self.rng.random() < 0.5 else None)


@pytest.fixture(scope='module')
def stopped() -> Run:
    """Motion, then the operator's stop; the journal was opened in the middle of the motion."""
    run = Run()
    run.go(20, moving=False)
    assert run.controller.arm(run.now_ns) is None
    run.go(30)
    run.controller.journal.open(run.controller)
    run.go(60)
    run.controller.stop('stopped by the operator (service stop)')
    run.go(20, moving=False)
    assert run.controller.safety.state is STOPPED
    return run


EVENT = Event(begin_ns=START + S, state=STOPPED, reason=Reason.OPERATOR_STOP, text='stopped by the operator (service stop)')


def write(folder, run: Run, **changes) -> OpenRecording:
    items = [item._replace(data=changes.get(item.topic.name, lambda data: data)(item.data)) for item in run.kept.items()]
    files = EventFiles(folder, ROBOT, 'panda', pictures=PictureFormat.JPEG, keep_files=3)
    return OpenRecording(files.write(EVENT, items))


def test_a_stop_is_repeated_exactly_from_the_file_of_the_black_box(stopped, tmp_path):
    recording = write(tmp_path, stopped)
    assert recording.event['reason'] == 'OPERATOR_STOP'
    report = check(recording, recording.robot())
    assert report.is_same, report.first
    assert report.commands > 55
    assert report.statuses == 80
    assert report.largest == 0.0  # the same machine: not a bit differs
    assert report.stops == ['STOPPED_LATCHED OPERATOR_STOP: stopped by the operator (service stop)']
    assert lines_of(report)[-1] == 'the same decisions'


def test_a_command_that_was_another_one_is_found_and_named(stopped, tmp_path):
    def bend(data: bytes) -> bytes:
        message = deserialize_message(data, JointTrajectory)
        message.points[5].positions[3] += 1e-8
        return serialize_message(message)

    recording = write(tmp_path, stopped, **{COMMAND.name: bend})
    report = check(recording, recording.robot())
    assert not report.is_same
    assert 'position of panda_joint4 at point 5 of the command is' in report.first
    assert lines_of(report)[-1].startswith('FIRST DIFFERENCE ')


def test_only_the_newest_files_are_kept_and_no_other_file_is_touched(stopped, tmp_path):
    (tmp_path / 'mine.mcap').write_text('keep me')
    files = EventFiles(tmp_path, ROBOT, 'panda', pictures=PictureFormat.JPEG, keep_files=3)
    items = stopped.kept.items()[-5:]
    made = [files.write(replace(EVENT, begin_ns=START + index * S), items) for index in range(5)]
    assert files.files() == made[-3:]
    again = files.write(replace(EVENT, begin_ns=START + 4 * S), items)
    assert again != made[-1]
    assert again.exists()
    assert (tmp_path / 'mine.mcap').exists()
    assert not list(tmp_path.glob('*.partial'))
