# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which nodes run, with which parameters and remappings, as plain data.

`ros2 launch vera_bringup NAME.launch.py` turns a description into launch actions, `vera up NAME` into processes;
neither adds anything of its own. What the descriptions are made of is in `specs`, the set-ups themselves are in `set_ups`.
"""

from __future__ import annotations

from collections.abc import Mapping

from vera_bringup.arguments import Argument
from vera_bringup.set_ups import PLANNERS, SET_UPS, SetUp
from vera_bringup.specs import ENVIRONMENT, DriverSpec, NodeSpec, ParameterValue, SystemSpec, ros_arguments
from vera_core.errors import ConfigError, nearest_name_hint

__all__ = [
    'ENVIRONMENT',
    'PLANNERS',
    'SYSTEMS',
    'Argument',
    'DriverSpec',
    'NodeSpec',
    'ParameterValue',
    'SystemSpec',
    'find_set_up',
    'load_system',
    'ros_arguments',
]

SYSTEMS = tuple(SET_UPS)
"""Names of the set-ups."""


def find_set_up(name: str) -> SetUp:
    """Return the set-up called `name`.

    Raises:
        ConfigError: If there is none; the text names the nearest.
    """
    if name not in SET_UPS:
        raise ConfigError(f"unknown system '{name}'; {nearest_name_hint(name, SYSTEMS)}")
    return SET_UPS[name]


def load_system(name: str, *, robot: str = '', planner: str = '', arguments: Mapping[str, str] | None = None) -> SystemSpec:
    """Return the description of a set-up; what is not given is the set-up's own.

    Args:
        name: One of `SYSTEMS`.
        robot: Short for the argument of that name.
        planner: The same.
        arguments: Values by name, as text; `vera up NAME --show-args` lists them.

    Raises:
        ConfigError: If a name or a value is unknown, or the values do not go together; the text says what can be.
    """
    short = {key: value for key, value in (('robot', robot), ('planner', planner)) if value}
    return find_set_up(name).describe({**(arguments or {}), **short})
