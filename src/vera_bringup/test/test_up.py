# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from vera_bringup.system import NodeSpec, SystemSpec
from vera_bringup.up import SystemProcesses, ending, find_command
from vera_core.errors import ConfigError

NUMBERS = itertools.count()
SLEEPER = 'import time\nprint("ready", flush=True)\ntime.sleep(60)\n'
STUBBORN = 'import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint("ready", flush=True)\ntime.sleep(60)\n'
BROKEN = 'import sys\nprint("the camera is on fire", flush=True)\nsys.exit(3)\n'


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a system of small programs instead of nodes: `system(a=SOURCE, b=SOURCE)`."""
    name_of_package = f'fake_nodes_{next(NUMBERS)}'  # Python remembers packages by name
    package = tmp_path / name_of_package
    package.mkdir()
    (package / '__init__.py').write_text('')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv('PYTHONPATH', f'{tmp_path}:{os.environ.get("PYTHONPATH", "")}')

    def make(**programs: str) -> SystemSpec:
        for name, source in programs.items():
            (package / f'{name}.py').write_text(source)
        nodes = tuple(NodeSpec(package=name_of_package, executable=name) for name in programs)
        return SystemSpec(name='fake', description='', robot='panda', namespace='vera', nodes=nodes)

    return make


def wait_until(condition, what: str, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_all_processes_end_with_the_block(system):
    with SystemProcesses(system(first=SLEEPER, second=SLEEPER)) as processes:
        wait_until(lambda: all('ready' in processes.output(name) for name in ('first', 'second')), 'both start')
        pids = [processes.pid(name) for name in ('first', 'second')]
        assert processes.running() == ('first', 'second')
    assert not any(is_running(pid) for pid in pids)
    assert processes.new_deaths() == ()  # they were asked to end


def test_a_process_that_ignores_sigint_is_killed(system):
    processes = SystemProcesses(system(stubborn=STUBBORN))
    processes.start()
    wait_until(lambda: 'ready' in processes.output('stubborn'), 'it starts')
    processes.stop(patience_s=0.3)
    assert not is_running(processes.pid('stubborn'))


def test_a_death_is_told_once_with_exit_code_and_last_words(system):
    with SystemProcesses(system(broken=BROKEN, other=SLEEPER)) as processes:
        wait_until(lambda: 'broken' not in processes.running() and processes.output('broken'), 'it ends')
        (death,) = processes.new_deaths()
        assert death.text == 'broken ended with exit code 3; the last thing it printed: the camera is on fire'
        assert processes.new_deaths() == ()
        assert processes.running() == ('other',)


def test_a_killed_process_is_told_by_its_signal(system):
    with SystemProcesses(system(victim=SLEEPER)) as processes:
        os.kill(processes.pid('victim'), signal.SIGKILL)
        wait_until(lambda: not processes.running(), 'it ends')
        assert 'victim was ended by signal SIGKILL' in processes.new_deaths()[0].text


def test_no_orphans_when_the_parent_is_killed(system):
    package = system(child=SLEEPER).nodes[0].package
    parent = textwrap.dedent(
        f"""
        import time
        from vera_bringup.system import NodeSpec, SystemSpec
        from vera_bringup.up import SystemProcesses
        node = NodeSpec(package={package!r}, executable='child')
        processes = SystemProcesses(SystemSpec(name='fake', description='', robot='panda', namespace='vera', nodes=(node,)))
        processes.start()
        print(processes.pid('child'), flush=True)
        time.sleep(60)
        """
    )
    process = subprocess.Popen([sys.executable, '-c', parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert is_running(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    wait_until(lambda: not is_running(pid), 'the kernel ends the child with its parent', timeout_s=3.0)


def test_every_line_is_handed_on_with_its_node(system):
    lines: list[tuple[str, str]] = []
    with SystemProcesses(system(first=SLEEPER), on_line=lambda node, line: lines.append((node, line))):
        wait_until(lambda: lines == [('first', 'ready')], 'the line comes')


def test_missing_executable_is_named_before_anything_starts():
    with pytest.raises(ConfigError, match='executable nosuch_node of package vera_nowhere is not installed; run `colcon build`'):
        find_command(NodeSpec(package='vera_nowhere', executable='nosuch_node'))


@pytest.mark.parametrize(('code', 'words'), [(0, 'ended by itself'), (2, 'ended with exit code 2'), (-9, 'was ended by signal SIGKILL')])
def test_ending_says_how(code, words):
    assert ending(code) == words
