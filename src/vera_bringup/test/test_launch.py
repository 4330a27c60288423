# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The launch files against the launch system where there is one, and against the descriptions everywhere."""

from __future__ import annotations

import ast
import importlib.util
import itertools
from pathlib import Path

import pytest
import yaml

from vera_bringup.system import SYSTEMS, find_set_up, load_system

LAUNCH = Path(__file__).resolve().parents[1] / 'launch'
needs_launch = pytest.mark.skipif(
    importlib.util.find_spec('launch_ros') is None, reason='launch_ros comes with a ROS installation, not from PyPI'
)


def test_every_set_up_has_a_launch_file_that_describes_it_and_no_other():
    assert {path.name.removesuffix('.launch.py') for path in LAUNCH.glob('*.launch.py')} == {*SYSTEMS, 'vera'}
    for name in SYSTEMS:
        tree = ast.parse((LAUNCH / f'{name}.launch.py').read_text(encoding='utf-8'))
        (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
        assert function.name == 'generate_launch_description'
        (call,) = (node for node in ast.walk(function) if isinstance(node, ast.Call))
        assert ast.literal_eval(call.args[0]) == name


# -- against the real launch system --------------------------------------------------------------------------------------


def visit(name: str, **arguments: str) -> list:
    """Everything that `ros2 launch vera_bringup NAME.launch.py ARGUMENTS` would act on, nothing started."""
    from launch import LaunchContext
    from launch.actions import OpaqueFunction
    from launch.launch_description_sources import get_launch_description_from_python_launch_file
    from launch.utilities import is_a

    context = LaunchContext()
    context.launch_configurations.update(arguments)
    found = []
    waiting = [get_launch_description_from_python_launch_file(str(LAUNCH / f'{name}.launch.py'))]
    while waiting:
        entity = waiting.pop(0)
        found.append(entity)
        if type(entity).__name__ in ('Node', 'ExecuteProcess', 'GroupAction'):
            continue
        more = entity.execute(context) if is_a(entity, OpaqueFunction) else entity.visit(context)
        waiting = [*(more or []), *waiting]
    for entity in found:
        entity.context_of_test = context
    return found


def of_type(found: list, name: str) -> list:
    return [entity for entity in found if type(entity).__name__ == name]


def facts(node) -> dict:
    """What a launch_ros Node would be started with."""
    from launch.utilities import perform_substitutions

    context = node.context_of_test
    node._perform_substitutions(context)
    # What Node.execute says about itself before it starts the process.
    said = {'name': f'__node:={node.node_name.rpartition("/")[2]}', 'ns': f'__ns:={node.expanded_node_namespace}'}
    context.extend_locals({'ros_specific_arguments': said})
    words = [perform_substitutions(context, part) for part in node.cmd]
    files = [word for before, word in itertools.pairwise(words) if before == '--params-file']
    parameters: dict = {}
    for file in files:
        for block in yaml.unsafe_load(Path(file).read_text(encoding='utf-8')).values():  # it has tuples
            parameters |= {key: list(value) if isinstance(value, tuple) else value for key, value in block['ros__parameters'].items()}
    remappings = [word.split(':=', 1) for before, word in itertools.pairwise(words) if before == '-r']
    return {
        'package': node.node_package,
        'executable': node.node_executable,
        'parameters': parameters,
        'remappings': {given: target for given, target in remappings if not given.startswith('__')},
        'name': dict(remappings)['__node'],
        'namespace': dict(remappings)['__ns'],
        'level': words[words.index('--log-level') + 1],
        'enclave': words[words.index('--enclave') + 1],
    }


def wanted(system, node) -> dict:
    return {
        'package': node.package,
        'executable': node.executable,
        'parameters': dict(node.parameters),
        'remappings': dict(node.remappings),
        'name': node.name,
        'namespace': f'/{system.namespace}',
        'level': system.log_level,
        'enclave': f'/{system.namespace}/{node.name}',
    }


GIVEN = {
    'panda_sim': {'planner': 'recorded', 'namespace': 'left', 'log_level': 'warn', 'use_sim_time': 'true', 'autostart': 'false'},
    'panda_mock': {'cameras': 'none', 'dry_run': 'true', 'operator_page': 'true'},
    'panda_real': {'robot_type': 'fer', 'driver_namespace': 'left', 'speed_scale': '0.3', 'deadman': 'false'},
    'allegro_sim': {'field': '/tmp', 'speed_scale': '0.5'},
    'allegro_real': {'driver': 'external', 'dry_run': 'false', 'operator_page': 'false'},
}


@needs_launch
@pytest.mark.parametrize('name', SYSTEMS)
@pytest.mark.parametrize('given', [False, True], ids=['as it is', 'with arguments'])
def test_the_launch_system_starts_what_vera_up_starts(name, given, monkeypatch):
    from launch_ros.substitutions import ExecutableInPackage

    from vera_bringup import launching

    # Neither the drivers nor the nodes have to be installed for this.
    monkeypatch.setattr(ExecutableInPackage, 'perform', lambda self, context: 'executable')
    monkeypatch.setattr(launching, 'require', lambda *_: None)
    monkeypatch.setattr(launching, '_included', lambda driver: launching.LogInfo(msg=driver.package))
    system = load_system(name, arguments=GIVEN[name] if given else {})
    found = visit(name, **(GIVEN[name] if given else {}))
    nodes = of_type(found, 'Node')
    if system.driver is not None and system.driver.ready is not None:
        spawner = nodes.pop()
        assert spawner.node_executable == 'spawner'
        (waiting,) = of_type(found, 'RegisterEventHandler')
        walk = after_the_end_of(spawner, waiting.event_handler, code=0)
        assert type(walk[0]).__name__ == 'LogInfo'
        nodes += walk[1:]
        for node in nodes:
            node.context_of_test = spawner.context_of_test
    assert [facts(node) for node in nodes] == [wanted(system, node) for node in system.processes]


@needs_launch
def test_the_recorder_is_started_as_it_is(tmp_path, monkeypatch):
    from launch.utilities import perform_substitutions
    from launch_ros.substitutions import ExecutableInPackage

    monkeypatch.setattr(ExecutableInPackage, 'perform', lambda self, context: 'vera')
    film = str(tmp_path / 'film.mcap')
    (process,) = of_type(visit('panda_sim', record=film), 'ExecuteProcess')
    words = [perform_substitutions(process.context_of_test, part) for part in process.cmd]
    system = load_system('panda_sim', arguments={'record': film})
    assert words == ['vera', *system.words(system.node('recorder'))]


def after_the_end_of(process, handler, *, code: int) -> list:
    """What the handler of the launch system does when a process has ended."""
    from launch.events.process import ProcessExited

    event = ProcessExited(action=process, name='spawner-1', cmd=[], cwd=None, env=None, pid=1, returncode=code)
    assert handler.matches(event)
    return list(handler.handle(event, process.context_of_test))


@needs_launch
@pytest.mark.parametrize('name', SYSTEMS)
def test_the_arguments_of_a_launch_file_are_those_of_its_set_up(name):
    declared = {}
    for entity in of_type(visit_arguments(name), 'DeclareLaunchArgument'):
        declared.setdefault(entity.name, entity)
    for argument in find_set_up(name).arguments:
        entity = declared[argument.name]
        assert argument.text in entity.description
        assert ''.join(part.text for part in entity.default_value) == argument.default


def visit_arguments(name: str) -> list:
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    return get_launch_description_from_python_launch_file(str(LAUNCH / f'{name}.launch.py')).entities


@needs_launch
def test_a_wrong_value_and_a_missing_driver_are_told_in_words(monkeypatch):
    from vera_core.errors import ConfigError

    with pytest.raises(RuntimeError, match=r"Valid options are: \['fr3', 'fer', 'panda'\]"):
        visit('panda_real', robot_type='fr4')
    with pytest.raises(ConfigError, match="argument robot_ip cannot be '1.2'"):
        visit('panda_real', robot_ip='1.2')
    with pytest.raises(ConfigError, match=r'panda_real needs the package franka_bringup, which is not installed; .*vcs import src'):
        visit('panda_real')
    with pytest.raises(ConfigError, match=r'panda_real needs the package usb_cam, .*sudo apt install ros-jazzy-usb-cam'):
        visit('panda_real', cameras='usb_cam')
    with pytest.raises(ConfigError, match='panda_sim takes no argument'):
        visit('vera', system='panda_sim', robot_ip='172.16.0.2')


@needs_launch
def test_a_driver_that_does_not_come_up_ends_everything(monkeypatch):
    from vera_bringup import launching

    monkeypatch.setattr(launching, 'require', lambda *_: None)
    monkeypatch.setattr(launching, '_included', lambda driver: launching.LogInfo(msg=driver.package))
    found = visit('panda_real')
    (waiting,) = of_type(found, 'RegisterEventHandler')
    said, ending = after_the_end_of(of_type(found, 'Node')[-1], waiting.event_handler, code=1)
    assert 'franka_bringup did not come up' in ''.join(part.text for part in said.msg)
    assert type(ending.event).__name__ == 'Shutdown'
