# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Small words of MJCF that scene and robots share."""

from __future__ import annotations

from typing import Any

# A pair of geoms meets when the contype of one shares a bit with the conaffinity of the other: bit 1 is the robot, bit 2 everything else.
WORLD_CONTACT: dict[str, Any] = {'contype': '2', 'conaffinity': '3'}
ROBOT_CONTACT: dict[str, Any] = {'contype': '1', 'conaffinity': '2'}
SELF_CONTACT: dict[str, Any] = {'contype': '1', 'conaffinity': '3'}
"""Of a robot whose links can also meet each other."""
UNTOUCHABLE: dict[str, Any] = {'contype': '0', 'conaffinity': '0'}


def numbers(*values: float) -> str:
    """Return the values as MJCF writes vectors, with six digits."""
    return ' '.join(f'{value:.6g}' for value in values)
