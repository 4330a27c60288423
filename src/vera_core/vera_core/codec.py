# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages between machines: msgpack with numpy arrays, as VERA's policy server writes them. Nothing in a message is ever executed.

An array is a map with the byte-string keys `__ndarray__`, `data` (C-order bytes), `dtype` (such as `<f4`) and `shape`; a numpy scalar has
`__npscalar__`, `data` and `dtype`. Text keys, and the tag `__npgeneric__` of other writers of the format, are read as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

from vera_core.errors import WireError
from vera_core.shapes import Array

MAX_BYTES = 256 * 2**20
"""Longest message, bytes: 29 context and 81 planned frames of three 480 x 832 views fit in."""
MAX_ITEMS = 100_000
"""Most entries of one list or map."""
MAX_AXES = 8
DTYPE = re.compile(r'[<>|=]?[biuf][1248]')
"""Numbers and truth values of fixed size; objects, structures and text are no arrays of this format."""


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message as bytes.

    Raises:
        WireError: If it holds something the format has no words for, or is too long.
    """
    try:
        data = msgpack.packb(dict(message), use_bin_type=True, default=_to_map)
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f'a message cannot be written: {error}') from error
    assert isinstance(data, bytes)
    _check_length(data, MAX_BYTES)
    return data


def decode(data: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return the message in bytes from another machine; arrays are read-only views of the bytes.

    Raises:
        WireError: If it is too long, cut short, not msgpack, not a map with text keys, or holds an array that contradicts itself.
    """
    _check_length(data, max_bytes)
    try:
        message = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=False,
            object_hook=_from_map,
            ext_hook=_refuse_extension,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
        )
    except WireError:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError, msgpack.UnpackException) as error:
        raise WireError(f'{len(data)} bytes are not a msgpack message: {type(error).__name__}: {str(error)[:200]}') from error
    if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
        raise WireError(f'a message must be a map with text keys; this one is a {type(message).__name__}')
    return message


def field(message: Mapping[str, Any], name: str, kind: type | tuple[type, ...], *, default: Any = ...) -> Any:
    """Return one entry of a message after a look at its type; whole numbers pass as floats.

    Raises:
        WireError: If it is missing without a default, of another type, or a number that is not finite.
    """
    value = message.get(name, default)
    if value is ...:
        raise WireError(f"the message has no '{name}'; it has {', '.join(sorted(message)[:20])}")
    if isinstance(value, np.generic):
        value = value.item()
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if value is default and default is not ...:
        return value
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise WireError(f"'{name}' is a {type(value).__name__}; {' or '.join(each.__name__ for each in kinds)} was expected")
    if isinstance(value, float) and not math.isfinite(value):
        raise WireError(f"'{name}' is {value}; it must be finite")
    return value


def _check_length(data: bytes, most: int) -> None:
    if len(data) > most:
        raise WireError(f'a message has {len(data)} bytes, at most {most} are taken')


def _to_map(value: object) -> dict[bytes, Any]:
    if isinstance(value, np.ndarray):
        if not DTYPE.fullmatch(value.dtype.str):
            raise TypeError(f'an array of dtype {value.dtype} has no place in a message')
        return {b'__ndarray__': True, b'data': value.tobytes(), b'dtype': value.dtype.str, b'shape': list(value.shape)}
    if isinstance(value, np.generic) and DTYPE.fullmatch(value.dtype.str):
        return {b'__npscalar__': True, b'data': value.item(), b'dtype': value.dtype.str}
    raise TypeError(f'a {type(value).__name__} has no place in a message')


def _from_map(found: dict[Any, Any]) -> Any:
    tags = {_text(key): value for key, value in found.items() if isinstance(key, str | bytes)}
    if '__ndarray__' in tags:
        return _array(tags)
    if '__npscalar__' in tags or '__npgeneric__' in tags:
        return _scalar(tags)
    return found


def _text(key: str | bytes) -> str:
    return key if isinstance(key, str) else key.decode('latin-1')


def _dtype(tags: Mapping[str, Any]) -> np.dtype[Any]:
    name = tags.get('dtype')
    if not isinstance(name, str) or not DTYPE.fullmatch(name):
        raise WireError(f'an array has dtype {str(name)[:40]!r}; numbers such as "<f4" and "|u1" are read')
    try:
        return np.dtype(name)
    except TypeError as error:
        raise WireError(f'an array has dtype {name!r}, which does not exist') from error


def _array(tags: Mapping[str, Any]) -> Array:
    dtype, data, shape = _dtype(tags), tags.get('data'), tags.get('shape')
    if not isinstance(data, bytes) or not isinstance(shape, list) or len(shape) > MAX_AXES:
        raise WireError(f'an array needs bytes as data and at most {MAX_AXES} axes as shape')
    if not all(isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAX_BYTES for size in shape):
        raise WireError(f'an array has shape {str(shape)[:80]}; whole numbers from 0 on are needed')
    if math.prod(shape) * dtype.itemsize != len(data):
        raise WireError(
            f'an array of shape {tuple(shape)} and dtype {dtype.str} needs {math.prod(shape) * dtype.itemsize} bytes, it has {len(data)}'
        )
    return np.frombuffer(data, dtype).reshape(shape)


def _scalar(tags: Mapping[str, Any]) -> Any:
    dtype, data = _dtype(tags), tags.get('data')
    if not isinstance(data, int | float):
        raise WireError(f'a numpy scalar holds a {type(data).__name__}; a number was expected')
    try:
        with np.errstate(over='raise', invalid='raise'):
            return np.asarray(data).astype(dtype)[()] if isinstance(data, float) else np.array(data, dtype)[()]
    except (OverflowError, FloatingPointError, ValueError) as error:
        raise WireError(f'a numpy scalar of dtype {dtype.str} cannot hold {data}') from error


def _refuse_extension(code: int, data: bytes) -> Any:
    raise WireError(f'a message holds an extension of type {code} with {len(data)} bytes; only plain values and arrays are read')
