# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera replay`: the nodes behind one stage, fed from a recording instead of a robot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rclpy.context import Context
from rclpy.node import Node
from rich.console import Console

from vera_bringup.recording.player import NODES, Player
from vera_bringup.recording.reader import OpenRecording
from vera_bringup.recording.record import RecordRequest
from vera_bringup.recording.show import recorded
from vera_bringup.supervision import running_system
from vera_bringup.system import SystemSpec, load_system

TRIED = ('camera', 'plan', 'flow')
"""Stages whose commands differ from the recorded ones, which the recorded arm cannot follow: the controller makes them in a dry run, or it would stop."""

DISCOVERY_S = 20.0
"""Nodes have loaded their models and made their subscriptions within this time, or are not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """What to replay, and into what."""

    path: Path
    stage: str = 'camera'
    """camera, plan, flow or estimate: what is published."""
    rate: float = 1.0
    """Recorded seconds per second."""
    namespace: str = 'vera'
    robot: str = ''
    """Name or path; empty: that of the recording."""
    starts_nodes: bool = True
    out: Path | None = None
    """Recording of the answers; None for none."""


def replay_and_show(request: ReplayRequest) -> int:
    """Replay until the recording or the person ends it; returns the exit code.

    Raises:
        ConfigError: If the recording lacks what the stage needs.
        SessionError: If a node does not start.
    """
    console = Console(soft_wrap=True, highlight=False, markup=False)
    recording = OpenRecording(request.path)
    robot = recording.robot(request.robot)
    name = request.robot or recording.about.get('robot_source', robot.name)
    answers = None if request.out is None else RecordRequest(path=request.out, robot=name, namespace=request.namespace)
    if answers is not None:
        answers.check()
    with _graph(request, name), recorded(answers), _node(request.namespace) as node:
        player = Player(node, recording, robot, stage=request.stage, rate=request.rate)
        deaf = player.wait_for(NODES[request.stage], DISCOVERY_S)
        if deaf:
            console.print(f'replaying without {", ".join(deaf)}: not configured within {DISCOVERY_S:g} s, or not running')
        console.print(f'replaying {request.path} from stage {request.stage}, {player.duration_s:.1f} s; Ctrl-C ends it')
        sent = player.play(lambda: True)
    console.print(f'{sent} messages published' + (f'; the answers are in {request.out}' if request.out else ''))
    return 0


@contextlib.contextmanager
def _node(namespace: str) -> Iterator[Node]:
    context = Context()
    context.init(args=[])
    try:
        yield Node('replay', namespace=namespace, context=context, start_parameter_services=False, enable_rosout=False)
    finally:
        context.try_shutdown()


@contextlib.contextmanager
def _graph(request: ReplayRequest, robot: str) -> Iterator[None]:
    """Run the nodes the stage leaves the work to. No driver and no simulator: commands reach nobody."""
    if not request.starts_nodes:
        yield
        return
    with running_system(nodes_of(request.stage, robot, request.namespace)):
        yield


def nodes_of(stage: str, robot: str, namespace: str) -> SystemSpec:
    """Return the nodes that a stage leaves the work to, as one system."""
    system = load_system('panda_sim', robot=robot, arguments={'namespace': namespace, 'black_box': 'false'})
    if stage in TRIED:
        system = system.with_parameters('controller_node', {'dry_run': True})
    return replace(system, name='replay', nodes=tuple(node for node in system.nodes if node.name in NODES[stage]))
