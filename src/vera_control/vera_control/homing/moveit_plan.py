# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks MoveIt for a way to a pose, in a process of its own: `python -m vera_control.homing.moveit_plan QUESTION`, the answer on stdout.

MoveItPy plans and executes while it holds Python's lock, and ends ROS for its whole process when it is let go. In controller_node that would
keep a stop from being heard, so it only plans, and it does that here. What is executed is the driver's business, where it can be canceled.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vera_core.shapes import FloatArray

ANSWER = 'vera-plan:'
"""Begins the line with the answer; MoveIt writes to stdout too."""
NODE = 'vera_moveit'


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What MoveIt is asked."""

    params_file: str
    """ROS parameter file for MoveItPy: robot description, planning pipelines, controllers."""
    group: str
    """Planning group of the arm."""
    joint_names: tuple[str, ...]
    goal: tuple[float, ...]
    """Pose in the order of the names, rad."""

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))


def waypoints_of(output: str, joint_names: Sequence[str]) -> FloatArray | str:
    """Return the waypoints in the planner's output, shape (W, n), rad, in the order of the names; or in words why there are none."""
    lines = [line.removeprefix(ANSWER) for line in output.splitlines() if line.startswith(ANSWER)]
    if not lines:
        return 'MoveIt gave no answer'
    try:
        answer = json.loads(lines[-1])
        if 'error' in answer:
            return str(answer['error'])
        order = [list(answer['joint_names']).index(name) for name in joint_names]
        waypoints = np.array(answer['positions'], dtype=np.float64)[:, order]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return f'the answer of MoveIt cannot be read: {error}'
    return (
        waypoints
        if len(waypoints) and np.all(np.isfinite(waypoints))
        else 'the way that MoveIt found has no points, or some that are no numbers'
    )


def plan(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return MoveIt's answer to a question as plain data: joint_names and positions, or error."""
    try:
        make_state = importlib.import_module('moveit.core.robot_state').RobotState
        make_moveit = importlib.import_module('moveit.planning').MoveItPy
    except ImportError as error:
        return {'error': f'moveit_py is not here ({error}); install it: sudo apt install ros-$ROS_DISTRO-moveit-py'}
    moveit = make_moveit(node_name=NODE, launch_params_filepath=question['params_file'])
    arm = moveit.get_planning_component(question['group'])
    goal = make_state(moveit.get_robot_model())
    goal.joint_positions = dict(zip(question['joint_names'], question['goal'], strict=True))
    goal.update()
    arm.set_start_state_to_current_state()
    arm.set_goal_state(robot_state=goal)
    found = arm.plan()
    if not found:
        return {'error': 'MoveIt found no way to the pose'}
    way = found.trajectory.get_robot_trajectory_msg().joint_trajectory
    return {'joint_names': list(way.joint_names), 'positions': [list(point.positions) for point in way.points]}


def main() -> None:
    """Answer one question."""
    print(f'{ANSWER}{json.dumps(plan(json.loads(sys.argv[1])))}', flush=True)


if __name__ == '__main__':
    main()
