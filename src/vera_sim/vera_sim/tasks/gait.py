# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Periodic finger motions that turn a cube on the palm: what they are made of, and the file of those that `gait_search` found."""

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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Gait:
    """Poses that the hand passes through again and again."""

    ready: FloatArray
    """Where it begins, clear of the cube, shape (n,), rad."""
    knots: FloatArray
    """Poses of one cycle, shape (K, n), rad."""
    leg_s: float
    """Time from a pose to the next, s."""
    cycles: int

    def path(self, q_start: FloatArray) -> FloatArray:
        """Return the joints from `q_start` through all cycles and back to where the gait began, one row every `EXPERT_DT_S`, shape (T, n), rad."""
        poses = [q_start, self.ready, *np.tile(self.knots, (self.cycles, 1)), self.ready]
        steps = round(self.leg_s / EXPERT_DT_S)
        shares = minimum_jerk(np.linspace(0.0, 1.0, steps + 1)[1:])[:, None]
        legs = [first + (last - first) * shares for first, last in pairwise(poses)]
        return np.concatenate([np.atleast_2d(q_start), *legs])


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
    return Gait(ready=np.array(entry['ready']), knots=np.array(entry['knots']), leg_s=float(entry['leg_s']), cycles=int(entry['cycles']))


def save_gait(path: Path, direction: str, gait: Gait) -> None:
    """Write a gait into a file, beside those of other directions that are in it."""
    document = yaml.safe_load(path.read_text(encoding='utf-8')) if path.is_file() else {}
    document[direction] = {
        'leg_s': gait.leg_s,
        'cycles': gait.cycles,
        'ready': [round(float(q), 3) for q in gait.ready],
        'knots': [[round(float(q), 3) for q in knot] for knot in gait.knots],
    }
    head = '# Finger gaits that turn the cube on the palm, rad: found by python -m vera_sim.tasks.gait_search DIRECTION\n'
    path.write_text(head + yaml.safe_dump(document, sort_keys=True, default_flow_style=None, width=140), encoding='utf-8')
