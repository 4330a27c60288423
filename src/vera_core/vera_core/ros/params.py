# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A frozen dataclass is a node's parameters: declared with unit, bounds and text, checked in words, rebuilt whole on a live change.

@dataclass(frozen=True, slots=True, kw_only=True)
class FlowParams:
    lookahead_s: float = field(default=0.35, metadata=param('how far ahead to aim', unit='s', low=0.0, high=2.0, live=True))

params = Parameters(node, FlowParams)
params.value.lookahead_s
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from vera_core.errors import ConfigError, VeraError, nearest_name_hint
from vera_core.parameter import param

__all__ = ['ParameterInfo', 'Parameters', 'build', 'describe', 'param']

T = TypeVar('T')
Kind: TypeAlias = Parameter.Type

_KINDS: dict[Any, Kind] = {
    bool: Kind.BOOL,
    int: Kind.INTEGER,
    float: Kind.DOUBLE,
    str: Kind.STRING,
    tuple[int, ...]: Kind.INTEGER_ARRAY,
    tuple[float, ...]: Kind.DOUBLE_ARRAY,
    tuple[str, ...]: Kind.STRING_ARRAY,
}
_ARTICLES = {Kind.INTEGER: 'an', Kind.INTEGER_ARRAY: 'an'}
_MADE_BY_ROS = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParameterInfo:
    """One declared parameter, for documentation and descriptors."""

    name: str
    kind: Kind
    default: Any
    text: str
    unit: str
    low: float | None
    high: float | None
    live: bool

    @property
    def bounds(self) -> str:
        """Bounds in words, empty when there are none."""
        if self.low is None and self.high is None:
            return ''
        return f'[{"-inf" if self.low is None else f"{self.low:g}"}, {"inf" if self.high is None else f"{self.high:g}"}]'

    def convert(self, value: object) -> Any:
        """Return the value as the dataclass wants it.

        Raises:
            ConfigError: If its type is wrong, it is not finite or it is out of bounds.
        """
        if self.kind is Kind.DOUBLE and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)  # `-p rate_hz:=10` is meant as 10.0
        elif self.kind.name.endswith('_ARRAY') and isinstance(value, Sequence) and not isinstance(value, str):
            value = tuple(float(entry) if self.kind is Kind.DOUBLE_ARRAY else entry for entry in value)
        if not _fits(value, self.kind):
            raise ConfigError(f'parameter {self.name} is {value!r}, a {type(value).__name__}; {self._wanted()}')
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int | float) and not isinstance(number, bool):
                below = self.low is not None and number < self.low
                above = self.high is not None and number > self.high
                if not math.isfinite(number) or below or above:
                    raise ConfigError(f'parameter {self.name} is {value!r}; {self._wanted()}')
        return value

    def _wanted(self) -> str:
        unit = f' {self.unit}' if self.unit else ''
        bounds = f' in {self.bounds}' if self.bounds else ''
        return f'{_ARTICLES.get(self.kind, "a")} {self.kind.name.lower().replace("_", " ")}{bounds}{unit} is needed ({self.text})'

    def descriptor(self) -> ParameterDescriptor:
        """ROS descriptor, so that `ros2 param describe` says the same."""
        text = f'{self.text} [{self.unit}]' if self.unit else self.text
        made = ParameterDescriptor(name=self.name, type=self.kind.value, description=text, read_only=not self.live)
        if self.low is not None or self.high is not None:
            low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
            if self.kind is Kind.DOUBLE:
                made.floating_point_range = [FloatingPointRange(from_value=max(low, -1.7e308), to_value=min(high, 1.7e308), step=0.0)]
            elif self.kind is Kind.INTEGER:
                made.integer_range = [IntegerRange(from_value=int(max(low, -(2**53))), to_value=int(min(high, 2**53)), step=0)]
        return made


def _fits(value: object, kind: Kind) -> bool:
    scalars: dict[Kind, type] = {Kind.BOOL: bool, Kind.INTEGER: int, Kind.DOUBLE: float, Kind.STRING: str}
    items: dict[Kind, type] = {Kind.INTEGER_ARRAY: int, Kind.DOUBLE_ARRAY: float, Kind.STRING_ARRAY: str}
    if kind in scalars:
        return type(value) is scalars[kind]
    return isinstance(value, tuple) and all(type(entry) is items[kind] for entry in value)


def describe(cls: type[Any]) -> tuple[ParameterInfo, ...]:
    """Every parameter of a dataclass, in its order."""
    hints = typing.get_type_hints(cls)
    infos = []
    for field in dataclasses.fields(cls):
        if hints[field.name] not in _KINDS:
            raise TypeError(
                f'{cls.__name__}.{field.name} has type {hints[field.name]}; a parameter can be {", ".join(str(kind) for kind in _KINDS)}'
            )
        if field.default is dataclasses.MISSING or 'text' not in field.metadata:
            raise TypeError(f'{cls.__name__}.{field.name} needs a default and metadata=param(...)')
        infos.append(ParameterInfo(name=field.name, kind=_KINDS[hints[field.name]], default=field.default, **field.metadata))
    return tuple(infos)


def build(cls: type[T], values: Mapping[str, object]) -> T:
    """Make the dataclass from named values, the rest at their defaults; all are checked before one is used.

    Raises:
        ConfigError: If a name is unknown or a value does not fit.
    """
    infos = {info.name: info for info in describe(cls)}
    for name in values:
        if name not in infos:
            raise ConfigError(f"unknown parameter '{name}'; {nearest_name_hint(name, infos)}")
    return cls(**{name: info.convert(values.get(name, info.default)) for name, info in infos.items()})


class Parameters(Generic[T]):
    """The parameters of one node: `value` is always a whole, checked dataclass."""

    def __init__(self, node: Node, cls: type[T], *, on_change: Callable[[T], None] | None = None) -> None:
        """Declare the parameters.

        Args:
            node: Node that owns them; it has no other declared parameters.
            cls: Frozen dataclass whose fields carry `param(...)`.
            on_change: Called with the new dataclass after a live change was accepted.

        Raises:
            ConfigError: If a given value is unknown or does not fit.
        """
        self._cls = cls
        self._on_change = on_change
        self._infos = {info.name: info for info in describe(cls)}
        given = {name: value.value for name, value in node._parameter_overrides.items() if not name.startswith(_MADE_BY_ROS)}
        self.value: T = build(cls, given)
        for name, info in self._infos.items():
            value = getattr(self.value, name)
            descriptor = info.descriptor()
            # rclpy takes an empty list for bytes and would refuse numbers or names later; what may be set is checked here anyway.
            descriptor.dynamic_typing = value == ()
            node.declare_parameter(name, list(value) if isinstance(value, tuple) else value, descriptor, ignore_override=True)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._commit)

    def _changed(self, parameters: Sequence[Parameter]) -> T:
        changes = {parameter.name: parameter.value for parameter in parameters if parameter.name in self._infos}
        current = {name: getattr(self.value, name) for name in self._infos}
        return build(self._cls, current | changes)

    def _check(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            self._changed(parameters)
        except VeraError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _commit(self, parameters: Sequence[Parameter]) -> None:
        changed = self._changed(parameters)
        if changed != self.value:
            self.value = changed
            if self._on_change is not None:
                self._on_change(changed)
