# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every dependency a package names is one rosdep can install, and every ROS package it imports is named."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.parent for path in (ROOT / 'src').glob('*/package.xml'))
IMPORTS = {
    'aiohttp': 'python3-aiohttp',
    'cryptography': 'python3-cryptography',
    'cv2': 'python3-opencv',
    'msgpack': 'python3-msgpack',
    'numpy': 'python3-numpy',
    'rich': 'python3-rich',
    'scipy': 'python3-scipy',
    'typer': 'python3-typer',
    'websockets': 'python3-websockets',
    'yaml': 'python3-yaml',
}
"""Python modules that Ubuntu has, and their keys; the others come from pip (tools/requirements.txt)."""


def _tool():
    spec = importlib.util.spec_from_file_location('rosdep_keys', ROOT / 'tools' / 'rosdep_keys.py')
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KNOWN = yaml.safe_load((ROOT / 'tools' / 'rosdep_keys.yaml').read_text(encoding='utf-8'))


@pytest.mark.parametrize('package', PACKAGES, ids=lambda path: path.name)
def test_rosdep_knows_every_key(package):
    ours = {path.name for path in PACKAGES}
    unknown = _tool().keys_of(package / 'package.xml') - ours - set(KNOWN)
    assert not unknown, f'{package.name}/package.xml: look {sorted(unknown)} up with tools/rosdep_keys.py'


@pytest.mark.parametrize('package', PACKAGES, ids=lambda path: path.name)
def test_every_ros_package_that_is_imported_is_named(package):
    named = _tool().keys_of(package / 'package.xml')
    ros = {key for key, found in KNOWN.items() if found.startswith('ros-')} | {path.name for path in PACKAGES}
    missing = set()
    for file in (package / package.name).rglob('*.py'):
        for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ''] if isinstance(node, ast.ImportFrom) and not node.level else []
            for top in {name.partition('.')[0] for name in names} - set(sys.stdlib_module_names) - {package.name}:
                key = IMPORTS.get(top, top)
                if (key in ros or top in IMPORTS) and key not in named:
                    missing.add(f'{key} ({file.relative_to(package)})')
    assert not missing, f'{package.name}/package.xml lacks {sorted(missing)}'
