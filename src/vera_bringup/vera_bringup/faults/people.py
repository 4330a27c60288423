# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Faults of people and other programs: stop, cancel, another sentence, another commander."""

from __future__ import annotations

from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vera_bringup.asking import SessionError
from vera_bringup.faults.fault import Fault
from vera_bringup.faults.rig import Rig
from vera_control.safety import Reason
from vera_core.ros import qos

STATUS_PERIOD_S = 0.1
"""Publishers on the command topic are counted with every status."""


def _stop(rig: Rig) -> None:
    rig.session.trigger('stop')


def _cancel(rig: Rig) -> None:
    rig.session.cancel()


def _cancel_while_planning(rig: Rig) -> None:
    """A goal that is given up as soon as it is taken."""
    rig.give()
    rig.session.wait_for(lambda: rig.session.has_goal, timeout_s=5.0, what='the acceptance of the goal')
    rig.session.cancel()
    assert rig.task is not None
    outcome = rig.task.result(timeout=5.0)
    if outcome.outcome != 'canceled':
        raise SessionError(f'canceled while planning, but it ended: {outcome.outcome}: {outcome.text}')


def _command_too(rig: Rig) -> None:
    topic = rig.session.robot.driver.command_topic
    rig.held.enter_context(rig.session.publisher(JointTrajectory, topic, qos.COMMAND))


def _let_go(rig: Rig) -> None:
    rig.held.close()


def _say_something_else(rig: Rig) -> None:
    with rig.session.publisher(String, 'task_prompt', qos.TASK) as publisher:
        publisher.publish(String(data='touch the red cube'))


PEOPLE_FAULTS: tuple[Fault, ...] = (
    Fault(name='stop', text='service stop', act=_stop, reasons=(Reason.OPERATOR_STOP,)),
    Fault(name='stop-homing', text='service stop during go_home', act=_stop, reasons=(Reason.OPERATOR_STOP,), during='homing'),
    Fault(name='cancel', text='the task is canceled', act=_cancel, reasons=(Reason.NO_TASK,)),
    Fault(name='cancel-homing', text='go_home is canceled', act=_cancel, reasons=(Reason.NO_TASK,), during='homing'),
    Fault(name='cancel-planning', text='the task is canceled while it is being planned', act=_cancel_while_planning, during='nothing'),
    Fault(
        name='second-prompt',
        text='another sentence while a task runs (refused, the task goes on)',
        act=_say_something_else,
        is_harmless=True,
    ),
    Fault(
        name='second-commander',
        text='a second publisher on the command topic',
        act=_command_too,
        mend=_let_go,
        reasons=(Reason.OTHER_PUBLISHER,),
        known_after_s=STATUS_PERIOD_S,
        goes_on=True,
    ),
)
