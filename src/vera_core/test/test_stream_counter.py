# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest
from rclpy.executors import ExternalShutdownException

from vera_core.diagnostics import Diagnostics, Level
from vera_core.errors import ShapeError
from vera_core.ros.diagnostics import StreamCounter


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, text: str, **_: object) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(
    ('error', 'code', 'words'),
    [
        (ShapeError('plan 3 has no frames'), 'bad_message', 'message on /plan refused: plan 3 has no frames'),
        (ZeroDivisionError('by nothing'), 'fault', 'fault over a message on /plan, which is skipped: ZeroDivisionError: by nothing'),
    ],
)
def test_what_a_message_raises_is_told_and_does_not_end_the_node(error, code, words):
    log, diagnostics, taken = Log(), Diagnostics(), []

    def take(message: object) -> None:
        if message == 'bad':
            raise error
        taken.append(message)

    received = StreamCounter(SimpleNamespace(get_logger=lambda: log), diagnostics).counted('/plan', take)
    for message in ('good', 'bad', 'good'):
        received(message)
    assert taken == ['good', 'good'] and log.lines == [words]
    report = diagnostics.report(0.0)
    named = dict(report.values)
    assert named[f'refused {code}'] == '1' and (report.level, report.text) == (Level.WARN, words)


def test_the_end_of_the_context_is_not_taken_for_a_bad_message():
    def leave(message: object) -> None:
        raise ExternalShutdownException

    received = StreamCounter(SimpleNamespace(get_logger=Log), Diagnostics()).counted('/plan', leave)
    with pytest.raises(ExternalShutdownException):
        received('message')
