# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera up`: a system in the foreground of a terminal, its output prefixed and coloured."""

from __future__ import annotations

import signal
import time
from types import FrameType

from rich.console import Console
from rich.text import Text

from vera_bringup.asking import SessionError
from vera_bringup.session import Session
from vera_bringup.supervision import START_PATIENCE_S, check_deaths
from vera_bringup.system import SystemSpec
from vera_bringup.up import SystemProcesses
from vera_core.embodiment import load_embodiment

COLOURS = ('cyan', 'green', 'magenta', 'yellow', 'blue', 'bright_cyan', 'bright_green', 'bright_magenta')


def run_in_foreground(system: SystemSpec) -> int:
    """Run until Ctrl-C or SIGTERM; return 0, or 1 if a node ended that nobody had asked to end.

    The other nodes go on when one dies: the controller brings the arm to rest and says why, and what they know is still there to look at.
    """
    console = Console(soft_wrap=True)
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(system.node_names)}
    width = max(len(name) for name in colours)

    def show(node: str, line: str) -> None:
        console.print(Text.assemble((f'{node:>{width}} │ ', colours[node]), line))

    load_embodiment(system.robot)
    signal.signal(signal.SIGTERM, _interrupt)
    lost = 0
    console.print(
        f'[bold]{system.name}[/]: {system.description}; {len(system.nodes)} nodes under /{system.namespace}. Ctrl-C ends them all.'
    )
    try:
        with SystemProcesses(system, on_line=show) as processes:
            _wait_until_up(system, processes)
            console.print(f'[bold green]all nodes are up[/]; try: vera prompt "touch the red cube"{_namespace_hint(system)}')
            while processes.running():
                for death in processes.new_deaths():
                    lost += 1
                    console.print(f'[bold red]{death.text}[/]; still running: {", ".join(processes.running()) or "none"}')
                time.sleep(0.2)
    except KeyboardInterrupt:
        console.print('all nodes have ended')
    return 1 if lost else 0


def _wait_until_up(system: SystemSpec, processes: SystemProcesses) -> None:
    try:
        with Session(load_embodiment(system.robot), namespace=system.namespace) as session:
            session.wait_alive(system.node_names, timeout_s=START_PATIENCE_S, keep_waiting=lambda: check_deaths(processes))
    except SessionError as error:
        raise SessionError(f'{system.name} did not come up: {error}') from error


def _namespace_hint(system: SystemSpec) -> str:
    return '' if system.namespace == 'vera' else f' --namespace {system.namespace}'


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
