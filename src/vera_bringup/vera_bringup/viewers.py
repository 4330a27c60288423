# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person looks at beside a set-up: the operator's page, rviz2 with the nodes that feed it, and, afterwards, the black box."""

from __future__ import annotations

from vera_bringup.files import shared_file
from vera_bringup.specs import NodeSpec, ParameterValue, SystemSpec
from vera_core.embodiment import load_embodiment

RVIZ_FILE = 'rviz/vera.rviz'


def operator_nodes(robot: str) -> tuple[NodeSpec, ...]:
    """Return the node that serves the operator's page on this machine."""
    return (NodeSpec(package='vera_bringup', executable='operator_node', parameters={'robot': robot}),)


def operator_alone(robot: str, *, namespace: str, port: int, stop_port: int) -> SystemSpec:
    """Describe the operator's page beside a system that runs already."""
    parameters: dict[str, ParameterValue] = {'robot': robot, 'port': port, 'stop_port': stop_port}
    return SystemSpec(
        name='operator',
        description='the page an operator works with',
        robot=robot,
        namespace=namespace.strip('/'),
        nodes=(NodeSpec(package='vera_bringup', executable='operator_node', parameters=parameters),),
    )


def rviz_nodes(robot: str, *, has_transforms: bool) -> tuple[NodeSpec, ...]:
    """Return rviz2 and what it shows.

    Args:
        robot: Name or path of the robot file.
        has_transforms: Whether the robot's driver publishes the transforms of its links already.
    """
    embodiment = load_embodiment(robot)
    view = NodeSpec(package='vera_bringup', executable='view_node', parameters={'robot': robot})
    rviz = NodeSpec(
        package='rviz2', executable='rviz2', arguments=('-d', str(shared_file(RVIZ_FILE))), install='sudo apt install ros-jazzy-rviz2'
    )
    if has_transforms or embodiment.description is None:
        return (view, rviz)
    links = NodeSpec(
        package='robot_state_publisher',
        executable='robot_state_publisher',
        parameters={'robot_description': embodiment.description.read_text(encoding='utf-8')},
        remappings={'joint_states': embodiment.driver.joint_states_topic},
        install='sudo apt install ros-jazzy-robot-state-publisher',
    )
    return (links, view, rviz)


def recorder(path: str, robot: str, namespace: str) -> NodeSpec:
    """Return the program that records everything into a file."""
    words = ('record', path, '--robot', robot, '--namespace', namespace.strip('/'))
    return NodeSpec(package='vera_bringup', executable='vera', alias='recorder', arguments=words, is_node=False)


def black_box_node(system: SystemSpec) -> NodeSpec:
    """Return the node that keeps the last seconds of a system; it hears the driver under the names the controller uses."""
    return NodeSpec(
        package='vera_bringup',
        executable='blackbox_node',
        parameters={'robot': system.robot, 'watched_nodes': list(system.node_names)},
        remappings=system.node('controller_node').remappings,
    )
