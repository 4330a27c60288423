# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the links clear of the table and of each other, and the fastest of their points below a speed.

Two rules. Far ahead: a pair of links may close its gap no faster than what is left of it within a stop's time, so an arm slows down the nearer it
comes; the wanted velocity is scaled as a whole, which keeps its direction, and opening a gap is never slowed. In the end: what is published always
ends at rest, so the whole way to that rest is looked at, and a motion that would come closer than the margin, or be too fast anywhere, does
not leave. What is in force then has been looked at in the same way and goes on to its rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vera_control.trajectory import JointMotion
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray
from vera_core.workspace import Workspace

if TYPE_CHECKING:
    from vera_control.body import Body, Gaps

SOFT_SHARE = 0.1
"""The first rule brings links to rest this share of the margin before it, so that the second one seldom has to act."""
CREEP_M_S = 0.0005
"""Closing this slowly is not slowed: motion along the table closes and opens its gap by rounding."""
DEEPER_M = 1e-5
"""Links that begin closer than the margin may come closer by no more than this."""
SPEED_RESERVE = 0.97
"""The first rule aims at this share of the highest speed; on the way levers grow a little."""
LOOK_RESERVE = 0.99
"""The second rule keeps the points of a motion below this share of the highest speed; between two of them it may be 0.7 % faster."""
STRIDE = 2
"""Distances are looked at in every so many points of a motion; at 10 ms a link at full speed moves 5 mm in between, and bends off its line by 0.2 mm."""


class Clearance:
    """The two rules for one robot."""

    def __init__(self, body: Body, *, max_speed_m_s: float, reaction_s: float) -> None:
        self._body = body
        self.max_speed_m_s = max_speed_m_s
        self._reaction_s = reaction_s
        self._required = body.margins.copy()
        self.text = ''
        """What stood in the way of the last motion that was slowed or refused."""

    def share(self, position: FloatArray, velocity: FloatArray) -> float:
        """Return the share of a velocity, shape (n,), rad/s, that the first rule leaves at a position, shape (n,), rad; in [0, 1]."""
        body = self._body
        body.place(position)
        gaps = body.gaps()
        body.move(velocity)
        speed = float(body.fastest_point([body.motion()])[0])
        share = min(1.0, SPEED_RESERVE * self.max_speed_m_s / max(speed, 1e-9))
        closing = -body.opening_rates()
        room = np.maximum(gaps.distance - (1.0 + SOFT_SHARE) * gaps.margin, 0.0)
        allowed = np.maximum(room / self._reaction_s, CREEP_M_S)
        if np.any(closing * share > allowed):
            worst = int(np.argmin(allowed / np.maximum(closing, 1e-12)))
            share = float(allowed[worst] / closing[worst])
            self._tell(gaps, worst, 'are')
        return share

    def speed_share(self, position: FloatArray, velocity: FloatArray) -> float:
        """Return the share of the speed of a motion, positions rad and velocities rad/s of shape (K, n), at which no point of it is too fast; in (0, 1]."""
        motions = []
        for row in range(len(position)):
            self._body.place(position[row])
            self._body.move(velocity[row])
            motions.append(self._body.motion())
        return min(1.0, SPEED_RESERVE * self.max_speed_m_s / max(float(self._body.fastest_point(motions).max()), 1e-9))

    def permitted(self, start: JointMotion, position: FloatArray, velocity: FloatArray) -> float:
        """Return 1 when the second rule lets a motion to rest pass, else the share of its speed to try next, in (0, 1).

        Args:
            start: Where the motion begins.
            position: Its points, shape (K, n), rad.
            velocity: Velocities at the points, shape (K, n), rad/s.
        """
        body = self._body
        body.place(start.position)
        inside = body.gaps()
        body.move(start.velocity)
        motions = [body.motion()]
        tight = inside.distance < inside.margin
        np.minimum.at(self._required, inside.pair[tight], inside.distance[tight] - DEEPER_M)
        try:
            for row in range(len(position)):
                body.place(position[row])
                if row % STRIDE == STRIDE - 1 or row == len(position) - 1:
                    gaps = body.gaps()
                    short = gaps.distance - self._required[gaps.pair]
                    if np.any(short < 0):
                        self._tell(gaps, int(np.argmin(short)), 'would be')
                        return 0.5
                # Speed at every point: any of them may be where the next motion begins, and what it begins with it may keep.
                body.move(velocity[row])
                motions.append(body.motion())
        finally:
            self._required[inside.pair] = inside.margin
        speeds = body.fastest_point(motions)
        allowed = max(LOOK_RESERVE * self.max_speed_m_s, float(speeds[0]))
        fastest = float(speeds.max())
        if fastest > allowed * (1.0 + 1e-6):
            self.text = f'the fastest point of the arm would move at {fastest:.3f} m/s, limit {self.max_speed_m_s} m/s'
            return 0.98 * allowed / fastest
        return 1.0

    def _tell(self, gaps: Gaps, worst: int, verb: str) -> None:
        first, second = divmod(int(gaps.pair[worst]), len(self._body.names))
        names = sorted((self._body.names[first], self._body.names[second]), key=lambda name: name.startswith('the '))
        self.text = (
            f'{names[0]} and {names[1]} {verb} {gaps.distance[worst]:.3f} m apart, margin {gaps.margin[worst]:g} m; '
            'only motion that leads away is followed'
        )


def describe(clearance: Clearance | None, robot: Embodiment) -> str:
    """Return in one sentence what is kept clear of what, or that nothing is."""
    if clearance is None:
        return f'robot {robot.name} has no description: distances between its links and to a table, and speeds in space, are not watched'
    workspace = robot.workspace or Workspace()
    table = (
        'there is no table' if workspace.floor_z is None else f'from the table at z = {workspace.floor_z:g} m {workspace.floor_margin:g} m'
    )
    return f'links keep {workspace.self_margin:g} m from each other, {table}; no point of them moves faster than {clearance.max_speed_m_s:g} m/s'


def clearance_of(robot: Embodiment, *, max_speed_m_s: float, reaction_s: float) -> Clearance | None:
    """Return the rules for a robot; None when its file names no description, so that nobody knows where its links are.

    Args:
        robot: Whose links.
        max_speed_m_s: Highest speed of any point of them, m/s.
        reaction_s: A commanded speed is gone after at most this long, s.

    Raises:
        EmbodimentError: If the description cannot be used.
        ConfigError: If MuJoCo, which reads it, is not installed.
    """
    if robot.description is None:
        return None
    try:
        from vera_control.body import Body
        from vera_control.body_model import body_model
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'robot {robot.name} has a description, and distances between its links need MuJoCo: pip install mujoco; without '
            'the entry description in its file the arm runs without them'
        ) from error
    return Clearance(Body(body_model(robot)), max_speed_m_s=max_speed_m_s, reaction_s=reaction_s)
