# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which nodes run, with which parameters and remappings, as plain data.

`ros2 launch vera_bringup NAME.launch.py` turns a description into launch actions, `vera up NAME` into processes;
neither adds anything of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from vera_core.errors import ConfigError, nearest_name_hint

ParameterValue = bool | int | float | str | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node: which executable of which package, and how it is set up."""

    package: str
    executable: str
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    remappings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Node name; the same word as the executable."""
        return self.executable

    @property
    def module(self) -> str:
        """Module with the node's `main`, for a start without an installed executable."""
        return f'{self.package}.{self.executable}'


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSpec:
    """All nodes of one set-up, in the order of the walk from sentence to motion; they are stopped in the opposite order."""

    name: str
    description: str
    robot: str
    namespace: str
    nodes: tuple[NodeSpec, ...]

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names of all nodes."""
        return tuple(node.name for node in self.nodes)

    def node(self, name: str) -> NodeSpec:
        """Return the node called `name`.

        Raises:
            ConfigError: If there is none; the text lists those there are.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise ConfigError(f"system {self.name} has no node '{name}'; {nearest_name_hint(name, self.node_names)}")

    def with_parameters(self, node_name: str, parameters: Mapping[str, ParameterValue]) -> SystemSpec:
        """Return the same system with more parameters on one node; a parameter given twice takes the new value."""
        changed = self.node(node_name)
        changed = replace(changed, parameters={**changed.parameters, **parameters})
        return replace(
            self,
            nodes=tuple(changed if node.name == node_name else node for node in self.nodes),
        )

    def with_namespace(self, namespace: str) -> SystemSpec:
        """Return the same system under another namespace, written without the leading slash."""
        return replace(self, namespace=namespace.strip('/'))


def panda_sim(*, robot: str = 'panda', planner: str = 'embedded') -> SystemSpec:
    """Describe the whole graph with the simulated Panda in the place of camera driver and robot driver."""
    return _simulated('panda_sim', 'Franka Panda at a table with coloured cubes, simulated by MuJoCo', robot, planner)


def allegro_sim(*, robot: str = 'allegro', planner: str = 'recorded') -> SystemSpec:
    """Describe the whole graph with the simulated Allegro hand; it follows a recorded video, given to planner_node as `recording`."""
    return _simulated('allegro_sim', 'Allegro hand with a cube on its palm, simulated by MuJoCo', robot, planner)


def _simulated(name: str, description: str, robot: str, planner: str) -> SystemSpec:
    common: dict[str, ParameterValue] = {'robot': robot}
    # The simulator is a node that can be lost as well; a real driver is watched through its joint states.
    others: ParameterValue = ['sim_node', 'planner_node', 'flow_node', 'jidm_node', 'executive_node']
    return SystemSpec(
        name=name,
        description=description,
        robot=robot,
        namespace='vera',
        nodes=(
            NodeSpec(package='vera_sim', executable='sim_node', parameters=common),
            NodeSpec(
                package='vera_planner',
                executable='planner_node',
                parameters={**common, 'backend': planner},
            ),
            NodeSpec(package='vera_jidm', executable='flow_node', parameters=common),
            NodeSpec(package='vera_jidm', executable='jidm_node', parameters=common),
            # No person stands beside a simulated robot, so it may arm itself; on a robot `arm` stays an operator's call.
            NodeSpec(
                package='vera_control',
                executable='controller_node',
                parameters={**common, 'auto_arm': True, 'required_nodes': others},
            ),
            NodeSpec(package='vera_control', executable='executive_node', parameters=common),
        ),
    )


SYSTEMS: Mapping[str, Callable[..., SystemSpec]] = {'allegro_sim': allegro_sim, 'panda_sim': panda_sim}
"""Set-ups by name."""

PLANNERS = ('embedded', 'recorded')
"""Planner backends a set-up can be started with."""


def load_system(name: str, *, robot: str = '', planner: str = '') -> SystemSpec:
    """Return the description of a set-up; without a robot or planner, with its own.

    Raises:
        ConfigError: If there is no set-up or no planner of that name; the text names the nearest.
    """
    for what, given, known in (('system', name, SYSTEMS), ('planner', planner or PLANNERS[0], PLANNERS)):
        if given not in known:
            raise ConfigError(f"unknown {what} '{given}'; {nearest_name_hint(given, known)}")
    chosen = {key: value for key, value in (('robot', robot), ('planner', planner)) if value}
    return SYSTEMS[name](**chosen)


def ros_arguments(node: NodeSpec, namespace: str) -> list[str]:
    """Return the command line words that give a node its name, namespace, parameters and remappings."""
    words = ['--ros-args', '-r', f'__node:={node.name}', '-r', f'__ns:=/{namespace}']
    for name, value in node.parameters.items():
        # JSON is YAML: text stays text ('1' is not a number), true and false are spelt as rcl reads them, a float keeps its point.
        words += ['-p', f'{name}:={json.dumps(value)}']
    for name, target in node.remappings.items():
        words += ['-r', f'{name}:={target}']
    return words
