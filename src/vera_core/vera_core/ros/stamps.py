# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Stamps and byte fields: nanoseconds in memory, builtin_interfaces on the wire; big arrays cross as `array.array`, which rclpy copies at once."""

from __future__ import annotations

import array

import numpy as np
from builtin_interfaces.msg import Duration, Time

from vera_core.shapes import Array


def to_ns(stamp: Time | Duration) -> int:
    """Nanoseconds of a ROS time or duration."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def from_ns(stamp_ns: int) -> Time:
    """ROS time of nanoseconds >= 0."""
    seconds, rest = divmod(int(stamp_ns), 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)


def duration_from_s(duration_s: float) -> Duration:
    """ROS duration of seconds."""
    seconds, rest = divmod(round(duration_s * 1e9), 1_000_000_000)
    return Duration(sec=seconds, nanosec=rest)


def bytes_field(data: Array) -> array.array[int]:
    """Contents of an array as the fast form of a uint8[] field."""
    return array.array('B', np.ascontiguousarray(data).tobytes())
