# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Homing through the drivers' actions and MoveIt, with classes made from their public definitions; never with the real things."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from vera_control.home import HomeMove
from vera_control.homing import MoveEnd, Mover, make_mover
from vera_control.homing.moveit_plan import Question, plan, waypoints_of
from vera_control.limits import limits_of
from vera_control.params import ControllerParams
from vera_control.ros import goal_link
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError

PANDA = load_embodiment('panda')
LIMITS = limits_of(PANDA)
HOME = np.array(PANDA.home)
AWAY = HOME + np.array([0.4, -0.3, 0.2, 0.3, -0.2, 0.3, 0.4])


# Through the drivers' actions.


@dataclass
class FakeFuture:
    """A future that is done already."""

    value: Any

    def result(self) -> Any:
        return self.value

    def add_done_callback(self, done: Callable[[Any], None]) -> None:
        done(self)


@dataclass
class FakeGoal:
    """A goal handle; its result comes when the test gives it."""

    accepted: bool = True
    canceled: bool = False
    done: Callable[[Any], None] | None = None

    def get_result_async(self) -> FakeGoal:
        return self

    def add_done_callback(self, done: Callable[[Any], None]) -> None:
        self.done = done

    def cancel_goal_async(self) -> None:
        self.canceled = True

    def finish(self, result: Any) -> None:
        assert self.done is not None
        self.done(FakeFuture(SimpleNamespace(result=result)))


class FakeClient:
    """An action client with a server that accepts everything."""

    last: FakeClient

    def __init__(self, node: Any, kind: Any, name: str) -> None:
        self.name, self.ready = name, True
        self.goals: list[tuple[Any, FakeGoal]] = []
        FakeClient.last = self

    def server_is_ready(self) -> bool:
        return self.ready

    def send_goal_async(self, goal: Any) -> FakeFuture:
        handle = FakeGoal()
        self.goals.append((goal, handle))
        return FakeFuture(handle)


@dataclass(kw_only=True)
class FollowJointTrajectoryGoal:
    """The fields of the goal of control_msgs/FollowJointTrajectory that are used."""

    trajectory: Any


@dataclass(kw_only=True)
class PTPMotionGoal:
    """The goal of franka_msgs/PTPMotion."""

    goal_joint_configuration: list[float]
    maximum_joint_velocities: list[float]
    goal_tolerance: float


@pytest.fixture
def actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """control_msgs and franka_msgs with the actions that are used, and no DDS."""
    for package, action, goal in (
        ('control_msgs', 'FollowJointTrajectory', FollowJointTrajectoryGoal),
        ('franka_msgs', 'PTPMotion', PTPMotionGoal),
    ):
        module = ModuleType(f'{package}.action')
        setattr(module, action, SimpleNamespace(Goal=goal))
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
        monkeypatch.setitem(sys.modules, f'{package}.action', module)
    monkeypatch.setattr(goal_link, 'ActionClient', FakeClient)


def mover(**params: Any) -> Mover:
    made = make_mover(None, PANDA, LIMITS, ControllerParams(**params))
    assert made is not None
    return made


def move(speed_scale: float = 0.5) -> HomeMove:
    return HomeMove('home', HOME, speed_scale=speed_scale, tolerance=0.02, timeout_s=10.0, start_ns=0, is_led=False)


def test_the_controller_leads_by_default_and_an_unknown_way_is_refused() -> None:
    assert make_mover(None, PANDA, LIMITS, ControllerParams()) is None
    with pytest.raises(ConfigError, match="unknown way of homing 'movit'.*moveit"):
        mover(homing='movit')


def test_a_missing_package_is_named_at_the_start() -> None:
    with pytest.raises(ConfigError, match='control_msgs/action/FollowJointTrajectory.*sudo apt install'):
        mover(homing='follow_joint_trajectory')
    with pytest.raises(ConfigError, match='franka_msgs/action/PTPMotion'):
        mover(homing='ptp_motion')
    with pytest.raises(ConfigError, match=r'moveit_py, which is not here.*ros-\$ROS_DISTRO-moveit-py'):
        mover(homing='moveit')


@pytest.mark.usefixtures('actions')
def test_follow_joint_trajectory_gets_the_timed_way_and_its_codes_are_told() -> None:
    way = mover(homing='follow_joint_trajectory')
    client = FakeClient.last
    assert client.name == PANDA.driver.command_topic.rpartition('/')[0] + '/follow_joint_trajectory'
    client.ready = False
    refusal = way.start(move(), AWAY)
    assert refusal is not None
    assert 'nobody serves' in refusal.text
    client.ready = True
    assert way.start(move(), AWAY) is None
    goal, handle = client.goals[0]
    points = goal.trajectory.points
    assert (goal.trajectory.header.stamp.sec, goal.trajectory.header.stamp.nanosec) == (0, 0)
    assert tuple(goal.trajectory.joint_names) == PANDA.joint_names
    np.testing.assert_allclose(points[0].positions, AWAY)
    np.testing.assert_allclose(points[-1].positions, HOME)
    assert not np.any(points[-1].velocities)
    assert way.poll() is None
    handle.finish(SimpleNamespace(error_code=-4, error_string='joint 2'))
    end = way.poll()
    assert end is not None
    assert not end.reached
    assert 'left the path' in end.text
    assert 'joint 2' in end.text
    assert way.poll() is None
    assert way.start(move(), AWAY) is None
    way.cancel()
    assert client.goals[1][1].canceled
    client.goals[1][1].finish(SimpleNamespace(error_code=0, error_string=''))
    assert way.poll() is None  # it was canceled: nothing to tell


