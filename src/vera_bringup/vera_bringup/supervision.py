# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A running system with an operator beside it: what demo, evaluation and system tests start and end with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rclpy.qos import QoSProfile

from vera_bringup.asking import SessionError
from vera_bringup.session import Session
from vera_bringup.system import SystemSpec
from vera_bringup.up import SystemProcesses
from vera_core.embodiment import load_embodiment

START_PATIENCE_S = 60.0


def isolate() -> int:
    """Keep DDS on this machine and in a domain of its own, unless the user has chosen otherwise; return the domain."""
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    # Domains 1 to 101 use ports below the range the kernel hands out to clients; 0 is everybody's.
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 101))
    return int(os.environ['ROS_DOMAIN_ID'])


@contextmanager
def running_system(
    system: SystemSpec,
    *,
    record: Mapping[str, tuple[type, QoSProfile]] | None = None,
    log_file: Path | None = None,
    on_line: Callable[[str, str], None] | None = None,
) -> Iterator[tuple[SystemProcesses, Session]]:
    """Start a system, wait until every node gives its sign of life, hand out both, and end everything on the way out.

    Args:
        system: What to run.
        record: Topics the session keeps while tasks run.
        log_file: Where everything the nodes print goes; nowhere when None.
        on_line: Called with every line a node prints.

    Raises:
        SessionError: If a node ends or stays silent during the start; the text has its last words.
    """
    robot = load_embodiment(system.robot)
    log = log_file.open('w', encoding='utf-8') if log_file else None

    def keep(node: str, line: str) -> None:
        if log and not log.closed:
            log.write(f'[{node}] {line}\n')
        if on_line:
            on_line(node, line)

    processes = SystemProcesses(system, on_line=keep)
    try:
        processes.start()
        with Session(robot, namespace=system.namespace, record=record) as session:
            session.wait_alive(system.node_names, timeout_s=START_PATIENCE_S, keep_waiting=lambda: check_deaths(processes))
            yield processes, session
    finally:
        processes.stop()
        if log:
            log.close()


def check_deaths(processes: SystemProcesses) -> None:
    """Raise if a process has ended since the last look.

    Raises:
        SessionError: Says which, how, and its last words.
    """
    deaths = processes.new_deaths()
    if deaths:
        raise SessionError('; '.join(death.text for death in deaths))
