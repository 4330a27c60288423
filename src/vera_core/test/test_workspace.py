# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import yaml

from vera_core.embodiment import Joint, load_embodiment
from vera_core.errors import EmbodimentError
from vera_core.workspace import Workspace

ROBOTS = resources.files('vera_core') / 'robots'


def changed(tmp_path: Path, **entries: object) -> str:
    """The Panda's file with top-level entries changed; None takes one away."""
    document = yaml.safe_load((ROBOTS / 'panda.yaml').read_text(encoding='utf-8')) | entries
    path = tmp_path / 'changed.yaml'
    path.write_text(yaml.safe_dump({key: value for key, value in document.items() if value is not None}), encoding='utf-8')
    return str(path)


@pytest.mark.parametrize('name', ['panda', 'fr3', 'allegro'])
def test_a_shipped_robot_has_a_body_with_its_joints(name: str) -> None:
    robot = load_embodiment(name)
    assert robot.description is not None
    text = robot.description.read_text(encoding='utf-8')
    assert all(f'<joint name="{joint}" type="revolute">' in text for joint in robot.joint_names)


def test_a_body_is_found_beside_the_robot_file_first(tmp_path: Path) -> None:
    assert load_embodiment(changed(tmp_path)).description == load_embodiment('panda').description
    (tmp_path / 'panda.urdf').write_text('<robot name="arm"/>', encoding='utf-8')
    assert load_embodiment(changed(tmp_path)).description == (tmp_path / 'panda.urdf').resolve()


def test_a_robot_needs_no_body_and_no_workspace(tmp_path: Path) -> None:
    robot = load_embodiment(changed(tmp_path, description=None, workspace=None))
    assert robot.description is None
    assert robot.workspace is None


def test_what_the_file_leaves_out_has_its_default(tmp_path: Path) -> None:
    assert load_embodiment(changed(tmp_path, workspace={})).workspace == Workspace()


@pytest.mark.parametrize(
    ('entries', 'text'),
    [
        ({'description': 'two links in a plane'}, "description is 'two links in a plane', but there is no such .urdf file.*under summary"),
        ({'workspace': {'floor': 0.0}}, r"workspace has an unknown entry 'floor'; .*floor_z"),
        ({'workspace': {'floor_z': float('nan')}}, r'workspace\.floor_z is nan'),
        ({'workspace': {'self_margin': -0.1}}, r'workspace\.self_margin is -0\.1; it must be in \[0, 0\.2\] m'),
        ({'workspace': {'lower': [0, 0, 0]}}, 'only one of lower and upper'),
        ({'workspace': {'lower': [0, 0, 1], 'upper': [1, 1, 0]}}, r'workspace\.lower .* must be below upper'),
        (
            {'workspace': {'tool': {'link': 'panda_hand', 'offset': [0, 0, float('inf')]}}},
            r'workspace\.tool\.offset .*three finite numbers',
        ),
    ],
)
def test_a_mistake_is_told_with_value_and_limit(tmp_path: Path, entries: dict[str, object], text: str) -> None:
    with pytest.raises(EmbodimentError, match=text):
        load_embodiment(changed(tmp_path, **entries))


@pytest.mark.parametrize(
    ('joint', 'text'),
    [
        ({'velocity_offset': 0.2}, r'velocity_offset is 0\.2 without a deceleration'),
        ({'deceleration': -1.0}, r'deceleration -1\.0 must be positive'),
        # 3²/2 = 4.5 rad on either side are more than the range of joint 1.
        ({'velocity_offset': 3.0, 'deceleration': 1.0}, r'zero within 4\.500 rad of either position limit'),
    ],
)
def test_a_velocity_limit_that_cannot_be_is_refused(tmp_path: Path, joint: dict[str, float], text: str) -> None:
    joints = yaml.safe_load((ROBOTS / 'panda.yaml').read_text(encoding='utf-8'))['joints']
    joints[0] |= joint
    with pytest.raises(EmbodimentError, match=text):
        load_embodiment(changed(tmp_path, joints=joints))


def test_the_fr3_has_a_velocity_limit_that_depends_on_the_position() -> None:
    joint = load_embodiment('fr3').joints[1]
    assert joint == Joint(
        name='fr3_joint2',
        lower=-1.7837,
        upper=1.7837,
        velocity=2.62,
        acceleration=10.0,
        jerk=5000.0,
        velocity_offset=0.2517,
        deceleration=2.585,
    )
    assert all(joint.deceleration is None for joint in load_embodiment('panda').joints)
