# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Message types by name: their classes, and their definitions as a recording has to carry them."""

from __future__ import annotations

import functools
import importlib
import re
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from vera_core.errors import ConfigError

SEPARATOR = '=' * 80
_PRIMITIVES = {
    'bool', 'byte', 'char', 'float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'string', 'wstring',
}  # fmt: skip
_FIELD = re.compile(r'^\s*([A-Za-z][A-Za-z0-9_/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]\w*')


def message_class(kind: str) -> Any:
    """Return the class of a message type such as `sensor_msgs/msg/Image`.

    Raises:
        ConfigError: If its package is not installed here.
    """
    package, _, name = _parts(kind)
    try:
        return getattr(importlib.import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f'message type {kind} is not installed here: {error}; source the workspace that has package {package}') from error


@functools.cache
def definition(kind: str) -> str:
    """Return the definition of a message type followed by those of all types in it, in the form of ROS 2 bags.

    Raises:
        ConfigError: If a definition is not installed here.
    """
    parts = [_text(kind)]
    seen, waiting = {kind}, _used(kind)
    while waiting:
        other = waiting.pop(0)
        if other not in seen:
            seen.add(other)
            package, _, name = _parts(other)
            parts.append(f'{SEPARATOR}\nMSG: {package}/{name}\n{_text(other)}')
            waiting += _used(other)
    return '\n'.join(part.rstrip('\n') for part in parts) + '\n'


def _parts(kind: str) -> tuple[str, str, str]:
    words = kind.split('/')
    if len(words) != 3 or words[1] != 'msg':
        raise ConfigError(f"'{kind}' is no message type; write it as package/msg/Name")
    return words[0], words[1], words[2]


def _text(kind: str) -> str:
    package, folder, name = _parts(kind)
    try:
        return (Path(get_package_share_directory(package)) / folder / f'{name}.msg').read_text(encoding='utf-8')
    except (PackageNotFoundError, OSError) as error:
        raise ConfigError(
            f'the definition of {kind} is not installed here: {error}; source the workspace that has package {package}'
        ) from error


def _used(kind: str) -> list[str]:
    """Return the message types in a definition."""
    package, _, _ = _parts(kind)
    found = []
    for line in _text(kind).splitlines():
        match = _FIELD.match(line.split('#', 1)[0])
        if match is None or match[1] in _PRIMITIVES:
            continue
        words = match[1].split('/')
        if words[-1] == 'Header' and len(words) == 1:
            words = ['std_msgs', 'Header']
        found.append(f'{words[0] if len(words) > 1 else package}/msg/{words[-1]}')
    return found
