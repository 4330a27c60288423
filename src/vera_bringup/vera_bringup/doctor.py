# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera doctor`: what this machine has and lacks, each line with what to do about it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources

from vera_bringup.system import SYSTEMS, load_system
from vera_bringup.up import find_command
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
        ('rendering', _rendering),
        ('Jacobian field weights', lambda: _weights('vera_jidm')),
        ('planner weights', lambda: _weights('vera_planner')),
        ('DDS on this machine', _dds),
    )
    for subject, check in checks:
        try:
            yield Finding(subject, True, check())
        except Exception as error:
            yield Finding(subject, False, f'{type(error).__name__}: {error}')


def _python() -> str:
    return f'Python {sys.version.split()[0]}, {os.cpu_count()} cores'


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


def _rendering() -> str:
    from vera_sim.world import World

    world = World(load_embodiment('panda'))
    try:
        picture = world.render(load_embodiment('panda').view_names[0])
    finally:
        world.close()
    if picture.std() < 1.0:
        raise RuntimeError(f'MuJoCo renders an empty picture with MUJOCO_GL={os.environ.get("MUJOCO_GL", "unset")}; try egl or osmesa')
    return f'MuJoCo renders off screen (MUJOCO_GL={os.environ.get("MUJOCO_GL", "unset")})'


def _weights(package: str) -> str:
    found = [
        (entry.name, len(entry.read_bytes()))
        for folder in _folders(package)
        for entry in folder.iterdir()
        if entry.name.endswith('.safetensors')
    ]
    if not found:
        what = 'vera train idm' if package == 'vera_jidm' else 'vera train planner'
        raise FileNotFoundError(f'{package} has no weights; make them with `{what}` or check out the repository with its large files')
    return ', '.join(f'{name} ({size / 1e6:.1f} MB)' for name, size in sorted(found))


def _folders(package: str) -> Iterator[resources.abc.Traversable]:
    top = resources.files(package) / 'weights'
    if top.is_dir():
        yield top
        yield from (entry for entry in top.iterdir() if entry.is_dir())


def _dds() -> str:
    """Send one message from one participant to another."""
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from std_msgs.msg import String

    context = Context()
    context.init(args=[])
    arrived = threading.Event()
    try:
        talker, listener = (Node(f'vera_doctor_{role}', context=context, start_parameter_services=False) for role in ('talker', 'listener'))
        listener.create_subscription(String, 'vera_doctor', lambda _: arrived.set(), 1)
        publisher = talker.create_publisher(String, 'vera_doctor', 1)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(listener)
        for _ in range(50):
            publisher.publish(String(data='hello'))
            executor.spin_once(timeout_sec=0.1)
            if arrived.is_set():
                return 'a message sent is a message received'
    finally:
        context.try_shutdown()
    raise RuntimeError('no message came through in 5 s; is a firewall in the way of UDP on the loopback interface?')
