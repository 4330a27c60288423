# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which streams lead through the relay, and the set-ups that do so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, JointState

from vera_bringup.specs import NodeSpec, ParameterValue, SystemSpec
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.ros import qos
from vera_msgs.msg import JointVelocityEstimate, VideoPlan

PREFIX = 'faults'
"""Before the name of a topic on the near side of the relay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One topic that leads through the relay."""

    name: str
    """How a fault names it."""
    sender: str
    """Node whose topic is remapped."""
    topic: str
    message_type: type
    profile: QoSProfile

    @property
    def source(self) -> str:
        """Where the sender publishes instead."""
        return f'/{PREFIX}{self.topic}' if self.topic.startswith('/') else f'{PREFIX}/{self.topic}'


def streams_of(robot: Embodiment) -> tuple[Stream, ...]:
    """Return the streams of a robot in simulation: cameras under the names of their views, joints, plans, estimates."""
    views = tuple(
        Stream(name=view.name, sender='sim_node', topic=view.image_topic, message_type=Image, profile=qos.SENSOR) for view in robot.views
    )
    joints = robot.driver.joint_states_topic
    return (
        *views,
        Stream(name='joint_states', sender='sim_node', topic=joints, message_type=JointState, profile=qos.SENSOR),
        Stream(name='plan', sender='planner_node', topic='plan', message_type=VideoPlan, profile=qos.PLAN),
        Stream(name='estimates', sender='jidm_node', topic='joint_velocity', message_type=JointVelocityEstimate, profile=qos.STREAM),
    )


def with_relay(system: SystemSpec, *, parameters: Mapping[str, ParameterValue] | None = None) -> SystemSpec:
    """Return the same system with every stream led through the relay."""
    remapped: dict[str, dict[str, str]] = {}
    for stream in streams_of(load_embodiment(system.robot)):
        remapped.setdefault(stream.sender, {})[stream.topic] = stream.source
    nodes = tuple(replace(node, remappings={**node.remappings, **remapped.get(node.name, {})}) for node in system.nodes)
    relay = NodeSpec(
        package='vera_bringup', executable='fault_relay_node', parameters={'robot': system.robot, 'autostart': True, **(parameters or {})}
    )
    return replace(system, nodes=nodes, companions=(relay, *system.companions))
