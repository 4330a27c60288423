# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Planner parameters from the words of a command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from vera_core.errors import ConfigError, nearest_name_hint
from vera_planner.params import PlannerParams
from vera_planner.registry import PLANNERS


def planner_params(robot: str, backend: str, settings: Sequence[str] | None = None) -> PlannerParams:
    """Return the parameters a command line asks for.

    Args:
        robot: Embodiment, by name or path.
        backend: Planner by name.
        settings: `name=value` for any other parameter of planner_node.

    Raises:
        ConfigError: If the backend or a name is unknown, or a value is of another type or out of its bounds.
    """
    if backend not in PLANNERS.names:
        raise ConfigError(f"unknown planner '{backend}'; {nearest_name_hint(backend, PLANNERS.names)}")
    fields = {each.name: each for each in dataclasses.fields(PlannerParams)}
    values: dict[str, Any] = {}
    for word in settings or ():
        name, equals, text = word.partition('=')
        if not equals or name not in fields:
            raise ConfigError(f"'{word[:80]}' sets no parameter of the planner; {nearest_name_hint(name, fields)}")
        values[name] = _value(name, text, fields[name])
    return PlannerParams(**{**values, 'robot': robot, 'backend': backend})


def _value(name: str, text: str, declared: dataclasses.Field[Any]) -> Any:
    kind: type[Any] = type(declared.default)
    try:
        value = {'true': True, 'false': False}[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{name} is '{text[:80]}'; a {kind.__name__} was expected") from error
    low, high = declared.metadata.get('low'), declared.metadata.get('high')
    if (kind in (int, float) and not (low is None or value >= low)) or not (high is None or value <= high):
        raise ConfigError(f'{name} is {value}; it must be {low if low is not None else "-inf"} to {high if high is not None else "inf"}')
    return value
