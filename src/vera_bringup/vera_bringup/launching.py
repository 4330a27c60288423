# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Turns the description of a set-up into launch actions, for `ros2 launch`. Needs `launch` and `launch_ros`, which come with a ROS installation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    GroupAction,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.substitutions import ExecutableInPackage

from vera_bringup.files import shared_file
from vera_bringup.specs import enclave_of
from vera_bringup.system import ENVIRONMENT, SYSTEMS, Argument, DriverSpec, NodeSpec, SystemSpec, find_set_up, load_system
from vera_core.errors import ConfigError

SYSTEM = 'system'
OWN = 'own'
"""Default of an argument of vera.launch.py: what the set-up itself has."""


def launch_set_up(name: str) -> LaunchDescription:
    """Return the launch description of one set-up: its arguments with its own defaults, handed to vera.launch.py."""
    arguments = find_set_up(name).arguments
    handed = [(argument.name, LaunchConfiguration(argument.name)) for argument in arguments]
    return LaunchDescription(
        [
            *(_declaration(argument) for argument in arguments),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(shared_file('launch/vera.launch.py'))), launch_arguments=[(SYSTEM, name), *handed]
            ),
        ]
    )


def launch_any() -> LaunchDescription:
    """Return the launch description of vera.launch.py: every set-up, chosen by the argument `system`."""
    known: dict[str, Argument] = {}
    for name in SYSTEMS:
        for argument in find_set_up(name).arguments:
            known.setdefault(argument.name, argument)
    return LaunchDescription(
        [
            DeclareLaunchArgument(SYSTEM, description='Set-up to start', choices=list(SYSTEMS)),
            *(
                DeclareLaunchArgument(argument.name, default_value=OWN, description=f'{argument.help}; {OWN}: as the set-up has it')
                for argument in known.values()
            ),
            OpaqueFunction(function=_start, args=[tuple(known)]),
        ]
    )


def _declaration(argument: Argument) -> DeclareLaunchArgument:
    choices = list(argument.choices) if argument.is_closed else None
    return DeclareLaunchArgument(argument.name, default_value=argument.default, description=argument.help, choices=choices)


def _start(context: LaunchContext, names: Sequence[str]) -> list[LaunchDescriptionEntity]:
    """Make the launch actions, once the values of the arguments are known."""
    values = {name: str(LaunchConfiguration(name).perform(context)) for name in names}
    given = {name: value for name, value in values.items() if value != OWN}
    return start(load_system(str(LaunchConfiguration(SYSTEM).perform(context)), arguments=given))


def start(system: SystemSpec) -> list[LaunchDescriptionEntity]:
    """Return the launch actions of a set-up: cameras and driver first, the nodes of the walk once the driver says that it is up.

    Raises:
        ConfigError: If a package of another project is not installed; the text names it and how to get it. Nothing is started then.
    """
    for node in system.processes:
        if node.install:
            require(system.name, node.package, node.install)
    companions = [action(system, node) for node in system.companions]
    walk = [action(system, node) for node in system.nodes]
    if system.driver is None:
        return [*companions, *walk]
    require(system.name, system.driver.package, system.driver.install)
    included = _included(system.driver)
    if system.driver.ready is None:
        return [included, *companions, *walk]
    require(system.name, system.driver.ready.package, system.driver.ready.install)
    ready = action(system, system.driver.ready)
    return [included, *companions, ready, RegisterEventHandler(OnProcessExit(target_action=ready, on_exit=_after(walk, system.driver)))]


_OnExit = Callable[[ProcessExited, LaunchContext], list[LaunchDescriptionEntity]]


def _after(walk: Sequence[LaunchDescriptionEntity], driver: DriverSpec) -> _OnExit:
    def on_exit(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        if event.returncode == 0:
            return [LogInfo(msg='the driver is up and its controller is active; the VERA nodes start now'), *walk]
        if context.is_shutdown:
            return []
        text = (
            f'the driver {driver.package} did not come up ({event.process_name} ended with exit code {event.returncode}); '
            'nothing of VERA was started. Is the arm reachable, unlocked, and is FCI activated in Desk? See docs/troubleshooting.md'
        )
        return [LogInfo(msg=text), EmitEvent(event=Shutdown(reason=text))]

    return on_exit


def action(system: SystemSpec, node: NodeSpec) -> ExecuteProcess:
    """Return the launch action of one node, or of a program beside them."""
    if not node.is_node:
        command = [ExecutableInPackage(node.executable, node.package), *node.arguments]
        return ExecuteProcess(cmd=command, name=node.name, additional_env=dict(ENVIRONMENT), output='screen')
    return Node(
        package=node.package,
        executable=node.executable,
        name=node.name,
        namespace=system.namespace,
        arguments=list(node.arguments),
        parameters=[*([dict(node.parameters)] if node.parameters else []), *([system.params_file] if system.params_file else [])],
        remappings=list(node.remappings.items()),
        ros_arguments=['--enclave', enclave_of(system.namespace, node.name), '--log-level', system.log_level],
        additional_env=dict(ENVIRONMENT),
        output='screen',
        emulate_tty=True,
    )


def _included(driver: DriverSpec) -> GroupAction:
    """Return the driver's own launch file in a scope of its own, so that arguments of the same name do not meet."""
    file = Path(get_package_share_directory(driver.package)) / 'launch' / driver.launch_file
    include = IncludeLaunchDescription(PythonLaunchDescriptionSource(str(file)), launch_arguments=list(driver.arguments.items()))
    return GroupAction([include], scoped=True, forwarding=False)


def require(system: str, package: str, install: str) -> None:
    """Refuse to go on without a package.

    Raises:
        ConfigError: If it is not installed; the text says how to get it.
    """
    try:
        get_package_prefix(package)
    except PackageNotFoundError as error:
        raise ConfigError(f'{system} needs the package {package}, which is not installed; {install}') from error