@pytest.mark.usefixtures('actions')
def test_ptp_motion_is_no_faster_than_the_clear_way() -> None:
    way = mover(homing='ptp_motion', homing_action='/left/action_server/ptp_motion')
    client = FakeClient.last
    assert client.name == '/left/action_server/ptp_motion'
    assert way.start(move(0.5), AWAY) is None
    goal, handle = client.goals[0]
    np.testing.assert_allclose(goal.goal_joint_configuration, HOME)
    assert np.all(np.array(goal.maximum_joint_velocities) <= 0.5 * LIMITS.shaped_velocity + 1e-9)
    assert np.all(np.array(goal.maximum_joint_velocities) > 0.0)
    handle.finish(SimpleNamespace(error_message=''))
    end = way.poll()
    assert end is not None
    assert end.reached


# Through MoveIt.

FAKE_MOVEIT = {
    '__init__.py': '',
    'core/__init__.py': '',
    'core/robot_state.py': """
class RobotState:
    def __init__(self, robot_model):
        assert robot_model == 'model'
        self.joint_positions, self.is_updated = {}, False
    def update(self):
        self.is_updated = True
""",
    'planning.py': """
import json, os
from types import SimpleNamespace as Namespace
class Plan:
    def __init__(self, goal):
        names = list(reversed(goal))
        start = dict(zip(goal, json.loads(os.environ['FAKE_START'])))
        rows = [[start[n] + s * (goal[n] - start[n]) for n in names] for s in (0.0, 0.3, 0.7, 1.0)]
        way = Namespace(joint_names=names, points=[Namespace(positions=row) for row in rows])
        self.trajectory = Namespace(get_robot_trajectory_msg=lambda: Namespace(joint_trajectory=way))
class PlanningComponent:
    def set_start_state_to_current_state(self):
        self.has_start = True
    def set_goal_state(self, configuration_name=None, robot_state=None):
        assert robot_state.is_updated
        self.goal = robot_state.joint_positions
    def plan(self):
        assert self.has_start
        return Plan(self.goal) if 'FAKE_START' in os.environ else None
class MoveItPy:
    def __init__(self, node_name='moveit_py', launch_params_filepath='', config_dict=None, provide_planning_service=True):
        assert os.path.isfile(launch_params_filepath)
        print('noise of MoveIt on stdout')
    def get_robot_model(self):
        return 'model'
    def get_planning_component(self, planning_component_name):
        assert planning_component_name == 'panda_arm'
        return PlanningComponent()
    def execute(self, robot_trajectory, controllers):
        raise AssertionError('executing in MoveItPy cannot be canceled')
""",
}


@pytest.fixture
def moveit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A package `moveit` with the public API of moveit_py, here and in processes started from here; parameters that choose it."""
    for name, text in FAKE_MOVEIT.items():
        path = tmp_path / 'site' / 'moveit' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    params = tmp_path / 'moveit.yaml'
    params.write_text('/**: {ros__parameters: {}}\n')
    monkeypatch.syspath_prepend(str(tmp_path / 'site'))
    monkeypatch.setenv('PYTHONPATH', f'{tmp_path / "site"}:{":".join(sys.path)}')
    for name in [name for name in sys.modules if name.split('.')[0] == 'moveit']:
        monkeypatch.delitem(sys.modules, name)
    return {'homing': 'moveit', 'moveit_params_file': str(params), 'moveit_group': 'panda_arm'}


def wait(way: Mover, client: FakeClient) -> MoveEnd | None:
    """Poll until the way was sent or the mover ended."""
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        end = way.poll()
        if end is not None or client.goals:
            return end
        time.sleep(0.02)
    raise AssertionError('the mover neither sent a way nor ended')


@pytest.mark.usefixtures('actions')
def test_moveit_plans_and_the_driver_executes(moveit: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('FAKE_START', json.dumps(AWAY.tolist()))
    way = mover(**moveit)
    client = FakeClient.last
    assert way.start(move(), AWAY) is None
    assert wait(way, client) is None
    positions = np.array([point.positions for point in client.goals[0][0].trajectory.points])
    np.testing.assert_allclose(positions[0], AWAY)
    np.testing.assert_allclose(positions[-1], HOME, atol=1e-9)
    way.cancel()
    assert client.goals[0][1].canceled
    way.start(move(), HOME - 0.3)  # MoveIt believes the arm elsewhere
    client.goals.clear()
    end = wait(way, client)
    assert end is not None
    assert 'does it know the joint states' in end.text


def test_moveit_that_finds_no_way_says_so(moveit: dict[str, Any]) -> None:
    question = Question(
        params_file=moveit['moveit_params_file'], group='panda_arm', joint_names=PANDA.joint_names, goal=tuple(HOME.tolist())
    )
    assert plan(json.loads(question.to_json())) == {'error': 'MoveIt found no way to the pose'}


def test_an_answer_that_is_none_is_told_in_words() -> None:
    assert waypoints_of('only noise', PANDA.joint_names) == 'MoveIt gave no answer'
    assert waypoints_of('vera-plan:{"error": "no way"}', PANDA.joint_names) == 'no way'
    assert 'cannot be read' in str(waypoints_of('vera-plan:{"joint_names": ["a"], "positions": [[0]]}', PANDA.joint_names))
