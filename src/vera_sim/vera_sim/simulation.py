# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The running simulation behind the node: world, driver and the success check, moved along by whoever has a clock."""

from __future__ import annotations

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import Refusal
from vera_core.goals import Goal, checked_goal
from vera_core.shapes import FloatArray
from vera_sim.driver import TrajectoryDriver
from vera_sim.expert import touch_point
from vera_sim.joint_trajectory import JointTrajectory
from vera_sim.obstacle import Obstacle
from vera_sim.scene import Scene
from vera_sim.tasks import find_task
from vera_sim.tasks.reach import TouchCheck
from vera_sim.world import TIMESTEP_S, World

CONTACT_PERIOD_S = 0.02
MAX_LAG_S = 1.0
MAX_JUMP_RAD = 0.15
POSITION_HORIZON_S = 0.1
"""How far behind a stream of joint positions the reference stays, s: the shorter, the harder it follows each of them."""


class Simulation:
    """One robot, its scene, one driver. Not thread-safe; time is a monotonic number of seconds given by the caller."""

    def __init__(self, robot: Embodiment, *, seed: int, goal: Goal, now_s: float, obstacle: Obstacle | None = None) -> None:
        self.robot = robot
        self.world = World(robot, obstacle=obstacle)
        self.driver = TrajectoryDriver(robot, TIMESTEP_S)
        self.lost_s = 0.0
        self._push_n = 0.0
        self._next_contact_s = 0.0
        self.reset(seed=seed, goal=goal, now_s=now_s)

    def reset(self, *, seed: int, goal: Goal, now_s: float) -> Scene:
        """Draw scene and start pose of `seed`, with room for `goal`; what success means is the goal's task's.

        Raises:
            ConfigError: If the task cannot ask for this, or not of this robot; nothing is changed then.
        """
        task = find_task(goal.task)
        if goal.target and goal.task != 'reach':
            checked_goal(goal)
        scene = task.scene(self.robot, seed, goal)
        if goal.target:
            scene.cube(goal.target)
        self.world.set_scene(scene)
        start = task.start(self.world, seed)
        self.world.set_joints(start)
        self.driver.reset(start)
        self.goal = goal
        self.check = task.check(self.world, goal)
        self.touch = self.check if isinstance(self.check, TouchCheck) else TouchCheck(goal.target)
        self.time_s = now_s
        return scene

    def command(self, trajectory: JointTrajectory, stamp_s: float) -> Refusal | None:
        """Hand a trajectory to the driver; see `TrajectoryDriver.take`. A trajectory that starts elsewhere than the arm is refused."""
        # The driver lives on simulated time, which may lag the wall clock by up to MAX_LAG_S.
        now_s, joints, names, times = self.time_s, self.robot.joint_names, trajectory.names, trajectory.times
        if sorted(names) == sorted(joints) and trajectory.positions.shape == (len(times), len(joints)) and len(times):
            elapsed = max(0.0, now_s - stamp_s) if stamp_s else 0.0
            row = min(int(np.searchsorted(times, elapsed)), len(times) - 1)
            gap = np.abs(trajectory.positions[row, [names.index(name) for name in joints]] - self.world.joint_position)
            if gap.max() > MAX_JUMP_RAD:
                joint = joints[int(gap.argmax())]
                text = f'{joint} would jump by {gap.max():.3f} rad (limit {MAX_JUMP_RAD}); start the trajectory where the arm is'
                return self.driver.refuse(Refusal('jump', text))
        return self.driver.take(trajectory, stamp_s, now_s)

    def command_positions(self, names: list[str], positions: FloatArray) -> Refusal | None:
        """Hand joint positions, shape (n,), rad, to the driver, as hands take them many times a second; limits hold as for trajectories.

        Between two commands the reference goes on smoothly towards the last one, where it comes to rest should no other follow.
        """
        still = np.zeros((1, positions.size))
        point = JointTrajectory(
            names=tuple(names),
            times=np.array([POSITION_HORIZON_S]),
            positions=positions.reshape(1, -1),
            velocities=still,
            accelerations=still,
        )
        return self.command(point, 0.0)

    def advance(self, now_s: float) -> None:
        """Step the physics up to `now_s`. Time that cannot be caught up within `MAX_LAG_S` is dropped and counted in `lost_s`."""
        lag = now_s - self.time_s
        if lag > MAX_LAG_S:
            self.lost_s += lag - MAX_LAG_S
            self.time_s = now_s - MAX_LAG_S
        while self.time_s + TIMESTEP_S <= now_s:
            self.time_s += TIMESTEP_S
            self.world.step(*self.driver.tick(self.time_s))
            if self.world.has_obstacle:
                self._push_n = max(self._push_n, self.world.push())
            if self.time_s >= self._next_contact_s or self._next_contact_s > self.time_s + 1:
                self._next_contact_s = self.time_s + CONTACT_PERIOD_S
                self.touch.update(self.world, CONTACT_PERIOD_S)
                if self.check is not self.touch:
                    self.check.update(self.world, CONTACT_PERIOD_S)

    def take_push(self) -> float:
        """Return the largest force against the obstacle since the last call, N."""
        push_n, self._push_n = self._push_n, 0.0
        return push_n

    @property
    def target_distance(self) -> float:
        """Fingertip to the touch point of the target where it lies now, m; -1 without a target."""
        target = self.goal.target
        if not target:
            return -1.0
        moved = self.world.cube_position(target)[:2] - np.array(self.world.scene.cube(target).xy)
        goal = touch_point(self.world, target) + np.array([moved[0], moved[1], 0.0])
        return float(np.linalg.norm(self.world.fingertip - goal))
