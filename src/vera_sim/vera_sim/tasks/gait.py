# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Finger motions that turn a cube on the palm: what they are made of, and the file of those that `gait_search` found."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_sim.expert import minimum_jerk
from vera_sim.tasks.task import EXPERT_DT_S

FILE = 'gaits.yaml'
PEAK_OF_MEAN = 1.875
"""Largest speed of a minimum-jerk motion over its mean speed."""
SHORTEST_LEG_S = 0.6


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Gait:
    """Poses that some joints pass through in turn; the others stay where they are, so that nothing more hides those that move."""

    joints: tuple[int, ...]
    """Numbers of the joints that move."""
    knots: FloatArray
    """Their poses, shape (K, len(joints)), rad."""
    speed_rad_s: float
    """No joint is faster than this, rad/s: what is filmed has to be slow enough for optical flow."""

    def path(self, q_start: FloatArray) -> FloatArray:
        """Return the joints from `q_start` through all poses, one row every `EXPERT_DT_S`, shape (T, n), rad."""
        poses = np.tile(q_start, (len(self.knots) + 1, 1))
        poses[1:, list(self.joints)] = self.knots
        return np.concatenate([np.atleast_2d(q_start), *(self._leg(first, last) for first, last in pairwise(poses))])

    def _leg(self, first: FloatArray, last: FloatArray) -> FloatArray:
        wanted_s = max(PEAK_OF_MEAN * float(np.abs(last - first).max()) / self.speed_rad_s, SHORTEST_LEG_S)
        steps = int(np.ceil(wanted_s / EXPERT_DT_S - 1e-9))
        return first + (last - first) * minimum_jerk(np.linspace(0.0, 1.0, steps + 1)[1:])[:, None]


def load_gait(direction: str, path: Path | None = None) -> Gait:
    """Return the gait that turns the cube in a direction, from the package's file or another.

    Raises:
        ConfigError: If none was found yet; the text says how to search.
    """
    text = (path or resources.files('vera_sim.tasks') / FILE).read_text(encoding='utf-8')
    document = yaml.safe_load(text) or {}
    if direction not in document:
        raise ConfigError(f"there is no gait for direction '{direction}'; search one with python -m vera_sim.tasks.gait_search {direction}")
    entry = document[direction]
    return Gait(
        joints=tuple(int(joint) for joint in entry['joints']), knots=np.array(entry['knots']), speed_rad_s=float(entry['speed_rad_s'])
    )


def save_gait(path: Path, direction: str, gait: Gait) -> None:
    """Write a gait into a file, beside those of other directions that are in it."""
    document = yaml.safe_load(path.read_text(encoding='utf-8')) if path.is_file() else {}
    document[direction] = {
        'joints': list(gait.joints),
        'speed_rad_s': gait.speed_rad_s,
        'knots': [[round(float(q), 3) for q in knot] for knot in gait.knots],
    }
    head = '# Finger motions that turn the cube on the palm, rad: found by python -m vera_sim.tasks.gait_search DIRECTION\n'
    path.write_text(head + yaml.safe_dump(document, sort_keys=True, default_flow_style=None, width=140), encoding='utf-8')
