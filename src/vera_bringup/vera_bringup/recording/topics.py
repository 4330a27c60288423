# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which topics a recording holds by default, and how each is treated when there is too much of everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rclpy.qos import QoSProfile

from vera_core.embodiment import Embodiment
from vera_core.ros import qos

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic to record."""

    name: str
    """As a node of the system says it: relative names are in its namespace."""
    kind: str
    """Message type, for example sensor_msgs/msg/Image; empty: that of its first publisher."""
    qos: QoSProfile
    is_bulky: bool = False
    """Pictures and flow: when there is no room, the oldest go. Of everything else none may be missing."""


def default_topics(robot: Embodiment, nodes: Iterable[str] = ()) -> tuple[Topic, ...]:
    """Return everything the walk from sentence to motion speaks of.

    Args:
        robot: Names of camera and driver topics.
        nodes: Nodes whose signs of life are recorded.
    """
    kept = qos.JOURNAL  # a reader that keeps a hundred messages loses none while its process waits for the processor
    many = [
        (robot.driver.joint_states_topic, 'sensor_msgs/msg/JointState', _deep(qos.SENSOR)),
        (robot.driver.command_topic, '', kept),
        ('dry_run/command', '', kept),
        ('joint_velocity', 'vera_msgs/msg/JointVelocityEstimate', kept),
        ('control_journal', 'vera_msgs/msg/ControlJournal', kept),
        ('safety_status', 'vera_msgs/msg/SafetyStatus', _deep(qos.STATUS)),
        ('planner_status', 'vera_msgs/msg/PlannerStatus', _deep(qos.STATUS)),
        ('task', 'vera_msgs/msg/Task', kept),
        ('task_prompt', 'std_msgs/msg/String', kept),
        ('deadman', 'std_msgs/msg/Bool', kept),
        ('plan', 'vera_msgs/msg/VideoPlan', qos.PLAN),
        ('plan_verdict', 'vera_msgs/msg/PlanVerdict', _deep(qos.VERDICT)),
        ('sim/scene_status', 'vera_msgs/msg/SceneStatus', kept),
        ('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', kept),
        *((view.camera_info_topic, 'sensor_msgs/msg/CameraInfo', qos.SENSOR) for view in robot.views if view.camera_info_topic),
        *((f'alive/{node}', 'vera_msgs/msg/NodeAlive', _deep(qos.STATUS)) for node in nodes),
    ]
    bulky = [(view.image_topic, IMAGE, qos.SENSOR) for view in robot.views] + [('flow', 'vera_msgs/msg/FlowField', qos.STREAM)]
    return (
        *(Topic(name=name, kind=kind, qos=profile) for name, kind, profile in many),
        *(Topic(name=name, kind=kind, qos=profile, is_bulky=True) for name, kind, profile in bulky),
    )


def chosen(topics: Sequence[Topic], *, more: Iterable[str] = (), without: Iterable[str] = ()) -> tuple[Topic, ...]:
    """Return the topics with others by name, whose types are found in the graph, and without some."""
    unwanted = set(without)
    known = {topic.name for topic in topics}
    added = [Topic(name=name, kind='', qos=_deep(qos.SENSOR)) for name in more if name not in known]
    return tuple(topic for topic in (*topics, *added) if topic.name not in unwanted)


def _deep(profile: QoSProfile) -> QoSProfile:
    """Return the same quality of service with room for a hundred messages on the reading side."""
    return QoSProfile(history=profile.history, depth=100, reliability=profile.reliability, durability=profile.durability)
