# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from vera_core.driver import Driver, DriverJoint, check_driver, joint_map, parse_driver
from vera_core.embodiment import load_embodiment
from vera_core.errors import EmbodimentError

OURS = ('a', 'b', 'c')
TURNED = Driver(
    joint_states_topic='/s',
    joints=(DriverJoint(name='z', joint='c'), DriverJoint(name='x', joint='a', sign=-1, offset=0.5), DriverJoint(name='y', joint='b')),
)


def test_map_orders_turns_and_shifts_by_name() -> None:
    joints = joint_map(TURNED, OURS)
    assert joints.names == ('z', 'x', 'y')
    # x = -a + 0.5: a = 0.1 becomes 0.4.
    np.testing.assert_allclose(joints.positions(np.array([0.1, 0.2, 0.3])), [0.3, 0.4, 0.2])
    np.testing.assert_allclose(joints.rates(np.array([1.0, 2.0, 3.0])), [3.0, -1.0, 2.0])


def test_map_and_back_is_the_same_also_for_many_rows() -> None:
    joints = joint_map(TURNED, OURS)
    rows = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(joints.our_positions(joints.positions(rows)), rows, atol=1e-15)
    np.testing.assert_allclose(joints.our_rates(joints.rates(rows)), rows, atol=1e-15)


def test_driver_without_joints_speaks_as_the_robot_file_does() -> None:
    joints = joint_map(Driver(joint_states_topic='/s'), OURS)
    assert joints.names == OURS
    np.testing.assert_array_equal(joints.positions(np.array([1.0, 2.0, 3.0])), [1.0, 2.0, 3.0])


def test_wonik_v4_takes_the_thumb_first() -> None:
    robot = load_embodiment('allegro@wonik_v4')
    assert robot.name == 'allegro' and robot.driver.position_message == 'array'
    assert robot.joint_map.names == tuple(f'ah_joint{finger}{joint}' for finger in range(4) for joint in range(4))
    # Ours: index 0-3, middle 4-7, ring 8-11, thumb 12-15.
    expected = [12, 13, 14, 15, *range(12)]
    np.testing.assert_array_equal(robot.joint_map.positions(np.arange(16.0)), expected)


def test_without_a_name_the_block_driver_is_meant() -> None:
    robot = load_embodiment('allegro')
    assert robot.driver.position_message == 'joint_state'
    assert robot.joint_map.names == robot.joint_names


def test_unknown_driver_is_told_the_known_ones() -> None:
    with pytest.raises(EmbodimentError, match=r"robot allegro has no driver 'wonik_v5'.*Did you mean 'wonik_v4'\?"):
        load_embodiment('allegro@wonik_v5')


def test_an_at_sign_inside_a_path_stays_there(tmp_path: Path) -> None:
    folder = tmp_path / 'a@b'
    folder.mkdir()
    source = Path(__file__).parents[1] / 'vera_core' / 'robots' / 'allegro.yaml'
    document = yaml.safe_load(source.read_text(encoding='utf-8'))
    del document['simulation']
    (folder / 'mine.yaml').write_text(yaml.safe_dump(document, sort_keys=False), encoding='utf-8')
    assert load_embodiment(str(folder / 'mine.yaml')).driver.joints == ()
    assert load_embodiment(f'{folder / "mine.yaml"}@wonik_v4').joint_map.names[0] == 'ah_joint00'


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        ({'joints': [{'name': 'x', 'joint': 'a'}]}, 'must give every joint once'),
        ({'joints': [{'name': 'x', 'joint': j} for j in OURS]}, 'must give every joint once'),
        ({'joints': [{'name': j, 'joint': j, 'sign': 2} for j in OURS]}, 'sign must be 1 or -1'),
        ({'joints': [{'name': j, 'joint': j, 'offset': float('nan')} for j in OURS]}, 'offset nan rad'),
        ({'joints': [{'name': 'a', 'jiont': 'a'}]}, r"driver.joints has no key 'jiont'.*Did you mean 'joint'\?"),
        ({'comand_topic': '/c'}, r"driver has no key 'comand_topic'.*Did you mean 'command_topic'\?"),
        ({'position_message': 'aray'}, r"Did you mean 'array'\?"),
        ({'simulated': 'yes'}, "simulated is 'yes'"),
    ],
)
def test_wrong_driver_blocks_are_refused_in_words(change: dict[str, Any], text: str) -> None:
    with pytest.raises(EmbodimentError, match=text):
        check_driver(parse_driver({'joint_states_topic': '/s', **change}), OURS)


def test_joint_states_are_read_by_the_drivers_names() -> None:
    sensor_msgs = pytest.importorskip('sensor_msgs.msg')
    from vera_core.ros.messages import robot_state_from_joint_state

    robot = load_embodiment('allegro@wonik_v4')
    message = sensor_msgs.JointState(
        name=['wrist', *robot.joint_map.names], position=[9.0, *np.arange(16.0)], velocity=[9.0, *np.arange(16.0) / 10]
    )
    message.header.stamp.sec = 1
    state = robot_state_from_joint_state(message, robot)
    # Their thumb 0-3 are our joints 12-15.
    np.testing.assert_allclose(state.position, [*range(4, 16), *range(4)])
    np.testing.assert_allclose(state.velocity, np.array([*range(4, 16), *range(4)]) / 10)
