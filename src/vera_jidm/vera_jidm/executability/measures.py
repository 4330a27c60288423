# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is measured of a plan, each with its unit, and how each is said in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The largest value of a measure over the steps of a plan, and the step it was found at."""

    value: float
    frame: int = 0
    """Planned frame the step leads to; the frame before it, or the real picture, is where it begins."""
    detail: str = ''
    """What it was about: a joint, a view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMeasures:
    """Figures of one plan. More is worse in all of them but `motion_px` and `robot_share`."""

    jump_px: Worst
    """Largest motion between two pictures, px at working size: 95th percentile of what moves."""
    appeared_share: Worst
    """Share of a picture that no motion brings from the picture before it, 0..1: what appears or vanishes."""
    flicker_levels: Worst
    """Median over a picture of the change of the change of brightness, grey levels."""
    unexplained_ratio: Worst
    """Share of the motion of robot pixels, over all steps, that no joint motion makes, rms over rms, 0..1."""
    unexplained_px: Worst
    """The same at the worst step, px rms."""
    overrun_rad: Worst
    """How far the joint motion of the plan leads past a joint limit, rad; joints that show little count less, see `JointPath.overrun`."""
    speed_ratio: Worst
    """Largest joint speed asked for over the limit of the joint."""
    robot_share: Worst
    """Smallest amount of robot seen in the plan, over what is seen now."""
    motion_px: Worst
    """How far the robot comes from where it was a few frames before, at most, px: what a frozen plan lacks."""

    def values(self) -> Mapping[str, float]:
        """Return name to figure."""
        return {entry.name: getattr(self, entry.name).value for entry in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """How a measure enters the score, and how it is said."""

    scale: float
    """A value of this size matters, in the unit of the measure."""
    words: str
    """Takes the places of `Sentence`."""

    def doubt(self, value: float) -> float:
        """Return how much a value speaks against the plan, >= 0; grows like a logarithm, so that nothing counts without end."""
        return float(np.log1p(max(value, 0.0) / self.scale))


class Lack(Feature):
    """Of a measure of which too little speaks against the plan."""

    def doubt(self, value: float) -> float:
        """Return 1 for nothing at all, 0 for plenty."""
        return float(np.exp(-max(value, 0.0) / self.scale))


FEATURES: Mapping[str, Feature] = {
    'jump_px': Feature(scale=5.0, words='the picture would have to jump {value:.0f} px {between}'),
    'appeared_share': Feature(scale=0.02, words='{value:.0%} of the {detail} picture {between} come from nowhere'),
    'flicker_levels': Feature(scale=2.0, words='the {detail} picture flickers by {value:.0f} grey levels {between}'),
    'unexplained_ratio': Feature(scale=0.3, words='joint motion explains only {rest:.0%} of the motion of the robot'),
    'unexplained_px': Feature(scale=1.0, words='the robot would have to move by {value:.1f} px {between} as no joint can move it'),
    'overrun_rad': Feature(scale=0.1, words='{detail} would have to go {value:.2f} rad past its limit by frame {frame}'),
    'speed_ratio': Feature(scale=1.0, words='{detail} would have to go at {value:.1f} times its speed limit {between}'),
    'robot_share': Lack(scale=0.3, words='by frame {frame} only {value:.0%} of the robot would be left'),
    'motion_px': Lack(scale=0.5, words='the robot does not move in it (at most {value:.2f} px in a few frames)'),
}
"""Measure to its part in the score."""


def sentence(name: str, worst: Worst) -> str:
    """Say a measure in words."""
    before = 'the real picture' if worst.frame <= 1 else f'frame {worst.frame - 1}'
    places: dict[str, Any] = {
        'value': worst.value,
        'rest': max(1.0 - worst.value, 0.0),
        'detail': worst.detail,
        'frame': worst.frame,
        'between': f'between {before} and frame {worst.frame}',
    }
    return FEATURES[name].words.format(**places)
