# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of the robot itself, which the driver reports: whether it would move, waits, or has stopped and needs a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from vera_core.errors import ConfigError, nearest_name_hint


class DriverState(IntEnum):
    """What a mode means for us."""

    READY = 0
    """Commands are carried out."""
    WAITING = 1
    """Commands are not carried out yet: the arm holds."""
    STOPPED = 2
    """The robot stopped itself or a person did: a latched stop here too, for nothing recovers by itself."""


@dataclass(frozen=True, slots=True)
class DriverMode:
    """One report of the driver."""

    state: DriverState
    text: str
    """What it means and what to do, in one sentence."""


READY = DriverMode(DriverState.READY, 'the robot takes commands')
_FRANKA: Mapping[int, DriverMode] = {
    0: DriverMode(DriverState.WAITING, 'the robot is in mode OTHER; activate its controller'),
    1: DriverMode(DriverState.WAITING, 'the robot is IDLE; activate its controller'),
    2: READY,
    3: DriverMode(DriverState.STOPPED, 'the robot is in GUIDING: a person moves it by hand; end guiding, then call reset and arm'),
    4: DriverMode(DriverState.STOPPED, 'the robot is in REFLEX: it stopped itself; look why, call recover, then reset and arm'),
    5: DriverMode(
        DriverState.STOPPED, 'the robot is USER_STOPPED: its stop button is pressed; release it, call recover, then reset and arm'
    ),
    6: DriverMode(DriverState.STOPPED, 'the robot is in AUTOMATIC_ERROR_RECOVERY; wait for its end, then call reset and arm'),
}


def franka_mode(message: Any) -> DriverMode:
    """Return what `robot_mode` of franka_msgs/FrankaRobotState means."""
    mode = int(message.robot_mode)
    return _FRANKA.get(
        mode, DriverMode(DriverState.STOPPED, f'the robot reports mode {mode}, which nobody here knows; it is treated as a stop')
    )


def text_mode(message: Any) -> DriverMode:
    """Return what a std_msgs/String means: `ready` or empty, `waiting: why`, or a stop with any other words."""
    words = str(message.data).strip()
    if words in ('', 'ready'):
        return READY
    state = DriverState.WAITING if words.startswith('waiting') else DriverState.STOPPED
    return DriverMode(state, f'the driver says: {words[:200]}')


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeAdapter:
    """Which message a driver reports its state with, and what it means."""

    package: str
    message: str
    read: Callable[[Any], DriverMode]


MODE_ADAPTERS: Mapping[str, ModeAdapter] = {
    'franka': ModeAdapter(package='franka_msgs', message='FrankaRobotState', read=franka_mode),
    'text': ModeAdapter(package='std_msgs', message='String', read=text_mode),
}
"""Adapters by the value of the parameter `driver_state`. The one of Franka was never run on hardware."""


def mode_adapter(name: str) -> ModeAdapter:
    """Return an adapter by its name.

    Raises:
        ConfigError: If there is none of that name.
    """
    if name not in MODE_ADAPTERS:
        raise ConfigError(f"driver_state is '{name}'; {nearest_name_hint(name, MODE_ADAPTERS)}")
    return MODE_ADAPTERS[name]


class ModeGate:
    """The newest mode and how long it may be believed."""

    def __init__(self, *, is_watched: bool, timeout_s: float) -> None:
        self._is_watched = is_watched
        self._timeout_s = timeout_s
        self._mode: DriverMode | None = None
        self._heard_ns = 0

    def report(self, mode: DriverMode, now_ns: int) -> None:
        """Take in what the driver says."""
        self._mode, self._heard_ns = mode, now_ns

    def obstacle(self, now_ns: int) -> DriverMode | None:
        """Return the mode that forbids motion; None when nothing does, or nobody asked to watch."""
        if not self._is_watched:
            return None
        if self._mode is None:
            return DriverMode(DriverState.WAITING, 'the driver has not reported its state yet; is its state topic right?')
        age_s = (now_ns - self._heard_ns) * 1e-9
        if not 0.0 <= age_s <= self._timeout_s:
            return DriverMode(
                DriverState.WAITING, f'the state of the driver is {age_s:.2f} s old (limit {self._timeout_s} s); is the driver running?'
            )
        return None if self._mode.state is DriverState.READY else self._mode
