# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Turns a system description into launch actions, for `ros2 launch`. Needs the `launch` and `launch_ros` packages of a ROS installation."""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from vera_bringup.system import load_system


def describe(system_name: str) -> LaunchDescription:
    """Return the launch description of one set-up, with the arguments every set-up takes."""
    system = load_system(system_name)
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'namespace', default_value=system.namespace, description='Namespace of all nodes and of the topics between them'
            ),
            DeclareLaunchArgument(
                'robot', default_value=system.robot, description='Embodiment: the name of a shipped robot or the path of a YAML file'
            ),
            DeclareLaunchArgument(
                'planner',
                default_value=str(system.node('planner_node').parameters['backend']),
                description='Planner backend: embedded or recorded',
            ),
            DeclareLaunchArgument(
                'params_file', default_value='', description='ROS parameter file whose values come on top of the description'
            ),
            DeclareLaunchArgument('log_level', default_value='info', description='Log level of all nodes'),
            OpaqueFunction(function=_nodes, args=[system_name]),
        ]
    )


def _nodes(context: LaunchContext, system_name: str) -> list[LaunchDescriptionEntity]:
    """Make one launch action per node, once the launch arguments are known."""

    def argument(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    system = load_system(system_name, robot=argument('robot'), planner=argument('planner')).with_namespace(argument('namespace'))
    params_file = argument('params_file')
    return [
        Node(
            package=node.package,
            executable=node.executable,
            name=node.name,
            namespace=system.namespace,
            parameters=[dict(node.parameters), *([params_file] if params_file else [])],
            remappings=list(node.remappings.items()),
            ros_arguments=['--log-level', argument('log_level')],
            output='screen',
            emulate_tty=True,
        )
        for node in system.nodes
    ]
