# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Message packages that only some drivers need: looked for when such a backend is chosen, not before."""

from __future__ import annotations

import importlib
from typing import Any

from vera_core.errors import ConfigError


def interface(package: str, kind: str, name: str, *, needed_by: str) -> Any:
    """Return the class of a message (kind 'msg') or service (kind 'srv') of a package.

    Raises:
        ConfigError: If the package is not installed or lacks it; the text says how to install it.
    """
    try:
        return getattr(importlib.import_module(f'{package}.{kind}'), name)
    except (ImportError, AttributeError) as error:
        apt = package.replace('_', '-')
        raise ConfigError(
            f'{needed_by} needs {package}/{kind}/{name}, which is not here ({error}); '
            f'install it: sudo apt install ros-$ROS_DISTRO-{apt}, or list {package} in package.xml and run rosdep install'
        ) from error
