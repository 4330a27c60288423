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
from vera_bringup.guest import NotActiveError
from vera_bringup.session import Session
from vera_bringup.supervision import START_PATIENCE_S, check_deaths
from vera_bringup.system import DriverSpec, SystemSpec
from vera_bringup.up import SystemProcesses
from vera_core.embodiment import load_embodiment

COLOURS = ('cyan', 'green', 'magenta', 'yellow', 'blue', 'bright_cyan', 'bright_green', 'bright_magenta')

ACTIVE_PATIENCE_S = 20.0
"""After this long it is said which nodes wait for what; a robot's driver may be started much later."""


def run_in_foreground(system: SystemSpec) -> int:
    """Run until Ctrl-C or SIGTERM; return 0, or 1 if a node ended that nobody had asked to end.

    The other nodes go on when one dies: the controller brings the arm to rest and says why, and what they know is still there to look at.
    """
    console = Console(soft_wrap=True)
    colours = {node.name: COLOURS[index % len(COLOURS)] for index, node in enumerate(system.processes)}
    width = max(len(name) for name in colours)

    def show(node: str, line: str) -> None:
        console.print(Text.assemble((f'{node:>{width}} │ ', colours[node]), line))

    load_embodiment(system.robot)
    if system.driver is not None:
        console.print(
            f'the driver is not started by `vera up`: run  {driver_command(system.driver)}  in another terminal, or use ros2 launch'
        )
    signal.signal(signal.SIGTERM, _interrupt)
    lost = 0
    console.print(
        f'[bold]{system.name}[/]: {system.description}; {len(system.processes)} nodes under /{system.namespace}. Ctrl-C ends them all.'
    )
    try:
        with SystemProcesses(system, on_line=show) as processes:
            waiting = _wait_until_up(system, processes)
            if waiting:
                console.print(f'[bold yellow]all nodes are up, but {waiting}[/]; each becomes active when nothing stands in its way')
            else:
                console.print(f'[bold green]all nodes are up[/]; try: vera prompt "touch the red cube"{_namespace_hint(system)}')
            while processes.running():
                for death in processes.new_deaths():
                    lost += 1
                    console.print(f'[bold red]{death.text}[/]; still running: {", ".join(processes.running()) or "none"}')
                time.sleep(0.2)
    except KeyboardInterrupt:
        console.print('all nodes have ended')
    return 1 if lost else 0


def driver_command(driver: DriverSpec) -> str:
    """Return the command that starts a robot's driver by itself."""
    words = [f'{name}:={value}' for name, value in driver.arguments.items() if value]
    return ' '.join(['ros2 launch', driver.package, driver.launch_file, *words])


def _wait_until_up(system: SystemSpec, processes: SystemProcesses) -> str:
    """Wait for every node's sign of life, then a while until all are active; return which are not and why, empty when all are."""
    try:
        with Session(load_embodiment(system.robot), namespace=system.namespace) as session:
            session.wait_alive(system.node_names, timeout_s=START_PATIENCE_S, keep_waiting=lambda: check_deaths(processes))
            session.wait_active(system.node_names, timeout_s=ACTIVE_PATIENCE_S, keep_waiting=lambda: check_deaths(processes))
    except NotActiveError as error:
        return str(error)
    except SessionError as error:
        raise SessionError(f'{system.name} did not come up: {error}') from error
    return ''


def _namespace_hint(system: SystemSpec) -> str:
    return '' if system.namespace == 'vera' else f' --namespace {system.namespace}'


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
