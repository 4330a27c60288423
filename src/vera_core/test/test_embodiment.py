# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml

from vera_core.embodiment import known_robots, load_embodiment
from vera_core.errors import EmbodimentError
from vera_core.simulated import BasePose, CameraPose

ROBOTS = resources.files('vera_core') / 'robots'


@pytest.mark.parametrize('name', ['allegro', 'panda', 'finger_1', 'finger_5', 'finger_16'])
def test_every_robot_is_complete(name: str) -> None:
    robot = load_embodiment(name)
    assert robot.name == name
    assert robot.simulation is not None
    assert tuple(robot.simulation.cameras) == robot.view_names
    assert len(robot.simulation.self_play.spread) == len(robot.joints) == len(robot.home)


def test_names_of_robots() -> None:
    assert known_robots() == ('allegro', 'fr3', 'panda', 'panda_gripper')
    assert len(load_embodiment('finger_7').joints) == 7
    assert load_embodiment('allegro').joint_names[:5] == ('joint_0_0', 'joint_1_0', 'joint_2_0', 'joint_3_0', 'joint_4_0')
    with pytest.raises(
        EmbodimentError,
        match=r"unknown robot 'pandaa'; known: allegro, finger_1, finger_16, fr3, panda, panda_gripper\. Did you mean 'panda'\?",
    ):
        load_embodiment('pandaa')
    for name in ('finger_0', 'finger_17'):
        with pytest.raises(EmbodimentError, match='fingers have 1 to 16'):
            load_embodiment(name)


def changed(tmp_path: Path, *keys: str, value: object) -> str:
    """The Panda's file with one value changed; a value of None takes the entry away."""
    document = yaml.safe_load((ROBOTS / 'panda.yaml').read_text(encoding='utf-8'))
    entry = document
    for key in keys[:-1]:
        entry = entry[key]
    if value is None:
        del entry[keys[-1]]
    else:
        entry[keys[-1]] = value
    path = tmp_path / 'changed.yaml'
    path.write_text(yaml.safe_dump(document), encoding='utf-8')
    return str(path)


@pytest.mark.parametrize(
    ('keys', 'value', 'text'),
    [
        (('simulation', 'scene'), 'table_cube', r"unknown simulation\.scene 'table_cube'; known: .*Did you mean 'table_cubes'"),
        (('simulation', 'servos'), {}, r"simulation has an unknown entry 'servos'; .*Did you mean 'servo'"),
        (('simulation', 'servo'), None, 'simulation has no servo'),
        (('simulation', 'servo', 'damping'), -1.0, r'simulation\.servo\.damping is -1\.0; it must be a positive number'),
        (
            ('simulation', 'servo', 'torque'),
            [87.0],
            r'simulation\.servo\.torque is \[87\.0\]; give one positive number for each of 7 joints',
        ),
        (('simulation', 'cameras', 'front', 'fovy_deg'), 200.0, r'camera front: fovy_deg is 200\.0; it must be in \[1, 150\]'),
        (('simulation', 'cameras', 'front', 'position'), [0.37, 0.0, 1.5], 'camera front looks straight up or down'),
        (('simulation', 'cameras', 'side'), None, r"simulation\.cameras are \['front'\] but the views are \['front', 'side'\]"),
        (('simulation', 'cameras', 'front', 'target'), [0.0, 0.0], 'cannot be read: ValueError'),
        (('simulation', 'self_play', 'spread'), [0.3] * 6, r'simulation\.self_play\.spread is .* one positive number for each of 7 joints'),
        (('simulation', 'model'), 'arm.urdf', r'simulation\.model .*arm\.urdf does not exist; give a path relative to the YAML file'),
        (('simulation', 'base'), {'position': [0.0, 0.0, float('nan')]}, r'simulation\.base\.position is .*three finite numbers'),
        (('simulation', 'base'), {'height': [0.0, 0.0, 1.0]}, "cannot be read: TypeError.*'height'"),
        (('poses', 'home'), [0.0] * 7, 'pose home puts panda_joint4 at 0.0 rad'),
    ],
)
def test_a_mistake_is_told_with_value_and_limit(tmp_path: Path, keys: tuple[str, ...], value: object, text: str) -> None:
    with pytest.raises(EmbodimentError, match=text):
        load_embodiment(changed(tmp_path, *keys, value=value))


def test_self_play_follows_from_the_limits_when_the_file_does_not_say(tmp_path: Path) -> None:
    simulation = load_embodiment(changed(tmp_path, 'simulation', 'self_play', value=None)).simulation
    assert simulation is not None
    # Half of 2.175 rad/s is more than 1 rad/s; a fifth of the range of joint 6 is 0.2 (3.7525 + 0.0175).
    assert simulation.self_play.peak_speed == (1.0,) * 7
    assert simulation.self_play.spread[5] == pytest.approx(0.754)


def test_a_robot_needs_no_simulation(tmp_path: Path) -> None:
    assert load_embodiment(changed(tmp_path, 'simulation', value=None)).simulation is None


def test_a_model_file_is_found_beside_the_robot_file(tmp_path: Path) -> None:
    (tmp_path / 'arm.urdf').write_text('<robot name="arm"/>', encoding='utf-8')
    simulation = load_embodiment(changed(tmp_path, 'simulation', 'model', value='arm.urdf')).simulation
    assert simulation is not None and simulation.model_path == tmp_path / 'arm.urdf'


def test_base_turns_about_the_fixed_axes_in_order() -> None:
    np.testing.assert_allclose(BasePose(rpy_deg=(90.0, 0.0, 0.0)).quat_wxyz, [np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0], atol=1e-12)
    # Half a turn about x, then a quarter back about y: x goes up, y turns over, z goes to x. That is half a turn about x + z.
    quat = BasePose(rpy_deg=(180.0, -90.0, 0.0)).quat_wxyz
    np.testing.assert_allclose(np.abs(quat), [0.0, np.sqrt(0.5), 0.0, np.sqrt(0.5)], atol=1e-12)
    assert quat[1] * quat[3] > 0


def test_camera_axes_and_focal_length() -> None:
    camera = CameraPose(position=(2.0, 0.0, 1.0), target=(0.0, 0.0, 1.0), fovy_deg=90.0)
    # Looking along -x: the picture's right is +y, its up is +z; at 90 degrees the focal length is half the edge.
    np.testing.assert_allclose(camera.xyaxes, [0, 1, 0, 0, 0, 1], atol=1e-12)
    assert camera.focal_px(128) == pytest.approx(64.0)
