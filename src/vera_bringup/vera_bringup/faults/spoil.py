# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a message: pure functions from a good one to a bad one, and the words that choose them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import Image, JointState

from vera_core.errors import ConfigError, nearest_name_hint
from vera_core.ros.stamps import from_ns, to_ns
from vera_msgs.msg import JointVelocityEstimate, VideoPlan

CARRIED = ('pass', 'stop', 'freeze', 'freeze_pixels', 'late', 'loop', 'swap', 'best_effort')
"""Faults of a whole stream: which messages go on, when and where."""
CLOCK = 'clock'


@dataclass(frozen=True, slots=True)
class Setting:
    """One fault and its argument: seconds, or the name of another stream."""

    fault: str
    argument: str = ''

    @property
    def seconds(self) -> float:
        """The argument as a time, s."""
        return float(self.argument or 0.0)


PASS = Setting('pass')


def parse_settings(text: str) -> dict[str, Setting]:
    """Return stream to fault of a text like "front=freeze, joint_states=shift:-1.0".

    Raises:
        ConfigError: If a part is none, or its fault or argument is unknown.
    """
    settings: dict[str, Setting] = {}
    for part in filter(None, (part.strip() for part in text.split(','))):
        stream, equals, words = part.partition('=')
        fault, _, argument = words.partition(':')
        if not (stream and equals):
            raise ConfigError(f"'{part}' is no fault; one looks like front=freeze or joint_states=shift:-1.0")
        known = (*CARRIED, *SPOILERS)
        if fault not in known:
            raise ConfigError(f"unknown fault '{fault}'; {nearest_name_hint(fault, known)}")
        if fault in ('late', 'shift', 'loop') and not _is_time(argument):
            raise ConfigError(f"'{part}' needs a finite time in seconds, for example {stream}={fault}:1.0")
        settings[stream] = Setting(fault, argument)
    return settings


def _is_time(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def restamp(message: Any, stamp_ns: int) -> Any:
    """Give a message another stamp."""
    message.header.stamp = from_ns(stamp_ns)
    return message


def shift(message: Any, setting: Setting) -> Any:
    """Say another time, as the clock of another machine does."""
    return restamp(message, to_ns(message.header.stamp) + round(setting.seconds * 1e9))


def not_a_number(message: Any, _setting: Setting) -> Any:
    """Put a value that is none into a joint, an estimate or a plan."""
    match message:
        case JointState():
            message.position[0] = math.nan
        case JointVelocityEstimate():
            message.velocity[0] = message.delta_q[0] = math.nan
        case VideoPlan():
            message.step_dt = math.nan
    return message


def cut_short(message: Any, _setting: Setting) -> Any:
    """Leave out the last value, the last picture of a plan, or the lower half of a picture."""
    match message:
        case JointState():
            message.position = message.position[:-1]
        case JointVelocityEstimate():
            message.velocity, message.delta_q = message.velocity[:-1], message.delta_q[:-1]
        case VideoPlan():
            message.frames = message.frames[:-1]
        case Image():
            message.data = bytes(message.data)[: len(message.data) // 2]
    return message


def reorder(message: Any, _setting: Setting) -> Any:
    """Turn names and values around together: nothing is wrong with that."""
    for field in ('name', 'position', 'velocity', 'effort'):
        setattr(message, field, getattr(message, field)[::-1])
    return message


def shuffle(message: Any, _setting: Setting) -> Any:
    """Give every joint the values of the next one: plausible numbers under wrong names."""
    for field in ('position', 'velocity'):
        values = getattr(message, field)
        setattr(message, field, values[1:] + values[:1])
    return message


SPOILERS: Mapping[str, Callable[[Any, Setting], Any]] = {
    'shift': shift,
    'nan': not_a_number,
    'short': cut_short,
    'reorder': reorder,
    'shuffle': shuffle,
}
"""Faults of single messages."""
