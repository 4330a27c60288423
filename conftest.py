# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures every package's tests share: a ROS domain of its own for each test, and processes that are always cleaned up."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')

RERUNS = 2
"""A test over real processes and real time is void when the machine did not give them their time, so one that fails is tried up to twice more; the closing
lines of a run list what was (RERUN). ROS 2's own CI does the same (`colcon test --retest-until-pass 2`). Tests of the pure core run once."""

DOMAINS = range(1, 101)  # Linux keeps the ports of higher domains for outgoing connections


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of real processes be tried again."""
    for item in items:
        if item.get_closest_marker('ros') is not None and item.get_closest_marker('flaky') is None:
            item.add_marker(pytest.mark.flaky(reruns=RERUNS))


def _take_domain(first: int) -> tuple[int, socket.socket]:
    """Find a domain nobody on this machine tests in: the one whose guard port can be bound, tried from `first` on."""
    for offset in range(len(DOMAINS)):
        domain = DOMAINS[(first + offset) % len(DOMAINS)]
        guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            guard.bind(('127.0.0.1', 26100 + domain))
        except OSError:
            guard.close()
            continue
        return domain, guard
    raise RuntimeError('all ROS domains are in use by other tests')


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS_DOMAIN_ID for this test alone, also among tests running at the same time; child processes inherit it."""
    domain, guard = _take_domain(os.getpid() * 7 + time.monotonic_ns() // 1000)
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    yield domain
    guard.close()


@pytest.fixture
def ros(ros_domain: int) -> Iterator[int]:
    """rclpy initialised in this test's own domain."""
    import rclpy

    rclpy.init(args=[], domain_id=ros_domain)
    yield ros_domain
    rclpy.try_shutdown()


Spawn = Callable[..., 'subprocess.Popen[str]']


@pytest.fixture
def spawn(ros_domain: int, tmp_path: Path) -> Iterator[Spawn]:
    """Start child processes in this test's domain and end them with it: `spawn('-m', 'vera_sim.sim_node', ...)` runs this Python.

    What a child prints is in its `log` file.
    """
    children: list[subprocess.Popen[str]] = []

    def start(*arguments: str, name: str = '') -> subprocess.Popen[str]:
        log = tmp_path / f'{name or "process"}-{len(children)}.log'
        with log.open('w') as out:
            child = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        child.log = log  # type: ignore[attr-defined]
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(timeout=5)
