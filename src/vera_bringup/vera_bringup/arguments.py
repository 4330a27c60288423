# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a set-up can be told when it is started: `name:=value`, the same words for `ros2 launch` and `vera up`.

Every argument is written down once, with its meaning and the values it takes; a wrong value is refused with the right ones.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vera_core.errors import ConfigError, nearest_name_hint

FLAGS = ('true', 'false')
LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
NONE = 'none'
"""Said instead of an empty value, which `ros2 launch` cannot take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a set-up."""

    name: str
    default: str
    text: str
    """What it does, one sentence without a full stop."""
    choices: tuple[str, ...] = ()
    """Values it takes; empty where any text or path may stand."""
    also: str = ''
    """What may stand there beside the choices, for example 'the path of a YAML file'; empty for nothing."""

    @property
    def is_closed(self) -> bool:
        """Whether the choices are all there is."""
        return bool(self.choices) and not self.also

    @property
    def help(self) -> str:
        """The sentence, with what may stand there where the choices are not all there is."""
        if not self.also:
            return self.text
        return f'{self.text}: {", ".join(self.choices)} or {self.also}' if self.choices else f'{self.text} or {self.also}'


def text_of(value: bool | float | str) -> str:
    """A default as it is typed on a command line."""
    return str(value).lower() if isinstance(value, bool) else str(value) or NONE


def check_name(system: str, name: str, arguments: Sequence[Argument]) -> Argument:
    """Return the argument called `name`.

    Raises:
        ConfigError: If the set-up takes none of that name; the text lists those it takes.
    """
    for argument in arguments:
        if argument.name == name:
            return argument
    raise ConfigError(f"{system} takes no argument '{name}'; {nearest_name_hint(name, [argument.name for argument in arguments])}")


def parse_words(words: Sequence[str]) -> dict[str, str]:
    """Split words like `planner:=recorded`; the last one of a name wins, as with `ros2 launch`.

    Raises:
        ConfigError: If a word is not of that form.
    """
    values = {}
    for word in words:
        name, given, value = word.partition(':=')
        if not (name and given and value):
            raise ConfigError(f"'{word}' is not an argument; write NAME:=VALUE, for example planner:=recorded")
        values[name] = value
    return values


def argument_table(arguments: Sequence[Argument]) -> str:
    """Return the arguments for a person to read, in the form of `ros2 launch --show-args`."""
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"]
    for argument in arguments:
        choices = f'. One of: {", ".join(argument.choices)}' if argument.is_closed else ''
        lines += ['', f"    '{argument.name}':", f'        {argument.help}{choices}', f'        (default: {argument.default})']
    return '\n'.join(lines)


def complete(system: str, arguments: Sequence[Argument], given: Mapping[str, str]) -> dict[str, str]:
    """Return a checked value for every argument: the given one, or the default.

    Raises:
        ConfigError: If a name or a value is unknown; the text lists the right ones.
    """
    for name in given:
        check_name(system, name, arguments)
    values = {argument.name: given.get(argument.name, argument.default) for argument in arguments}
    for argument in arguments:
        check_value(argument, values[argument.name])
    return values


def check_value(argument: Argument, value: str) -> None:
    """Look at one value.

    Raises:
        ConfigError: If it cannot be; the text says what can.
    """
    if argument.is_closed and value not in argument.choices:
        raise ConfigError(f"argument {argument.name} cannot be '{value}'; {nearest_name_hint(value, argument.choices)}")
    rule = _RULES.get(argument.name)
    if rule is not None and (problem := rule(value)):
        raise ConfigError(f"argument {argument.name} cannot be '{value}': {problem}")


def _namespace(value: str) -> str:
    ok = re.fullmatch(r'/?[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*/?', value)
    return '' if ok else 'words of letters, digits and underscores that begin with a letter, between slashes, for example left or lab/left'


def _driver_namespace(value: str) -> str:
    return '' if value == NONE else _namespace(value)


def _address(value: str) -> str:
    if re.fullmatch(r'[0-9.]+', value):
        try:
            ipaddress.IPv4Address(value)
        except ValueError:
            return 'write an address like 172.16.0.2 or a host name'
        return ''
    ok = re.fullmatch(r'[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?', value)
    return '' if ok else 'write an address like 172.16.0.2 or a host name'


def _share(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    return '' if 0.0 < number <= 1.0 else 'a number above 0 and up to 1, for example 0.1'


def _file(value: str) -> str:
    return '' if value == NONE or Path(value).is_file() else f'there is no such file; give the path of a file, or {NONE}'


def _recording(value: str) -> str:
    if value == NONE:
        return ''
    path = Path(value)
    if path.suffix != '.mcap' or not path.parent.is_dir():
        return 'give a file that ends in .mcap, in a folder that is there'
    return 'there is such a file already; choose another name' if path.exists() else ''


def _folder(value: str) -> str:
    return '' if value == NONE or Path(value).is_dir() else f'there is no such folder; give the path of a folder with weights, or {NONE}'


def _robot(value: str) -> str:
    return _file(value) if value.endswith(('.yaml', '.yml')) else ''


_RULES = {
    'namespace': _namespace,
    'driver_namespace': _driver_namespace,
    'robot_ip': _address,
    'speed_scale': _share,
    'params_file': _file,
    'record': _recording,
    'field': _folder,
    'robot': _robot,
}
