# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""reach: touch the named cube, before any other and for a moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from vera_core.embodiment import Embodiment
from vera_core.goals import Goal
from vera_core.shapes import FloatArray
from vera_sim.expert import reach_path
from vera_sim.poses import pose_sampler
from vera_sim.scene import Scene, sample_scene
from vera_sim.tasks.task import EXPERT_DT_S
from vera_sim.world import World

TOUCH_TIME_S = 0.3


@dataclass(slots=True)
class TouchCheck:
    """Decides whether the named cube was touched, from contacts alone: it must be touched first and for `TOUCH_TIME_S` without a break."""

    target: str
    touched: list[str] = field(default_factory=list)
    touch_time_s: float = 0.0
    longest_s: float = 0.0

    def update(self, world: World, period_s: float) -> None:
        """Take note of the cubes in contact now, `period_s` after the last call."""
        self.note(world.touching(), period_s)

    def note(self, touching: tuple[str, ...], period_s: float) -> None:
        """Take note of the names of cubes in contact, `period_s` after the last call."""
        for name in touching:
            if name not in self.touched:
                self.touched.append(name)
        self.touch_time_s = self.touch_time_s + period_s if self.target in touching else 0.0
        self.longest_s = max(self.longest_s, self.touch_time_s)

    @property
    def success(self) -> bool:
        """Whether the target was the first cube touched and the touch lasted."""
        return bool(self.touched) and self.touched[0] == self.target and self.longest_s >= TOUCH_TIME_S

    @property
    def text(self) -> str:
        """What was touched."""
        return f'touched {", ".join(self.touched) or "nothing"}; {self.target or "no target"} for {self.longest_s:.2f} of {TOUCH_TIME_S} s'


class Reach:
    """Touch the target."""

    name = 'reach'
    robot = 'panda'
    max_duration_s = 30.0

    def scene(self, robot: Embodiment, seed: int, goal: Goal) -> Scene:
        """Draw any scene: every cube can be reached."""
        return sample_scene(robot, seed)

    def start(self, world: World, seed: int) -> FloatArray:
        """Draw from the robot's usual start poses."""
        return pose_sampler(world).start_pose(seed)

    def expert(self, world: World, goal: Goal, q_start: FloatArray, *, seed: int) -> FloatArray:
        """See `expert.reach_path`."""
        return reach_path(world, goal.target, q_start, dt_s=EXPERT_DT_S, seed=seed)

    def check(self, world: World, goal: Goal) -> TouchCheck:
        """Return a new check."""
        return TouchCheck(goal.target)
