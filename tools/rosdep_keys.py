#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks every key of the package.xml files up in a checkout of github.com/ros/rosdistro and writes tools/rosdep_keys.yaml.

    git clone --depth 1 https://github.com/ros/rosdistro.git
    python tools/rosdep_keys.py rosdistro

A key is known when Ubuntu noble has a package for it (rosdep/*.yaml), or ROS 2 Jazzy has released a package of that name. The list that is written
is what tests/test_package_keys.py compares with, so that no network is needed there. Exit code 1 names the keys that are unknown.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / 'tools' / 'rosdep_keys.yaml'
UBUNTU, DISTRO = 'noble', 'jazzy'
HEAD = """# Keys of the package.xml files and what they are on Ubuntu 24.04 (noble) with ROS 2 Jazzy.
# Made by tools/rosdep_keys.py from github.com/ros/rosdistro at commit {commit}.
"""


def keys_of(package_xml: Path) -> set[str]:
    """Return the keys a package depends on."""
    tags = ('depend', 'build_depend', 'exec_depend', 'test_depend', 'buildtool_depend', 'build_export_depend')
    return {(element.text or '').strip() for tag in tags for element in ElementTree.parse(package_xml).getroot().iter(tag)}


def wanted_keys() -> set[str]:
    """Return the keys of all packages of this workspace, without the packages themselves."""
    files = sorted((ROOT / 'src').glob('*/package.xml'))
    return set().union(*map(keys_of, files)) - {file.parent.name for file in files}


def ubuntu_package(rule: Any) -> str:
    """Return what a rule of rosdep installs on Ubuntu noble; empty for nothing."""
    rule = rule.get('ubuntu') if isinstance(rule, dict) else None
    if isinstance(rule, dict) and 'pip' not in rule:
        rule = rule.get(UBUNTU, rule.get('*'))
    if isinstance(rule, dict):
        return ' '.join(['pip', *rule.get('pip', {}).get('packages', [])]) if 'pip' in rule else ''
    return ' '.join(rule) if isinstance(rule, list) else str(rule or '')


def main() -> int:
    """Look the keys up and write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('rosdistro', type=Path, help='folder with a checkout of ros/rosdistro')
    folder: Path = parser.parse_args().rosdistro
    rules: dict[str, Any] = {}
    for name in ('base', 'python'):
        rules |= yaml.safe_load((folder / 'rosdep' / f'{name}.yaml').read_text(encoding='utf-8'))
    repositories = yaml.safe_load((folder / DISTRO / 'distribution.yaml').read_text(encoding='utf-8'))['repositories']
    released = {
        package
        for name, repository in repositories.items()
        if 'release' in repository
        for package in repository['release'].get('packages', [name])
    }
    found, unknown = {}, []
    for key in sorted(wanted_keys()):
        package = f'ros-{DISTRO}-{key.replace("_", "-")}' if key in released else ubuntu_package(rules.get(key))
        if package:
            found[key] = package
        else:
            unknown.append(key)
    commit = subprocess.run(['git', '-C', folder, 'rev-parse', 'HEAD'], capture_output=True, text=True, check=False).stdout.strip()
    OUT.write_text(HEAD.format(commit=commit or 'unknown') + yaml.safe_dump(found), encoding='utf-8')
    print(f'{len(found)} keys resolve; {OUT.relative_to(ROOT)} is written')
    if unknown:
        print(f'not known to rosdep: {", ".join(unknown)}', file=sys.stderr)
    return 1 if unknown else 0


if __name__ == '__main__':
    sys.exit(main())
