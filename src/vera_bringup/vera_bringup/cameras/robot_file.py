# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts what a calibration found into the robot's YAML file, line by line, so that everything else in it stays as it is, comments too."""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from vera_bringup.cameras.intrinsics import Intrinsics, read_camera_info
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, EmbodimentError, nearest_name_hint

Calibrations = Mapping[str, Mapping[str, Any]]
"""View to `lens` and `place` as they stand in a robot file."""


def lens_entry(lens: Intrinsics) -> dict[str, Any]:
    """Return a lens as it stands in a robot file."""
    matrix = lens.matrix
    return {
        'size': list(lens.size),
        'focal_px': [round(float(matrix[0, 0]), 3), round(float(matrix[1, 1]), 3)],
        'centre_px': [round(float(matrix[0, 2]), 3), round(float(matrix[1, 2]), 3)],
        'distortion': [round(float(value), 6) for value in lens.distortion],
    }


def read_places(path: Path, base_frame: str) -> dict[str, dict[str, Any]]:
    """Return position and rotation of each view in a file of `vera cameras extrinsics`.

    Raises:
        ConfigError: If it is no such file, or its places are in another frame.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
        places = {view: (entry['parent'], {key: list(entry[key]) for key in ('position', 'quat_xyzw')}) for view, entry in document.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f'{path} is no file of camera places: {error}; make it with `vera cameras extrinsics`') from error
    for view, (parent, _) in places.items():
        if parent != base_frame:
            raise ConfigError(f'{path} has the place of {view} in frame {parent}; the robot file is about {base_frame}')
    return {view: place for view, (_, place) in places.items()}


def with_calibrations(text: str, calibrations: Calibrations) -> str:
    """Return the text of a robot file with calibrations in it.

    Raises:
        ConfigError: If that would change anything else, or the file is written in a way in which the views cannot be found.
    """
    before = yaml.safe_load(text)
    lines = text.splitlines(keepends=True)
    for view, entries in calibrations.items():
        for key, value in entries.items():
            lines = _with_entry(lines, view, key, yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000).strip())
    changed = ''.join(lines)
    wanted = {**before, 'views': [{**view, **calibrations.get(view['name'], {})} for view in before['views']]}
    try:
        after = yaml.safe_load(changed)
    except yaml.YAMLError as error:
        raise ConfigError(f'the calibration cannot be put into the file without breaking it ({error}); add it by hand') from error
    if after != wanted:
        raise ConfigError('the calibration cannot be put into the file without changing something else in it; add it by hand')
    return changed


def _with_entry(lines: list[str], view: str, key: str, value: str) -> list[str]:
    """Return the lines with one entry of one view replaced or added."""
    name = rf'name:\s*[\'"]?{re.escape(view)}[\'"]?\s*'
    for row, line in enumerate(lines):
        if re.match(rf'\s*-\s*\{{.*{name}[,}}]', line) and line.rstrip().endswith('}'):
            bare = re.sub(rf',\s*{key}:\s*\{{[^{{}}]*\}}', '', line.rstrip('\n'))
            return [*lines[:row], f'{bare.rstrip()[:-1]}, {key}: {value}}}\n', *lines[row + 1 :]]
        block = re.match(rf'(\s*)-(\s+){name}$', line.rstrip('\n'))
        if block:
            indent = ' ' * (len(block[1]) + 1 + len(block[2]))
            end = row + 1
            while end < len(lines) and (lines[end].startswith(indent) or not lines[end].strip()):
                end += 1
            kept = [other for other in lines[row + 1 : end] if not re.match(rf'{indent}{key}:\s*\{{[^{{}}]*\}}\s*$', other)]
            return [*lines[: row + 1], f'{indent}{key}: {value}\n', *kept, *lines[end:]]
    raise ConfigError(
        f'view {view} was not found in the lines of the robot file; write each view as `- {{name: {view}, ...}}` or as a block'
    )


def apply_calibrations(robot: str, *, infos: Mapping[str, Path], places: Path | None, out: Path | None, write: bool) -> int:
    """Show what calibrations change in a robot's file, and write it when asked to; returns 0.

    Args:
        robot: Name or path.
        infos: camera_info file by view.
        places: File of `vera cameras extrinsics`.
        out: File to write; that of the robot when None, which a robot of the package has not.
        write: False: only show.

    Raises:
        ConfigError: If a view is unknown, nothing was calibrated, or the file would not be that of a robot any more.
    """
    embodiment = load_embodiment(robot)
    found: dict[str, dict[str, Any]] = {view: {'lens': lens_entry(read_camera_info(path))} for view, path in infos.items()}
    for view, place in (read_places(places, embodiment.base_frame) if places is not None else {}).items():
        found.setdefault(view, {})['place'] = place
    unknown = [view for view in found if view not in embodiment.view_names]
    if unknown:
        raise ConfigError(f"robot {embodiment.name} has no view '{unknown[0]}'; {nearest_name_hint(unknown[0], embodiment.view_names)}")
    if not found:
        raise ConfigError('no calibration was given; name files with --info VIEW=FILE and --places FILE')
    source = _source(robot)
    target = out or (source if embodiment.folder is not None else None)
    if target is None:
        raise ConfigError(f'{embodiment.name} is a robot of the package, whose file stays as it is; give --out {embodiment.name}_here.yaml')
    before = source.read_text(encoding='utf-8')
    after = with_calibrations(before, found)
    _check(after, target)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    names = (str(source), str(target))
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm='', n=1):
        console.print(line)
    if not write:
        console.print(f'nothing written; add --write to change {target}')
        return 0
    target.write_text(after, encoding='utf-8')
    console.print(f'written: {target}')
    return 0


def _source(robot: str) -> Path:
    bare = robot.partition('@')[0]
    return Path(bare) if bare.endswith(('.yaml', '.yml')) else Path(str(resources.files('vera_core') / 'robots' / f'{bare}.yaml'))


def _check(text: str, target: Path) -> None:
    """Load what would be written, from a file beside the target, since paths in it are relative.

    Raises:
        ConfigError: If it is not the file of a robot.
    """
    with tempfile.NamedTemporaryFile('w', suffix='.yaml', dir=target.absolute().parent, encoding='utf-8') as trial:
        trial.write(text)
        trial.flush()
        try:
            load_embodiment(trial.name)
        except EmbodimentError as error:
            raise ConfigError(f'{target} is not written: it would not be the file of a robot any more: {error}') from error


def parse_infos(words: Sequence[str]) -> dict[str, Path]:
    """Return the camera_info file of each view from words VIEW=FILE.

    Raises:
        ConfigError: If a word is none.
    """
    pairs = [word.partition('=') for word in words]
    wrong = [word for word, (view, _, file) in zip(words, pairs, strict=True) if not view or not file]
    if wrong:
        raise ConfigError(f"'{wrong[0]}' names no lens; write VIEW=FILE, for example front=$HOME/.ros/camera_info/front.yaml")
    return {view: Path(file) for view, _, file in pairs}
