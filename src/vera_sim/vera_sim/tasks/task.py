# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a task of the simulator is: a scene that fits its goal, an expert that shows how, and a check that only looks at the physics."""

from __future__ import annotations

from typing import Protocol

from vera_core.embodiment import Embodiment
from vera_core.goals import Goal
from vera_core.shapes import FloatArray
from vera_sim.scene import Scene
from vera_sim.world import World

EXPERT_DT_S = 0.1
"""Time between two rows of an expert's path; what lies between is joined smoothly."""


class Check(Protocol):
    """Decides from the physics alone whether a goal is reached; made at the start of an episode."""

    def update(self, world: World, period_s: float) -> None:
        """Look at the world, `period_s` after the last look."""
        ...

    @property
    def success(self) -> bool:
        """Whether the goal is reached as things stand."""
        ...

    @property
    def text(self) -> str:
        """How far it is, in words."""
        ...


class Task(Protocol):
    """One kind of task."""

    name: str
    robot: str
    """Name of a shipped robot that does it."""
    max_duration_s: float
    """Time limit of an episode, s."""

    def scene(self, robot: Embodiment, seed: int, goal: Goal) -> Scene:
        """Draw a scene in which the goal can be reached: same seed and goal, same scene.

        Raises:
            EmbodimentError: If the robot is not one for this task.
        """
        ...

    def start(self, world: World, seed: int) -> FloatArray:
        """Return the joints an episode starts from in the scene of `world`, shape (n,), rad: same seed, same joints."""
        ...

    def expert(self, world: World, goal: Goal, q_start: FloatArray, *, seed: int) -> FloatArray:
        """Return a joint path that reaches the goal from `q_start`, shape (T, n), rad or m, one row every `EXPERT_DT_S`.

        It is made from where the cubes are, without looking at what the motion does to them.

        Raises:
            ConfigError: If the goal is out of reach.
        """
        ...

    def check(self, world: World, goal: Goal) -> Check:
        """Return a new check for the scene as it stands now."""
        ...
