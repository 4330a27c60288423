# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a name in a parameter to an object: shipped parts by name, third parties through entry points, each imported only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any, Generic, TypeVar, cast

from vera_core.errors import ConfigError, nearest_name_hint

T = TypeVar('T')


class Registry(Generic[T]):
    """Names of one kind of part and where each one lives.

    Args:
        kind: What is looked up, for error texts, for example 'planner'.
        parts: Name to 'module:attribute'; the attribute is a class or a function that makes the part.
        group: Entry point group under which other packages may add parts; '' for none.
    """

    def __init__(self, kind: str, parts: Mapping[str, str], *, group: str = '') -> None:
        self.kind = kind
        self._parts = dict(parts)
        self._group = group

    def _known(self) -> dict[str, str]:
        found = {entry.name: entry.value for entry in metadata.entry_points(group=self._group)} if self._group else {}
        return found | self._parts  # a third party cannot replace a shipped part silently

    @property
    def names(self) -> tuple[str, ...]:
        """Names that `make` takes."""
        return tuple(sorted(self._known()))

    def factory(self, name: str) -> Callable[..., T]:
        """Import and return what makes the part.

        Raises:
            ConfigError: If the name is unknown, or its module cannot be imported here; the text says what is known or missing.
        """
        known = self._known()
        if name not in known:
            raise ConfigError(f"unknown {self.kind} '{name}'; {nearest_name_hint(name, known)}")
        module, _, attribute = known[name].partition(':')
        try:
            return cast('Callable[..., T]', getattr(importlib.import_module(module), attribute))
        except ImportError as error:
            raise ConfigError(
                f"{self.kind} '{name}' needs a package that cannot be imported: {error}; install it or choose another {self.kind}"
            ) from error
        except AttributeError as error:
            raise ConfigError(f"{self.kind} '{name}' points at {known[name]}, but {module} has no '{attribute}'") from error

    def make(self, name: str, **options: Any) -> T:
        """Make the part with its options.

        Raises:
            ConfigError: If the name is unknown or an option is; errors of the part itself pass through.
        """
        return self.factory(name)(**options)
