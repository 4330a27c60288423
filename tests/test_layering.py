# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Imports point one way, cores know neither ROS nor the clock, and nobody on the way from sentence to motion knows the simulator."""

from __future__ import annotations

import ast
import functools
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / 'src'
MAY_IMPORT = {
    'vera_msgs': set(),
    'vera_core': {'vera_msgs'},
    'vera_planner': {'vera_core', 'vera_msgs'},
    'vera_jidm': {'vera_core', 'vera_msgs'},
    'vera_control': {'vera_core', 'vera_msgs'},
    'vera_sim': {'vera_core', 'vera_msgs'},
    'vera_bringup': {'vera_control', 'vera_core', 'vera_jidm', 'vera_msgs', 'vera_planner', 'vera_sim'},
}
# Trainings and offline figures use the simulator's oracle and clips; they run before a robot does, never in a node.
OFFLINE = {'training', 'evaluation'}
ROS = {
    'ament_index_python', 'builtin_interfaces', 'launch', 'launch_ros', 'rcl_interfaces', 'rclpy', 'sensor_msgs', 'std_msgs', 'std_srvs',
    'trajectory_msgs', 'vera_msgs',
}  # fmt: skip
CLOCKS = {
    'time.time', 'time.time_ns', 'time.monotonic', 'time.monotonic_ns', 'time.perf_counter', 'time.perf_counter_ns', 'time.sleep',
    'datetime.now', 'datetime.datetime.now', 'datetime.utcnow',
}  # fmt: skip
ROS_SIDE = {  # beside *_node.py and ros/: small helpers of the nodes
    'vera_control': {'deferred_goal', 'journal_topic', 'leaving', 'wire'},
}
PACKAGES = sorted(package for package in MAY_IMPORT if package != 'vera_msgs')


def modules(package: str) -> list[Path]:
    return sorted((SRC / package / package).rglob('*.py'))


@functools.cache
def top_level_imports(path: Path) -> set[str]:
    """Root names of everything a module imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split('.')[0])
    return found


def clock_calls(path: Path) -> list[str]:
    """Clock functions a module calls, as `line: name`."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    bare = {
        alias.asname or alias.name: f'{node.module}.{alias.name}'
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in ('time', 'datetime')
        for alias in node.names
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            name = bare.get(name, name)
            if name in CLOCKS:
                found.append(f'{node.lineno}: {name}')
    return found


def is_core(path: Path, package: str) -> bool:
    """Whether a module belongs to the part of a package that knows no ROS."""
    relative = path.relative_to(SRC / package / package)
    return (
        package != 'vera_bringup'
        and relative.parts[0] != 'ros'
        and not path.stem.endswith('_node')
        and path.stem not in ROS_SIDE.get(package, ())
    )


@pytest.mark.parametrize('package', PACKAGES)
def test_imports_point_one_way(package):
    for path in modules(package):
        ours = {name for name in top_level_imports(path) if name.startswith('vera_')} - {package}
        assert ours <= MAY_IMPORT[package], f'{path.relative_to(SRC)} imports {sorted(ours - MAY_IMPORT[package])}'


@functools.cache
def our_imports(path: Path) -> set[Path]:
    """Files of this workspace that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f'{node.module}.{alias.name}' for alias in node.names}
    files = set()
    for name in names:
        place = SRC / name.split('.')[0] / Path(*name.split('.'))
        files |= {file for file in (place.with_suffix('.py'), place / '__init__.py') if file.is_file()}
    return files


def reaches_ros(path: Path, seen: set[Path]) -> str:
    """The chain of files by which a module gets to ROS, empty when it does not."""
    seen.add(path)
    direct = top_level_imports(path) & ROS
    if direct:
        return f'{path.relative_to(SRC)} imports {sorted(direct)}'
    for file in sorted(our_imports(path) - seen):
        chain = reaches_ros(file, seen)
        if chain:
            return f'{path.relative_to(SRC)} -> {chain}'
    return ''


@pytest.mark.parametrize('package', PACKAGES)
def test_cores_know_no_ros_not_even_through_others(package):
    for path in modules(package):
        if is_core(path, package):
            assert not reaches_ros(path, set()), reaches_ros(path, set())


@pytest.mark.parametrize('package', [package for package in PACKAGES if package != 'vera_bringup'])
def test_cores_read_no_clock(package):
    for path in modules(package):
        relative = path.relative_to(SRC / package / package)
        if is_core(path, package) and not set(relative.parts) & OFFLINE:
            assert not clock_calls(path), f'{path.relative_to(SRC)} reads a clock: {clock_calls(path)}; take the time as an argument'


@pytest.mark.parametrize('package', PACKAGES)
def test_manifest_lists_what_is_imported(package):
    manifest = ElementTree.parse(SRC / package / 'package.xml').getroot()
    listed = {element.text for element in manifest.iter('exec_depend')} | {element.text for element in manifest.iter('depend')}
    keys = {
        'cv2': 'python3-opencv',
        'numpy': 'python3-numpy',
        'rich': 'python3-rich',
        'scipy': 'python3-scipy',
        'typer': 'python3-typer',
        'yaml': 'python3-yaml',
    }
    for path in modules(package):
        for name in top_level_imports(path) - {package}:
            needed = keys.get(name, name if name in ROS or name.startswith('vera_') else None)
            assert needed is None or needed in listed, (
                f'{path.relative_to(SRC)} imports {name}, but {package}/package.xml has no exec_depend {needed}'
            )
    drivers = [
        name for name in listed if name and ('franka' in name or 'camera' in name or 'realsense' in name or name.endswith('_driver'))
    ]
    assert not drivers, f'{package}/package.xml depends on drivers {drivers}; drivers are reached through topics only'


def test_every_source_file_starts_with_its_licence():
    for path in [*SRC.rglob('*.py'), *Path(__file__).parent.rglob('*.py')]:
        if 'egg-info' not in str(path) and path.stat().st_size:
            assert path.read_text(encoding='utf-8').startswith('# SPDX-FileCopyrightText: 2026 VERA'), path


def test_the_checks_see_what_they_look_for(tmp_path):
    bad = tmp_path / 'bad.py'
    bad.write_text(
        'import rclpy.node\nfrom time import monotonic as now\nimport time\ndef f():\n    from vera_sim import world\n    return now() + time.time()\n'
    )
    assert top_level_imports(bad) == {'rclpy', 'time', 'vera_sim'}
    assert clock_calls(bad) == ['6: time.monotonic', '6: time.time']
