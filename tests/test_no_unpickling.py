# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Nothing here unpickles, evaluates text, or opens a port to other machines: the calls that could are looked for in every source file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for folder in ('src', 'tools', 'benchmarks', 'examples') for path in (ROOT / folder).rglob('*.py') if 'test' not in path.parts
)
UNPICKLERS = {'pickle', 'cPickle', '_pickle', 'dill', 'cloudpickle', 'joblib', 'shelve', 'marshal', 'jsonpickle'}
READS_A_TABLE_ONLY = 'src/vera_planner/vera_planner/vera_wan/checkpoint.py'
"""Reads the table of contents of torch files with an unpickler that makes nothing but tensors' places: see its own tests with bombs."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Return every call with the dotted name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            parts, function = [], node.func
            while isinstance(function, ast.Attribute):
                parts.append(function.attr)
                function = function.value
            if isinstance(function, ast.Name):
                yield '.'.join([function.id, *reversed(parts)]), node


def keyword(call: ast.Call, name: str) -> object:
    """Return the constant a keyword is given, None without it."""
    return next((word.value.value for word in call.keywords if word.arg == name and isinstance(word.value, ast.Constant)), None)


def dangers(path: Path) -> list[str]:
    """Return what in a source file could run what it reads."""
    tree, found = ast.parse(path.read_text(encoding='utf-8')), []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        found += [f'{node.lineno}: import {name}' for name in names if name.split('.')[0] in UNPICKLERS]
    for name, call in calls(tree):
        is_bad = (
            (name in ('torch.load', 'torch.jit.load') and keyword(call, 'weights_only') is not True)
            or (name in ('np.load', 'numpy.load') and keyword(call, 'allow_pickle') is True)
            or name in ('yaml.load', 'yaml.unsafe_load', 'yaml.full_load', 'yaml.load_all')
            or name in ('eval', 'exec', 'compile', '__import__', 'os.system', 'os.popen')
            or (name.startswith('subprocess.') and keyword(call, 'shell') is True)
            or keyword(call, 'trust_remote_code') is True
        )
        if is_bad:
            found.append(f'{call.lineno}: {name}')
    return found


def test_there_are_sources_to_look_at():
    assert len(SOURCES) > 200


def test_no_source_unpickles_or_runs_what_it_reads():
    found = {str(path.relative_to(ROOT)): lines for path in SOURCES if (lines := dangers(path))}
    assert [line.split(': ')[1] for line in found.pop(READS_A_TABLE_ONLY)] == ['import pickle']
    assert found == {}


@pytest.mark.parametrize(
    'line',
    [
        'import pickle',
        'from joblib import load',
        'import torch\ntorch.load("x")',
        'import numpy as np\nnp.load("x", allow_pickle=True)',
        'import yaml\nyaml.load("x", Loader=yaml.Loader)',
        'eval("1")',
        'import subprocess\nsubprocess.run("x", shell=True)',
    ],
)
def test_the_search_finds_what_it_looks_for(line, tmp_path):
    file = tmp_path / 'bad.py'
    file.write_text(line, encoding='utf-8')
    assert len(dangers(file)) == 1


def test_everything_that_listens_is_on_loopback_unless_it_has_a_token():
    from vera_bringup.operator.access import LOOPBACK
    from vera_bringup.serving.policy_server import PolicySettings
    from vera_core.errors import ConfigError
    from vera_planner.service.access import check_address
    from vera_planner.service.server import ServiceSettings

    assert {LOOPBACK, PolicySettings().host, ServiceSettings().host} == {'127.0.0.1'}
    assert not PolicySettings().is_open
    with pytest.raises(ConfigError, match='token'):
        check_address('0.0.0.0', '')


def test_discovery_stays_on_this_machine_in_tests_demo_and_make(monkeypatch):
    import os

    from vera_bringup.supervision import isolate

    assert 'ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"' in (ROOT / 'tools/dev_env.sh').read_text()
    for name in ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_DOMAIN_ID'):
        monkeypatch.setenv(name, '')  # what the test leaves behind is undone
        monkeypatch.delenv(name)
    assert 1 <= isolate() <= 101
    assert os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
