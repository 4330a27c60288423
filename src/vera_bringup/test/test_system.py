# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from vera_bringup.argument_page import page as argument_page
from vera_bringup.parameter_page import PARAMETER_CLASSES, declared, page
from vera_bringup.system import SYSTEMS, NodeSpec, load_system, ros_arguments
from vera_core.errors import ConfigError


@pytest.mark.parametrize('system_name', ['allegro_sim', 'panda_sim'])
def test_a_simulated_set_up_runs_the_six_nodes_of_the_walk(system_name):
    assert load_system(system_name).node_names == (
        'sim_node',
        'planner_node',
        'flow_node',
        'jidm_node',
        'controller_node',
        'executive_node',
    )


def test_unknown_system_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown system 'panda_sin'; known: allegro_real, allegro_sim, .*Did you mean 'panda_sim'\?"):
        load_system('panda_sin')


@pytest.mark.parametrize('system_name', sorted(SYSTEMS))
def test_every_parameter_of_a_description_is_declared_by_its_node(system_name):
    system = load_system(system_name, arguments={'operator_page': 'true', 'autostart': 'false'})
    for node in system.processes:
        if not node.install:
            names = {info.name for info in declared(node.name)}
            assert set(node.parameters) <= names, node.name


def test_robot_and_planner_reach_the_nodes(tmp_path):
    other = tmp_path / 'other.yaml'
    other.touch()
    system = load_system('panda_sim', robot=str(other), planner='recorded')
    assert {node.parameters['robot'] for node in system.nodes} == {str(other)}
    assert system.node('planner_node').parameters['backend'] == 'recorded'


def test_a_set_up_has_a_robot_and_a_planner_of_its_own():
    for name, robot, planner in (('panda_sim', 'panda', 'embedded'), ('allegro_sim', 'allegro', 'recorded')):
        system = load_system(name)
        assert system.robot == robot
        assert {node.parameters['robot'] for node in system.nodes} == {robot}
        assert system.node('planner_node').parameters['backend'] == planner
        assert 'target' not in system.node('sim_node').parameters


def test_only_the_simulated_arm_arms_itself():
    armed = {name: load_system(name).node('controller_node').parameters['auto_arm'] for name in SYSTEMS}
    assert armed == {name: not name.endswith('_real') for name in SYSTEMS}


def test_with_parameters_changes_one_node_only():
    system = load_system('panda_sim')
    changed = system.with_parameters('sim_node', {'seed': 3})
    assert changed.node('sim_node').parameters == {'robot': 'panda', 'seed': 3}
    assert changed.nodes[1:] == system.nodes[1:]
    with pytest.raises(ConfigError, match="has no node 'sim_nod'.*Did you mean 'sim_node'"):
        system.with_parameters('sim_nod', {})


def test_ros_arguments_keep_type_and_text_of_values():
    node = NodeSpec(
        package='p',
        executable='n',
        parameters={'text': '1', 'flag': True, 'share': 0.5, 'count': 2, 'words': ['a', 'b c'], 'empty': ''},
        remappings={'in': '/other'},
    )
    words = ros_arguments(node, 'left')
    assert words[:5] == ['--ros-args', '-r', '__node:=n', '-r', '__ns:=/left']
    values = dict(word.split(':=', 1) for flag, word in itertools.pairwise(words) if flag == '-p')
    assert {name: yaml.safe_load(text) for name, text in values.items()} == dict(node.parameters)
    assert words[-2:] == ['-r', 'in:=/other']


def test_namespace_is_kept_without_slashes():
    assert load_system('panda_sim').with_namespace('/left/').namespace == 'left'


def test_the_parameter_page_tells_what_the_nodes_declare():
    assert {node for system in SYSTEMS for node in load_system(system).node_names} <= set(PARAMETER_CLASSES)
    docs = Path(__file__).resolve().parents[3] / 'docs' / 'parameters.md'
    assert docs.read_text(encoding='utf-8') == page(), 'run: python -m vera_bringup.parameter_page > docs/parameters.md'


def test_every_launch_argument_is_on_its_page():
    docs = Path(__file__).resolve().parents[3] / 'docs' / 'arguments.md'
    assert docs.read_text(encoding='utf-8') == argument_page(), 'run: python -m vera_bringup.argument_page > docs/arguments.md'
