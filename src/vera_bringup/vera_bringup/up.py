# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Starts the processes of a system description where only the Python wheels are there; on a ROS machine `ros2 launch` does the same."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vera_bringup.system import ENVIRONMENT, NodeSpec, SystemSpec
from vera_core.errors import ConfigError

OnLine = Callable[[str, str], None]
"""Called with the node's name and one line it printed."""

PR_SET_PDEATHSIG = 1

_LIBC = ctypes.CDLL(None)  # loaded before any fork: between fork and exec the dynamic loader may be locked


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a process nobody asked to end."""

    node: str
    text: str
    """One sentence: how it ended and the last thing it said."""


def find_command(node: NodeSpec) -> list[str]:
    """Return the command that starts a node: the installed executable, or `python -m` where only the sources are on the path.

    Raises:
        ConfigError: If neither is there.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        installed = Path(get_package_prefix(node.package)) / 'lib' / node.package / node.executable
        if installed.is_file():
            return [str(installed)]
    except PackageNotFoundError:
        pass
    try:
        found = importlib.util.find_spec(node.module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        what = node.install or 'run `colcon build` and source install/setup.bash'
        raise ConfigError(f'executable {node.executable} of package {node.package} is not installed; {what}')
    return [sys.executable, '-m', node.module]


def ending(return_code: int) -> str:
    """Say in words how a process ended."""
    if return_code < 0:
        return f'was ended by signal {signal.Signals(-return_code).name}'
    return 'ended by itself' if return_code == 0 else f'ended with exit code {return_code}'


def _die_with_parent(parent: int) -> None:
    """Run in the child before exec: the kernel ends it when this process ends, however that happens."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class SystemProcesses:
    """The running processes of one system. Use as a context manager; on exit every process has ended."""

    def __init__(
        self,
        system: SystemSpec,
        *,
        environment: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> None:
        """Prepare, start nothing.

        Args:
            system: What to run.
            environment: Environment of the processes; this process's own when None.
            on_line: Called from reader threads with every line a node prints.
        """
        self.system = system
        self._environment = dict(os.environ if environment is None else environment)
        self._environment.update(ENVIRONMENT, RCUTILS_COLORIZED_OUTPUT='0')
        self._on_line = on_line or (lambda node, line: None)
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._last_lines: dict[str, deque[str]] = {}
        self._readers: list[threading.Thread] = []
        self._reported: set[str] = set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all nodes; when one cannot be started, none is left running.

        The main thread has to call this: the kernel ties the children's life to the thread that made them.
        """
        commands = {node.name: self._command(node) for node in self.system.processes}
        try:
            for name, command in commands.items():
                self._start_one(name, command)
        except BaseException:
            self.stop()
            raise

    def restart(self, name: str) -> None:
        """Start a node again, after ending it if it still runs; from the main thread, as `start`."""
        if name in self._processes:
            _signal(self._processes[name], signal.SIGKILL)
            self._processes[name].wait()
        self._reported.discard(name)
        self._start_one(name, self._command(self.system.node(name)))

    def _command(self, node: NodeSpec) -> list[str]:
        return find_command(node) + self.system.words(node)

    def _start_one(self, name: str, command: list[str]) -> None:
        parent = os.getpid()
        process = subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            # Own sessions: Ctrl-C in the terminal reaches only the parent, which then stops the nodes in a sensible order.
            start_new_session=True,
            preexec_fn=lambda: _die_with_parent(parent),
        )
        self._processes[name] = process
        self._last_lines[name] = deque(maxlen=20)
        reader = threading.Thread(target=self._read, args=(name, process), daemon=True)
        reader.start()
        self._readers.append(reader)

    def _read(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            line = line.rstrip()
            self._last_lines[name].append(line)
            self._on_line(name, line)

    def pid(self, name: str) -> int:
        """Return the process id of a node."""
        return self._processes[name].pid

    def output(self, name: str) -> tuple[str, ...]:
        """Return the last lines a node printed, oldest first."""
        return tuple(self._last_lines[name])

    def running(self) -> tuple[str, ...]:
        """Return the names of the nodes whose process is alive."""
        return tuple(name for name, process in self._processes.items() if process.poll() is None)

    def new_deaths(self) -> tuple[Death, ...]:
        """Return the processes that have ended since the last call."""
        deaths = []
        for name, process in self._processes.items():
            code = process.poll()
            if code is None or name in self._reported:
                continue
            self._reported.add(name)
            lines = [line for line in self._last_lines[name] if line.strip()]
            last = f'; the last thing it printed: {lines[-1]}' if lines else ''
            deaths.append(Death(name, f'{name} {ending(code)}{last}'))
        return tuple(deaths)

    def stop(self, *, patience_s: float = 5.0) -> None:
        """End all nodes: SIGINT from the last of the walk to the first, SIGKILL for what remains.

        Whoever commands the arm goes before the arm.
        """
        self._reported.update(self._processes)
        deadline = time.monotonic() + patience_s
        order = list(reversed(self._processes.values()))
        for process in order[:-1]:
            _signal(process, signal.SIGINT)
        for position, process in enumerate(order):
            if position == len(order) - 1:
                _signal(process, signal.SIGINT)
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
        for reader in self._readers:
            reader.join(timeout=1.0)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Signal a process and everything it started (each leads a process group of its own)."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
