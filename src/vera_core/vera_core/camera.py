# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the robot file may say about a real camera: its lens and its place, as a calibration found them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vera_core.errors import EmbodimentError

UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """A pinhole camera with the lens model `plumb_bob`, for pictures of one size."""

    size: tuple[int, int]
    """Width and height, px."""
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    """Integers at pixel centres."""
    distortion: tuple[float, ...]
    """k1, k2, p1, p2, k3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the optical frame of a camera is (z forward, x right, y down) in the frame of the robot's base."""

    position: tuple[float, float, float]
    """m"""
    quat_xyzw: tuple[float, float, float, float]
    """Turns camera coordinates into those of the base; of length 1."""


def parse_lens(entry: Any, view: str) -> Lens:
    """Return the lens of a view.

    Raises:
        EmbodimentError: If something is missing, unknown or no lens.
    """
    size, focal, centre, distortion = _numbers(entry, view, 'lens', {'size': 2, 'focal_px': 2, 'centre_px': 2, 'distortion': 5})
    if min(*size, *focal) <= 0 or any(value != int(value) for value in size):
        raise EmbodimentError(f'view {view}: lens has size {size} and focal_px {focal}; whole pixels and positive focal lengths are needed')
    return Lens(size=(int(size[0]), int(size[1])), focal_px=(focal[0], focal[1]), centre_px=(centre[0], centre[1]), distortion=distortion)


def parse_place(entry: Any, view: str) -> Place:
    """Return the place of a view.

    Raises:
        EmbodimentError: If something is missing or unknown, or the quaternion is none of a rotation.
    """
    (x, y, z), quat = _numbers(entry, view, 'place', {'position': 3, 'quat_xyzw': 4})
    length = math.hypot(*quat)
    if abs(length - 1.0) > UNIT_TOLERANCE:
        raise EmbodimentError(f'view {view}: place has a quat_xyzw of length {length:.4f}; a rotation has length 1')
    qx, qy, qz, qw = (value / length for value in quat)
    return Place(position=(x, y, z), quat_xyzw=(qx, qy, qz, qw))


def _numbers(entry: Any, view: str, what: str, counts: Mapping[str, int]) -> list[tuple[float, ...]]:
    if not isinstance(entry, Mapping) or set(entry) != set(counts):
        raise EmbodimentError(
            f'view {view}: {what} needs exactly {", ".join(f"{name} ({count} numbers)" for name, count in counts.items())}'
        )
    found = []
    for name, count in counts.items():
        values = tuple(float(value) for value in entry[name])
        if len(values) != count or not all(math.isfinite(value) for value in values):
            raise EmbodimentError(f'view {view}: {what}.{name} is {list(values)}; {count} finite numbers are needed')
        found.append(values)
    return found
