# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The set-up script: what it refuses, what it skips, how it recovers."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """The script as a module, working in an empty folder."""
    loader = importlib.machinery.SourceFileLoader('vera_setup', str(ROOT / 'tools' / 'setup'))
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('vera_setup', loader))
    loader.exec_module(module)
    for name, path in {
        'ROOT': tmp_path,
        'VENV': tmp_path / '.venv',
        'STATE': tmp_path / '.setup',
        'PYTHON': tmp_path / '.venv/bin/python',
    }.items():
        monkeypatch.setattr(module, name, path)
    module.STATE.mkdir()
    return module


def prepared() -> bool:
    return (ROOT / '.setup' / 'build.log').exists() and (ROOT / 'install' / '.setup').exists()


@pytest.mark.skipif(not prepared(), reason='this workspace was built by a sourced ROS, not by tools/setup')
def test_up_to_date_costs_no_more_than_to_look():
    """In starts of an interpreter. Seen: 2 of them, 0.08 s."""
    first = subprocess.run([sys.executable, ROOT / 'tools' / 'setup'], capture_output=True, text=True, timeout=100)
    assert first.returncode == 0, first.stderr
    begin = time.monotonic()
    second = subprocess.run([sys.executable, ROOT / 'tools' / 'setup'], capture_output=True, text=True, timeout=100)
    middle = time.monotonic()
    subprocess.run([sys.executable, '-c', 'pass'], check=True)
    assert middle - begin < 30 * (time.monotonic() - middle)
    assert 'everything is up to date' in second.stdout


def test_step_is_skipped_until_its_inputs_change(setup):
    runs = []
    work = setup.Setup(quiet=True)
    stamp = setup.VENV / '.setup' / 'demo'
    for key in ('a', 'a', 'b', 'b'):
        work.step('demo', 'demo', key, stamp, runs.append)
    assert runs == [False, False]  # once for a, once for b, neither after an interruption
    assert stamp.read_text() == 'b\n'


def test_interrupted_step_is_done_again_and_told_so(setup):
    runs = []

    def cut_short(interrupted):
        runs.append(interrupted)
        if len(runs) == 1:
            raise KeyboardInterrupt

    work = setup.Setup(quiet=True)
    stamp = setup.VENV / '.setup' / 'demo'
    with pytest.raises(KeyboardInterrupt):
        work.step('demo', 'demo', 'a', stamp, cut_short)
    assert not stamp.exists()
    work.step('demo', 'demo', 'a', stamp, cut_short)
    assert runs == [False, True]
    assert stamp.exists()
    assert not (setup.STATE / 'demo.running').exists()


def test_half_installed_package_is_forgotten(setup):
    site = setup.VENV / 'lib' / 'python3.11' / 'site-packages'
    for name, files in {'whole': ['whole.py'], 'cut': [], 'noted': ['noted.py']}.items():
        info = site / f'{name}-1.0.dist-info'
        info.mkdir(parents=True)
        (info / 'INSTALLER').write_text('pip\n')
        if name != 'noted':
            (info / 'RECORD').write_text(f'{name}.py,sha256=x,3\n{name}-1.0.dist-info/RECORD,,\n')
        for file in files:
            (site / file).write_text('x=1')
    (site / '~orch').mkdir()
    setup.forget_broken_packages()
    assert sorted(path.name for path in site.iterdir()) == ['noted.py', 'whole-1.0.dist-info', 'whole.py']


def test_paths_of_the_wheels_builder_are_replaced(setup, monkeypatch):
    folder = setup.VENV / 'share' / 'std_msgs' / 'cmake'
    folder.mkdir(parents=True)
    file = folder / 'targets.cmake'
    file.write_text(
        'A "/opt/python/cp311-cp311/include/python3.11;/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include"\n'
    )
    monkeypatch.setattr(setup, 'PYTHON', sys.executable)
    setup.relocate_cmake_files()
    text = file.read_text()
    assert '/opt/python' not in text
    assert '/site-packages/numpy/_core/include"' in text


def test_failure_says_what_to_do_and_shows_the_log(setup):
    work = setup.Setup(quiet=True)
    with pytest.raises(
        setup.SetupError, match=r'package index cannot be reached: check the network(?s:.*)Temporary failure in name resolution'
    ):
        work.run('demo', [sys.executable, '-c', 'print("Temporary failure in name resolution"); raise SystemExit(1)'])


@pytest.mark.parametrize(
    ('missing', 'text'),
    [
        ('g++', r'a C\+\+ compiler \(Debian and Ubuntu: g\+\+\)'),
        ('make', r'make \(Debian'),
        ('Python.h', 'headers of Python .* python3-dev'),
    ],
)
def test_missing_tool_is_named(setup, monkeypatch, tmp_path, missing, text):
    if missing == 'Python.h':
        monkeypatch.setattr(setup.sysconfig, 'get_paths', lambda: {'include': str(tmp_path)})
    else:
        monkeypatch.setattr(setup.shutil, 'which', lambda name: None if name in (missing, 'c++') else f'/usr/bin/{name}')
    with pytest.raises(setup.SetupError, match=text):
        setup.check_machine()


def test_a_sourced_ros_does_not_leak_in(setup, monkeypatch):
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/opt/ros/jazzy')
    monkeypatch.setenv('PYTHONPATH', '/opt/ros/jazzy/lib/python3.12/site-packages')
    monkeypatch.setenv('PATH', '/opt/ros/jazzy/bin:/usr/bin')
    environment = setup.clean_environment()
    assert '/opt/ros' not in ' '.join(environment.values())
    assert environment['PATH'].endswith(':/usr/bin')
