# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Objects of this workspace to JSON and back, exactly: every float by its shortest text, arrays by their values, shared objects once.

No code runs while reading: only plain values, arrays and classes of `vera_control` and `vera_core` that are loaded already are made, and
none of their methods is called. What is none of these (Ruckig's objects, the robot, callables) is left as the fresh object has it.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from vera_core.embodiment import Embodiment

ROOMS = ('vera_control.', 'vera_core.')
KEPT_TYPES = (Embodiment, Path)
"""Objects given to the controller when it is made: they are not part of its memory."""
KEPT_NAMES = ('journal', 'limits')
"""Attributes that follow from what it is made with, or are no part of its decisions."""
KEEP = {'$keep': True}
PLAIN_TYPES = frozenset({type(None), bool, int, str, float})
"""What JSON has as it is."""


def encode(value: Any) -> Any:
    """Return a value as what `json.dumps` takes."""
    return _Encoder().encode(value)


def restore(tree: Any, fresh: Any) -> Any:
    """Return the value of an encoded tree; an object of the same class as `fresh` is brought into its state in place.

    Raises:
        TypeError: If something cannot be made: an unknown class, or something that was left out and `fresh` has not either.
    """
    return _Decoder().decode(tree, fresh)


class _Encoder:
    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []  # keeps ids unique while they are in use

    def encode(self, value: Any) -> Any:
        if type(value) in PLAIN_TYPES:
            return value
        if isinstance(value, bool | int | str | float) and not isinstance(value, Enum):
            return float(value) if isinstance(value, float) else value
        if isinstance(value, Enum):
            return {'$enum': _name_of(type(value)), 'value': value.value} if _is_ours(type(value)) else KEEP
        if isinstance(value, np.generic):
            return self.encode(value.item())
        if isinstance(value, tuple):
            return {'$tuple': [self.encode(item) for item in value]}
        if isinstance(value, KEPT_TYPES):
            return KEEP
        return self._encode_shared(value)

    def _encode_shared(self, value: Any) -> Any:
        """Objects that may be held in more than one place."""
        known = self._numbers.get(id(value))
        if known is not None:
            return {'$ref': known}
        number = self._numbers[id(value)] = len(self._numbers)
        self._alive.append(value)
        if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
            return {'$array': value.ravel().tolist(), 'dtype': _dtype_name(value.dtype), 'shape': list(value.shape), '#': number}
        if isinstance(value, list | deque | set | frozenset):
            kind = type(value).__name__
            made: dict[str, Any] = {f'${kind}': [self.encode(item) for item in value], '#': number}
            return made | {'maxlen': value.maxlen} if isinstance(value, deque) else made
        if isinstance(value, Mapping):
            return {'$dict': [[self.encode(key), self.encode(item)] for key, item in value.items()], '#': number}
        if _is_ours(type(value)):
            state = {name: KEEP if name in KEPT_NAMES else self.encode(item) for name, item in _attributes(value)}
            return {'$object': _name_of(type(value)), 'state': state, '#': number}
        return KEEP


class _Decoder:
    def __init__(self) -> None:
        self._objects: dict[int, Any] = {}

    def decode(self, tree: Any, fresh: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        if '$keep' in tree:
            if fresh is None:
                raise TypeError('it was left out of the recording and there is nothing to take its place')
            return fresh
        if '$ref' in tree:
            return self._objects[tree['$ref']]
        if '$enum' in tree:
            return _class_of(tree['$enum'])(tree['value'])
        if '$tuple' in tree:
            return tuple(self._items(tree['$tuple'], fresh))
        return self._decode_shared(tree, fresh)

    def _decode_shared(self, tree: Mapping[str, Any], fresh: Any) -> Any:
        number = tree['#']
        made: Any
        if '$array' in tree:
            made = np.array(tree['$array'], dtype=np.dtype(tree['dtype'])).reshape(tree['shape'])
        elif '$deque' in tree:
            made = deque(self._items(tree['$deque'], fresh), maxlen=tree['maxlen'])
        elif '$list' in tree:
            made = self._items(tree['$list'], fresh)
        elif '$set' in tree or '$frozenset' in tree:
            made = set(self._items(tree['$set'], None)) if '$set' in tree else frozenset(self._items(tree['$frozenset'], None))
        elif '$dict' in tree:
            old = fresh if isinstance(fresh, Mapping) else {}
            pairs = [(self.decode(key, None), item) for key, item in tree['$dict']]
            made = {key: self.decode(item, old.get(key)) for key, item in pairs}
        else:
            return self._decode_object(tree, fresh, number)
        self._objects[number] = made
        return made

    def _items(self, trees: Iterable[Any], fresh: Any) -> list[Any]:
        old = list(fresh) if isinstance(fresh, list | tuple | deque) else []
        return [self.decode(tree, old[index] if index < len(old) else None) for index, tree in enumerate(trees)]

    def _decode_object(self, tree: Mapping[str, Any], fresh: Any, number: int) -> Any:
        kind = _class_of(tree['$object'])
        is_frozen = dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
        made = fresh if type(fresh) is kind and not is_frozen else object.__new__(kind)
        self._objects[number] = made
        for name, item in tree['state'].items():
            object.__setattr__(made, name, self.decode(item, getattr(fresh, name, None)))
        return made


@functools.cache  # the journal encodes hundreds of small objects a second, of few kinds
def _dtype_name(dtype: np.dtype[Any]) -> str:
    return str(dtype)


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith(ROOMS)


def _name_of(kind: type) -> str:
    return f'{kind.__module__}:{kind.__qualname__}'


def _class_of(name: str) -> type[Any]:
    module_name, _, path = name.partition(':')
    found: Any = sys.modules.get(module_name) if module_name.startswith(ROOMS) else None
    for part in path.split('.'):
        found = getattr(found, part, None)
    if not isinstance(found, type) or not _is_ours(found):
        raise TypeError(f"there is no class '{name}' in this version")
    return found


_slots: dict[type, tuple[str, ...]] = {}


def _slots_of(kind: type) -> tuple[str, ...]:
    if kind not in _slots:
        found = [parent.__dict__.get('__slots__', ()) for parent in kind.__mro__]
        _slots[kind] = tuple(name for slots in found for name in ((slots,) if isinstance(slots, str) else slots))
    return _slots[kind]


def _attributes(value: Any) -> Iterable[tuple[str, Any]]:
    if hasattr(value, '__dict__'):
        yield from vars(value).items()
    for name in _slots_of(type(value)):
        if hasattr(value, name):
            yield name, getattr(value, name)
