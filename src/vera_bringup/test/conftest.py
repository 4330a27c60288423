# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole graph, started once for all tests of a file, with a rig beside it that gives tasks and breaks things."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from vera_bringup.faults.catalogue import running_set_up
from vera_bringup.faults.rig import Rig
from vera_bringup.supervision import isolate


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 5.0) -> None:
    """Wait for something outside of the session's reports."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture(name='wait_until')
def wait_until_fixture() -> Callable[..., None]:
    return wait_until


@contextmanager
def running(set_up: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One of the set-ups of `vera_bringup.faults.catalogue` in a domain of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv('ROS_DOMAIN_ID', raising=False)
        patch.setenv('ROS_HOME', str(tmp_path_factory.mktemp('ros_home')))  # where the black box writes
        isolate()
        folder = tmp_path_factory.mktemp(set_up)
        with running_set_up(set_up, folder, log_file=folder / 'nodes.log') as rig:
            yield rig
        patch.delenv('ROS_DOMAIN_ID', raising=False)


@pytest.fixture(scope='module')
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The set-up panda_sim with the recorded planner."""
    with running('plain', tmp_path_factory) as rig:
        yield rig


@pytest.fixture(scope='module')
def relayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The same with every stream led through a relay that spoils it on demand."""
    with running('relay', tmp_path_factory) as rig:
        yield rig
