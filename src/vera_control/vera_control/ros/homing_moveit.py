# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Homing along a way that MoveIt plans around obstacles, executed through FollowJointTrajectory. Never run on hardware."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vera_control.home import HomeMove
from vera_control.homing import MoveEnd
from vera_control.homing.moveit_plan import Question, waypoints_of
from vera_control.limits import JointLimits
from vera_control.params import ControllerParams
from vera_control.ros.homing_trajectory import WayDriver
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, Refusal
from vera_core.shapes import FloatArray

PLANNER = (sys.executable, '-m', 'vera_control.homing.moveit_plan')
AWAY_RAD = 0.05
"""A way may begin or end this far from where the arm is and is to be."""


class MoveItMover:
    """Asks MoveIt for the way in a process of its own, looks at it, and sends it to the driver."""

    def __init__(self, *, node: Any, robot: Embodiment, limits: JointLimits, params: ControllerParams) -> None:
        """Make the client of the driver.

        Raises:
            ConfigError: If moveit_py or control_msgs is not installed, or moveit_params_file is no file.
        """
        if find_spec('moveit') is None:
            raise ConfigError(
                "homing 'moveit' needs moveit_py, which is not here; install it: sudo apt install ros-$ROS_DISTRO-moveit-py, or set homing to "
                'controller or follow_joint_trajectory'
            )
        if not Path(params.moveit_params_file).is_file():
            raise ConfigError(
                f"homing 'moveit' needs moveit_params_file, a ROS parameter file with what MoveItPy needs; '{params.moveit_params_file}' is no file"
            )
        self._driver = WayDriver(node=node, robot=robot, limits=limits, params=params)
        self._joints, self._params = robot.joint_map, params
        self._asked: subprocess.Popen[bytes] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - kept with the node; a pipe nobody reads would fill up
        self._move: HomeMove | None = None
        self._measured: FloatArray | None = None

    def start(self, move: HomeMove, measured: FloatArray) -> Refusal | None:
        """Ask for the way."""
        self._move, self._measured = move, measured
        question = Question(
            params_file=self._params.moveit_params_file,
            group=self._params.moveit_group,
            joint_names=self._joints.names,
            goal=tuple(self._joints.positions(move.goal).tolist()),
        )
        self._output.seek(0)
        self._output.truncate()
        self._asked = subprocess.Popen((*PLANNER, question.to_json()), stdin=subprocess.DEVNULL, stdout=self._output)
        return None

    def cancel(self) -> None:
        """Stop planning, or cancel the goal."""
        if self._asked is not None:
            self._asked.kill()
            self._asked.wait()
            self._asked = None
        self._driver.cancel()

    def poll(self) -> MoveEnd | None:
        """Send the way once it is planned; return how the move ended, once."""
        if self._asked is None:
            return self._driver.poll()
        if self._asked.poll() is None:
            return None
        self._asked = None
        self._output.seek(0)
        refusal = self._go(self._output.read().decode(errors='replace'))
        return None if refusal is None else MoveEnd(False, refusal)

    def _go(self, output: str) -> str | None:
        """Send the way in the planner's output; return why not."""
        assert self._move is not None  # start() set both
        assert self._measured is not None
        found = waypoints_of(output, self._joints.names)
        if isinstance(found, str):
            return found
        way = self._joints.our_positions(found)
        for name, planned, wanted in (('begins', way[0], self._measured), ('ends', way[-1], self._move.goal)):
            away = float(np.max(np.abs(planned - wanted)))
            if away > AWAY_RAD:
                return f'the way that MoveIt planned {name} {away:.3f} rad from where it should (at most {AWAY_RAD} rad); does it know the joint states?'
        refusal = self._driver.go(np.vstack([self._measured, way[1:-1], self._move.goal]), self._move.speed_scale)
        return None if refusal is None else refusal.text
