# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The `workspace:` block of a robot's YAML file: what its links keep clear of, and which point is its tool."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vera_core.errors import EmbodimentError, nearest_name_hint

Point = tuple[float, float, float]

FLOOR_MARGIN_M = 0.01
SELF_MARGIN_M = 0.02
_KEYS = ('floor_z', 'floor_margin', 'self_margin', 'lower', 'upper', 'tool')


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A point that moves with a link: a finger's tip, a held tool."""

    link: str
    """Link of the robot's description that carries it."""
    offset: Point
    """Where it is in the link's frame, m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where the moving links may be, in the frame of the description's root link."""

    floor_z: float | None = None
    """Height of the table, m; None for no table."""
    floor_margin: float = FLOOR_MARGIN_M
    """Distance that links keep from the table and from the sides of the box, m."""
    self_margin: float = SELF_MARGIN_M
    """Distance that links keep from each other, m."""
    lower: Point | None = None
    """Lowest corner of the box that the moving links stay in, m; None for no box."""
    upper: Point | None = None
    """Highest corner of that box, m."""
    tool: Tool | None = None
    """A point that counts for the speed limit beside the links themselves."""


def parse_workspace(block: Mapping[str, Any]) -> Workspace:
    """Read the block.

    Raises:
        EmbodimentError: At an unknown entry; the text names the nearest one there is.
    """
    unknown = sorted(set(block) - set(_KEYS))
    if unknown:
        raise EmbodimentError(f"workspace has an unknown entry '{unknown[0]}'; {nearest_name_hint(unknown[0], _KEYS)}")
    floor_z = block.get('floor_z')
    return Workspace(
        floor_z=None if floor_z is None else float(floor_z),
        floor_margin=float(block.get('floor_margin', FLOOR_MARGIN_M)),
        self_margin=float(block.get('self_margin', SELF_MARGIN_M)),
        lower=_point(block['lower']) if 'lower' in block else None,
        upper=_point(block['upper']) if 'upper' in block else None,
        tool=Tool(link=str(block['tool']['link']), offset=_point(block['tool']['offset'])) if 'tool' in block else None,
    )


def _point(values: Sequence[float]) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z


def check_workspace(workspace: Workspace) -> None:
    """Look at every value.

    Raises:
        EmbodimentError: At the first that cannot be; the text gives the value and what may be.
    """
    if workspace.floor_z is not None and not math.isfinite(workspace.floor_z):
        raise EmbodimentError(f'workspace.floor_z is {workspace.floor_z}; give the height of the table in m, or leave it out')
    for label, margin in (('floor_margin', workspace.floor_margin), ('self_margin', workspace.self_margin)):
        if not 0.0 <= margin <= 0.2:
            raise EmbodimentError(f'workspace.{label} is {margin}; it must be in [0, 0.2] m')
    if (workspace.lower is None) != (workspace.upper is None):
        raise EmbodimentError('workspace has only one of lower and upper; a box needs both corners')
    if workspace.lower is not None and workspace.upper is not None:
        pairs = zip(workspace.lower, workspace.upper, strict=True)
        if not all(math.isfinite(low) and math.isfinite(high) and low < high for low, high in pairs):
            raise EmbodimentError(
                f'workspace.lower {workspace.lower} must be below upper {workspace.upper} in x, y and z, all finite, in m'
            )
    if workspace.tool is not None and not all(math.isfinite(value) for value in workspace.tool.offset):
        raise EmbodimentError(f'workspace.tool.offset is {workspace.tool.offset}; it must be three finite numbers, in m')
