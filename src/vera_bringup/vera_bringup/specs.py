# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a description of a set-up is made of: nodes and drivers with their parameters, as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from vera_core.errors import ConfigError, nearest_name_hint

ParameterValue = bool | int | float | str | list[str] | list[float]

ENVIRONMENT: Mapping[str, str] = {'OMP_NUM_THREADS': '1', 'PYTHONUNBUFFERED': '1'}
"""Of every node. One thread per process: the nodes share few cores, and idle worker threads of a maths library would take them from each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node: which executable of which package, and how it is set up."""

    package: str
    executable: str
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    remappings: Mapping[str, str] = field(default_factory=dict)
    alias: str = ''
    """Node name where it is not the executable's."""
    arguments: tuple[str, ...] = ()
    """Words of the command line before those for ROS."""
    install: str = ''
    """How to get the package where it is not one of ours."""
    is_node: bool = True
    """Whether it takes words for ROS; false for a program with a command line of its own."""

    @property
    def name(self) -> str:
        """Node name."""
        return self.alias or self.executable

    @property
    def module(self) -> str:
        """Module with the node's `main`, for a start without an installed executable."""
        return f'{self.package}.{self.executable}'


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverSpec:
    """A robot driver: another package's launch file, and the process whose good end says that the robot can be commanded."""

    package: str
    launch_file: str
    """Inside the package's `launch` folder."""
    arguments: Mapping[str, str]
    install: str
    """How to get the package."""
    ready: NodeSpec | None = None
    """It ends with exit code 0 once the driver is up; None: the nodes wait for the joint states themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSpec:
    """All nodes of one set-up, in the order of the walk from sentence to motion; they are stopped in the opposite order."""

    name: str
    description: str
    robot: str
    namespace: str
    nodes: tuple[NodeSpec, ...]
    companions: tuple[NodeSpec, ...] = ()
    """What runs beside them: cameras, a robot driver that is a plain node, viewers."""
    driver: DriverSpec | None = None
    """Started by `ros2 launch` only."""
    params_file: str = ''
    """ROS parameter file on top of everything; empty for none."""
    log_level: str = 'info'

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names of all nodes of the walk."""
        return tuple(node.name for node in self.nodes)

    @property
    def processes(self) -> tuple[NodeSpec, ...]:
        """Everything to start, companions first."""
        return (*self.companions, *self.nodes)

    def node(self, name: str) -> NodeSpec:
        """Return the node or companion called `name`.

        Raises:
            ConfigError: If there is none; the text lists those there are.
        """
        for node in self.processes:
            if node.name == name:
                return node
        raise ConfigError(f"system {self.name} has no node '{name}'; {nearest_name_hint(name, [node.name for node in self.processes])}")

    def with_parameters(self, node_name: str, parameters: Mapping[str, ParameterValue]) -> SystemSpec:
        """Return the same system with more parameters on one node; a parameter given twice takes the new value."""
        self.node(node_name)

        def changed(nodes: tuple[NodeSpec, ...]) -> tuple[NodeSpec, ...]:
            return tuple(replace(node, parameters={**node.parameters, **parameters}) if node.name == node_name else node for node in nodes)

        return replace(self, nodes=changed(self.nodes), companions=changed(self.companions))

    def with_all_parameters(self, parameters: Mapping[str, ParameterValue]) -> SystemSpec:
        """Return the same system with more parameters on every node of the walk; what a node has already stays."""
        return replace(self, nodes=tuple(replace(node, parameters={**parameters, **node.parameters}) for node in self.nodes))

    def with_namespace(self, namespace: str) -> SystemSpec:
        """Return the same system under another namespace, written without the leading slash."""
        return replace(self, namespace=namespace.strip('/'))

    def words(self, node: NodeSpec) -> list[str]:
        """Return the command line words of a node, without its executable."""
        if not node.is_node:
            return list(node.arguments)
        words = [*node.arguments, *ros_arguments(node, self.namespace), '--enclave', enclave_of(self.namespace, node.name)]
        if self.params_file:
            words += ['--params-file', self.params_file]
        return [*words, '--log-level', self.log_level]


def enclave_of(namespace: str, node: str) -> str:
    """Return where the keys of a node are inside a keystore of SROS 2, for example /vera/controller_node; without security nobody looks."""
    return '/' + '/'.join(part for part in (namespace.strip('/'), node) if part)


def ros_arguments(node: NodeSpec, namespace: str) -> list[str]:
    """Return the command line words that give a node its name, namespace, parameters and remappings."""
    words = ['--ros-args', '-r', f'__node:={node.name}', '-r', f'__ns:=/{namespace}']
    for name, value in node.parameters.items():
        # JSON is YAML: text stays text ('1' is not a number), true and false are spelt as rcl reads them, a float keeps its point.
        words += ['-p', f'{name}:={json.dumps(value)}']
    for name, target in node.remappings.items():
        words += ['-r', f'{name}:={target}']
    return words
