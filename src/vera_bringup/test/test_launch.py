# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The launch files against the launch system where there is one, and against the descriptions everywhere."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from vera_bringup.system import SYSTEMS, load_system

LAUNCH = Path(__file__).resolve().parents[1] / 'launch'


def test_every_set_up_has_a_launch_file_that_describes_it_and_no_other():
    assert {path.name.removesuffix('.launch.py') for path in LAUNCH.glob('*.launch.py')} == set(SYSTEMS)
    for name in SYSTEMS:
        tree = ast.parse((LAUNCH / f'{name}.launch.py').read_text(encoding='utf-8'))
        (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
        assert function.name == 'generate_launch_description'
        (call,) = (node for node in ast.walk(function) if isinstance(node, ast.Call))
        assert ast.literal_eval(call.args[0]) == name


@pytest.mark.skipif(importlib.util.find_spec('launch_ros') is None, reason='launch_ros comes with a ROS installation, not from PyPI')
@pytest.mark.parametrize('name', sorted(SYSTEMS))
def test_the_launch_system_gets_the_nodes_of_the_description(name):
    from launch import LaunchContext
    from launch.actions import DeclareLaunchArgument, OpaqueFunction
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    description = get_launch_description_from_python_launch_file(str(LAUNCH / f'{name}.launch.py'))
    arguments = {entity.name for entity in description.entities if isinstance(entity, DeclareLaunchArgument)}
    assert arguments == {'namespace', 'robot', 'planner', 'params_file', 'log_level'}
    context = LaunchContext()
    for entity in description.entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.execute(context)
    (maker,) = (entity for entity in description.entities if isinstance(entity, OpaqueFunction))
    nodes = maker.execute(context)
    assert [node.node_executable for node in nodes] == list(load_system(name).node_names)
    assert [node.node_package for node in nodes] == [node.package for node in load_system(name).nodes]
