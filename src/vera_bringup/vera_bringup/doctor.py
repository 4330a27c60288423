# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera doctor`: what this machine has and lacks for a robot, each line with what to do about it, and how a running graph is."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vera_bringup.system import SYSTEMS, load_system
from vera_bringup.up import find_command
from vera_core.diagnostics import Level
from vera_core.embodiment import known_robots, load_embodiment


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    ok: bool
    text: str
    """What was found, or what is missing and what to do."""


def examine(robot: str = 'panda') -> Iterator[Finding]:
    """Look at everything the nodes need, one finding at a time; nothing that fails keeps the rest from being looked at."""
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ('python', _python),
        ('ROS client library', _ros),
        ('messages', _messages),
        ('robots', lambda: _robots(robot)),
        ('nodes', _nodes),
        ('pictures', _pictures),
        ('rendering', lambda: _rendering(robot)),
        ('Jacobian field weights', lambda: _field_weights(robot)),
        ('planner weights', lambda: _planner_weights(robot)),
        ('DDS on this machine', _dds),
    )
    for subject, check in checks:
        try:
            yield Finding(subject, True, check())
        except Exception as error:
            yield Finding(subject, False, f'{type(error).__name__}: {error}')
    yield from _running_graph()


def _python() -> str:
    return f'Python {sys.version.split()[0]}, {os.cpu_count()} cores'


def _pictures() -> str:
    from vera_core.ros.picture_codec import CHANNELS, cv_bridge_obstacle

    obstacle = cv_bridge_obstacle()
    return f'read without cv_bridge ({obstacle}): {", ".join(CHANNELS)}' if obstacle else 'read by cv_bridge'


def _ros() -> str:
    from rclpy.utilities import get_rmw_implementation_identifier

    domain = os.environ.get('ROS_DOMAIN_ID', '0')
    reach = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    return f'{get_rmw_implementation_identifier()}, ROS_DOMAIN_ID {domain}, discovery range {reach}'


def _messages() -> str:
    from vera_msgs.msg import VideoPlan

    VideoPlan()  # loads the type support libraries
    return 'vera_msgs is built and loads'


def _robots(robot: str) -> str:
    found = load_embodiment(robot)
    return f'{robot}: {len(found.joints)} joints, views {", ".join(found.view_names)}; known: {", ".join(known_robots())}'


def _nodes() -> str:
    nodes = [node for name in SYSTEMS for node in load_system(name).nodes]
    for node in nodes:
        find_command(node)
    return ', '.join(node.executable for node in nodes)


def _rendering(robot: str) -> str:
    from vera_sim.world import World

    found = load_embodiment(robot)
    if found.simulation is None:
        return f'{robot} has no simulation block, so there is nothing to render'
    world = World(found)
    try:
        picture = world.render(found.view_names[0])
    finally:
        world.close()
    if picture.std() < 1.0:
        raise RuntimeError(f'MuJoCo renders an empty picture with MUJOCO_GL={os.environ.get("MUJOCO_GL", "unset")}; try egl or osmesa')
    return f'MuJoCo renders off screen (MUJOCO_GL={os.environ.get("MUJOCO_GL", "unset")})'


def _field_weights(robot: str) -> str:
    from vera_jidm.jacobian.weights import WEIGHTS, field_folder
    from vera_jidm.registry import JACOBIAN_MODELS

    found = load_embodiment(robot)
    JACOBIAN_MODELS.make('learned', robot=found, folder=None)  # refuses weights that are not for these joints and views
    path = field_folder(found) / WEIGHTS
    return f'{robot}: {path} ({path.stat().st_size / 1e6:.1f} MB)'


def _planner_weights(robot: str) -> str:
    from vera_planner.weights import shipped_weights

    path = shipped_weights()
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing; make it with `vera train planner` or check out the repository with its large files')
    made_for = path.stem.removeprefix('embedded_')
    if load_embodiment(robot).name != made_for:
        return f'none for {robot}, only for {made_for}; {robot} follows recordings (--planner recorded) or another planner'
    return f'{robot}: {path} ({path.stat().st_size / 1e6:.1f} MB)'


def _running_graph() -> Iterator[Finding]:
    """How each node of a running graph is; a node that reports an error is a finding that is not well."""
    from vera_bringup.health import listen

    nodes = listen()
    if not nodes:
        yield Finding('running graph', True, f'no node reports on /diagnostics in ROS_DOMAIN_ID {os.environ.get("ROS_DOMAIN_ID", "0")}')
    for node in nodes:
        yield Finding(f'{node.node} ({node.robot})', node.level < Level.ERROR, node.lines())


def _dds() -> str:
    """Send one message from one participant to another."""
    from rclpy.context import Context
    from rclpy.node import Node
    from std_msgs.msg import String

    from vera_core.ros.lean_executor import LeanExecutor

    context = Context()
    context.init(args=[])
    arrived = threading.Event()
    try:
        talker, listener = (Node(f'vera_doctor_{role}', context=context, start_parameter_services=False) for role in ('talker', 'listener'))
        listener.create_subscription(String, 'vera_doctor', lambda _: arrived.set(), 1)
        publisher = talker.create_publisher(String, 'vera_doctor', 1)
        executor = LeanExecutor(context=context)
        executor.add_node(listener)
        for _ in range(50):
            publisher.publish(String(data='hello'))
            executor.spin_once(timeout_sec=0.1)
            if arrived.is_set():
                return 'a message sent is a message received'
    finally:
        context.try_shutdown()
    raise RuntimeError('no message came through in 5 s; is a firewall in the way of UDP on the loopback interface?')
