# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The running simulation behind the node: world, driver and the success check, moved along by whoever has a clock."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.shapes import FloatArray
from vera_sim.driver import TrajectoryDriver
from vera_sim.expert import touch_point
from vera_sim.poses import pose_sampler
from vera_sim.scene import Scene, sample_scene
from vera_sim.world import TIMESTEP_S, World

TOUCH_TIME_S = 0.3
CONTACT_PERIOD_S = 0.02
MAX_LAG_S = 1.0
MAX_JUMP_RAD = 0.15
POSITION_HORIZON_S = 0.1
"""How far behind a stream of joint positions the reference stays, s: the shorter, the harder it follows each of them."""


@dataclass(slots=True)
class TouchCheck:
    """Decides whether the named cube was touched, from contacts alone: it must be touched first and for `TOUCH_TIME_S` without a break."""

    target: str
    touched: list[str] = field(default_factory=list)
    touch_time_s: float = 0.0
    longest_s: float = 0.0

    def update(self, touching: tuple[str, ...], period_s: float) -> None:
        """Take note of the cubes in contact now, `period_s` after the last call."""
        for name in touching:
            if name not in self.touched:
                self.touched.append(name)
        self.touch_time_s = self.touch_time_s + period_s if self.target in touching else 0.0
        self.longest_s = max(self.longest_s, self.touch_time_s)

    @property
    def success(self) -> bool:
        """Whether the target was the first cube touched and the touch lasted."""
        return bool(self.touched) and self.touched[0] == self.target and self.longest_s >= TOUCH_TIME_S


class Simulation:
    """One robot, its scene, one driver. Not thread-safe; time is a monotonic number of seconds given by the caller."""

    def __init__(self, robot: Embodiment, *, seed: int, target: str, now_s: float) -> None:
        self.robot = robot
        self.world = World(robot)
        self.driver = TrajectoryDriver(robot, TIMESTEP_S)
        self.lost_s = 0.0
        self._next_contact_s = 0.0
        self.reset(seed=seed, target=target, now_s=now_s)

    def reset(self, *, seed: int, target: str, now_s: float) -> Scene:
        """Draw scene and start pose of `seed`; `target` names the cube the success check is about, empty for none.

        Raises:
            ConfigError: If no cube is named like the target; nothing is changed then.
        """
        scene = sample_scene(self.robot, seed)
        if target:
            scene.cube(target)
        self.world.set_scene(scene)
        start = pose_sampler(self.world).start_pose(seed)
        self.world.set_joints(start)
        self.driver.reset(start)
        self.check = TouchCheck(target)
        self.target = target
        self.time_s = now_s
        return scene

    def command(
        self, names: list[str], stamp_s: float, times: FloatArray, positions: FloatArray, velocities: FloatArray, accelerations: FloatArray
    ) -> Refusal | None:
        """Hand a trajectory to the driver; see `TrajectoryDriver.accept`. A trajectory that starts elsewhere than the arm is refused."""
        # The driver lives on simulated time, which may lag the wall clock by up to MAX_LAG_S.
        now_s, joints = self.time_s, self.robot.joint_names
        if sorted(names) == sorted(joints) and positions.shape == (len(times), len(joints)) and len(times):
            elapsed = max(0.0, now_s - stamp_s) if stamp_s else 0.0
            nearest = positions[min(int(np.searchsorted(times, elapsed)), len(times) - 1)][[names.index(name) for name in joints]]
            gap = np.abs(nearest - self.world.joint_position)
            if gap.max() > MAX_JUMP_RAD:
                joint = joints[int(gap.argmax())]
                self.driver.rejected += 1
                return Refusal(
                    'jump', f'{joint} would jump by {gap.max():.3f} rad (limit {MAX_JUMP_RAD}); start the trajectory where the arm is'
                )
        return self.driver.accept(names, stamp_s, times, positions, velocities, accelerations, now_s)

    def command_positions(self, names: list[str], positions: FloatArray) -> Refusal | None:
        """Hand joint positions, shape (n,), rad, to the driver, as hands take them many times a second; limits hold as for trajectories.

        Between two commands the reference goes on smoothly towards the last one, where it comes to rest should no other follow.
        """
        still = np.zeros((1, positions.size))
        return self.command(names, 0.0, np.array([POSITION_HORIZON_S]), positions.reshape(1, -1), still, still)

    def advance(self, now_s: float) -> None:
        """Step the physics up to `now_s`. Time that cannot be caught up within `MAX_LAG_S` is dropped and counted in `lost_s`."""
        lag = now_s - self.time_s
        if lag > MAX_LAG_S:
            self.lost_s += lag - MAX_LAG_S
            self.time_s = now_s - MAX_LAG_S
        while self.time_s + TIMESTEP_S <= now_s:
            self.time_s += TIMESTEP_S
            self.world.step(*self.driver.tick(self.time_s))
            if self.time_s >= self._next_contact_s or self._next_contact_s > self.time_s + 1:
                self._next_contact_s = self.time_s + CONTACT_PERIOD_S
                self.check.update(self.world.touching(), CONTACT_PERIOD_S)

    @property
    def target_distance(self) -> float:
        """Fingertip to the touch point of the target where it lies now, m; -1 without a target."""
        if not self.target:
            return -1.0
        moved = self.world.cube_position(self.target)[:2] - np.array(self.world.scene.cube(self.target).xy)
        goal = touch_point(self.world, self.target) + np.array([moved[0], moved[1], 0.0])
        return float(np.linalg.norm(self.world.fingertip - goal))
