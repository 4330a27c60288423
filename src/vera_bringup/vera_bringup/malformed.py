# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Malformed messages from a seed: a good message with values no decoder should trust, or its bytes on the wire cut and changed."""

from __future__ import annotations

import array
import copy
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message

FLOATS = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -1.0, 0.0, 1e9)
STAMPS = ((0, 0), (-(2**31), 0), (2**31 - 1, 999_999_999), (1, 2**32 - 1), (-1, 5), (1_000_000_000, 0))
"""Seconds and nanoseconds: none, long ago, far ahead, out of range, before 1970."""
TEXTS = ('', ' ', '\n\t', '\x01\x7f', 'ä€🤖' * 5, '../../etc/passwd', '%s%n{0}', "'; --", 'rgb8', '32FC2', 'x' * 300)
BIG_TEXT, BIG_SEQUENCE = 200_000, 20_000
BIG_SHARE = 0.01
"""Share of the changed values that are huge."""
RAW_SHARE = 0.25
"""Share of messages whose bytes on the wire are changed."""
INTEGER = re.compile(r'(u?)int(8|16|32|64)')
LENGTHS = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x00FFFFFF, 0)

Path = tuple[str | int, ...]


def malform(good: Any, rng: np.random.Generator) -> Any:
    """Return a malformed message made from a good one, which stays as it is: a message, or bytes of a serialised one.

    Args:
        good: Any ROS message that a subscriber would take.
        rng: Where the choices come from.
    """
    if rng.random() < RAW_SHARE:
        return malform_bytes(bytes(serialize_message(good)), rng)
    message = copy.deepcopy(good)
    places = _leaves(message)
    for _ in range(int(rng.integers(1, 4))):
        path, kind = places[int(rng.integers(len(places)))]
        _change(message, path, kind, rng)
    return message


def malform_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with some changed, lengths made absurd, cut off or appended. The first four, which say how the rest is written, stay."""
    changed = bytearray(data)
    choice = int(rng.integers(4))
    if choice == 0 and len(changed) > 5:
        return bytes(changed[: int(rng.integers(4, len(changed)))])
    if choice == 1:
        return bytes(changed + rng.bytes(int(rng.integers(1, 64))))
    for _ in range(int(rng.integers(1, 6))):
        if len(changed) > 8 and rng.random() < 0.5:
            place = 4 + 4 * int(rng.integers(min(len(changed) - 4, 400) // 4))
            changed[place : place + 4] = _pick(LENGTHS, rng).to_bytes(4, 'little')
        elif len(changed) > 4:
            changed[int(rng.integers(4, len(changed)))] = int(rng.integers(256))
    return bytes(changed)


def _pick(values: Any, rng: np.random.Generator) -> Any:
    return values[int(rng.integers(len(values)))]


def _leaves(message: Any, path: Path = (), depth: int = 0) -> list[tuple[Path, str]]:
    """Return where a message has values, as paths of field names and places, and of which kind each is."""
    found: list[tuple[Path, str]] = []
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        here = (*path, name)
        found.append((here, kind))
        if hasattr(value, 'get_fields_and_field_types') and not isinstance(value, Time):
            found += _leaves(value, here, depth + 1)
        elif isinstance(value, list) and value and hasattr(value[0], 'get_fields_and_field_types') and depth < 3:
            found += [leaf for place in {0, len(value) - 1} for leaf in _leaves(value[place], (*here, place), depth + 1)]
    return found


def _change(message: Any, path: Path, kind: str, rng: np.random.Generator) -> None:
    owner = message
    for step in path[:-1]:
        try:
            owner = owner[step] if isinstance(step, int) else getattr(owner, step)
        except IndexError:  # an earlier change has emptied the list
            return
    name = str(path[-1])
    setattr(owner, name, _bad_value(kind, getattr(owner, name), rng))


def _bad_value(kind: str, value: Any, rng: np.random.Generator) -> Any:
    if kind.startswith('sequence<'):
        return _bad_sequence(kind[len('sequence<') : -1], value, rng)
    if kind == 'builtin_interfaces/Time':
        seconds, rest = _pick(STAMPS, rng)
        return Time(sec=seconds, nanosec=rest)
    if kind in ('float', 'double'):
        picked = _pick(FLOATS, rng)
        return picked if kind == 'double' or not math.isfinite(picked) else float(np.float32(max(-3e38, min(3e38, picked))))
    if kind == 'boolean':
        return not value
    if kind == 'string':
        return 'y' * BIG_TEXT if rng.random() < BIG_SHARE else _pick(TEXTS, rng)
    if found := INTEGER.fullmatch(kind):
        bits, is_signed = int(found[2]), not found[1]
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
        return _pick((low, high, 0, 1, high // 2, int(rng.integers(0, 100))), rng)
    return type(value)() if hasattr(value, 'get_fields_and_field_types') else value


def _bad_sequence(kind: str, value: Any, rng: np.random.Generator) -> Any:
    ways: list[Callable[[], Any]] = [lambda: value[:0], lambda: value[: len(value) // 2], lambda: value + value[:1], lambda: value + value]
    if len(value) and rng.random() < BIG_SHARE:
        ways = [lambda: value * max(1, BIG_SEQUENCE // len(value))]
    elif len(value) and kind in ('double', 'float', 'string', 'uint8'):
        ways += [lambda: _with_one_bad(kind, value, rng)] * 3
    return ways[int(rng.integers(len(ways)))]()


def _with_one_bad(kind: str, value: Any, rng: np.random.Generator) -> Any:
    changed = array.array(value.typecode, value) if isinstance(value, array.array) else list(value)
    changed[int(rng.integers(len(changed)))] = int(rng.integers(256)) if kind == 'uint8' else _bad_value(kind, value[0], rng)
    return changed
