# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Calibrations into a robot's YAML file: shown, written, comments kept, and refused where it would break the file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml

from vera_bringup.cameras.intrinsics import Intrinsics, write_camera_info
from vera_bringup.cameras.robot_file import apply_calibrations, parse_infos, with_calibrations
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError

FR3 = (resources.files('vera_core') / 'robots' / 'fr3.yaml').read_text(encoding='utf-8')
LENS = Intrinsics(
    size=(640, 480), matrix=np.array([[612.5, 0, 319.25], [0, 611.0, 242.5], [0, 0, 1.0]]), distortion=np.array([0.1, -0.2, 0, 0.001, 0])
)
PLACE = {'position': [1.0, 0.2, 0.5], 'quat_xyzw': [0.5, 0.5, -0.5, -0.5]}


@pytest.fixture
def robot(tmp_path: Path) -> Path:
    path = tmp_path / 'mine.yaml'
    path.write_text(FR3)
    return path


def places(folder: Path, *, parent: str = 'fr3_link0', **entry: object) -> Path:
    path = folder / 'places.yaml'
    path.write_text(yaml.safe_dump({'front': {'parent': parent, 'child': 'front_optical_frame', **PLACE, **entry}}))
    return path


def test_lens_and_place_are_written_and_everything_else_stays(robot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_camera_info(tmp_path / 'front.yaml', 'front', LENS)
    infos = parse_infos([f'front={tmp_path / "front.yaml"}'])
    apply_calibrations(str(robot), infos=infos, places=places(tmp_path), out=None, write=False)
    assert robot.read_text() == FR3
    shown = capsys.readouterr().out
    assert sum(line.startswith('+ ') for line in shown.splitlines()) == 1  # one line of the file changes, and it is shown
    assert 'nothing written; add --write' in shown
    apply_calibrations(str(robot), infos=infos, places=places(tmp_path), out=None, write=True)
    front, side = load_embodiment(str(robot)).views
    assert front.lens is not None
    assert (front.lens.size, front.lens.focal_px, front.lens.centre_px) == ((640, 480), (612.5, 611.0), (319.25, 242.5))
    assert front.lens.distortion == (0.1, -0.2, 0.0, 0.001, 0.0)
    assert front.place is not None
    assert front.place.position == (1.0, 0.2, 0.5)
    assert side.lens is None
    assert side.place is None
    before, after = FR3.splitlines(), robot.read_text().splitlines()
    assert len(before) == len(after)
    assert [row for row, (old, new) in enumerate(zip(before, after, strict=True)) if old != new] == [before.index(front_line(before))]
    once = robot.read_text()
    apply_calibrations(str(robot), infos=infos, places=places(tmp_path), out=None, write=True)
    assert robot.read_text() == once  # again: replaced, not added


def front_line(lines: list[str]) -> str:
    return next(line for line in lines if 'name: front' in line)


def test_views_written_as_blocks_are_found_too() -> None:
    block = FR3.replace(
        front_line(FR3.splitlines()),
        '  # the one in front\n  - name: front\n    image_topic: /camera/front/image_raw  # raw\n    camera_info_topic: /camera/front/camera_info',
    )
    changed = with_calibrations(block, {'front': {'place': PLACE}})
    again = with_calibrations(changed, {'front': {'place': {**PLACE, 'position': [2.0, 0.0, 0.5]}}})
    assert changed.count('place:') == again.count('place:') == 1
    assert yaml.safe_load(again)['views'][0]['place']['position'] == [2.0, 0.0, 0.5]
    assert '# the one in front' in again
    assert '# raw' in again


def test_what_would_break_the_file_or_the_robot_is_refused(robot: Path, tmp_path: Path) -> None:
    def apply(**changes: object) -> None:
        given = {'infos': {}, 'places': None, 'out': None, 'write': True} | changes
        apply_calibrations(str(robot), **given)  # type: ignore[arg-type]

    with pytest.raises(ConfigError, match=r'is not written: .*quat_xyzw of length 2\.0000; a rotation has length 1'):
        apply(places=places(tmp_path, quat_xyzw=[1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(ConfigError, match='place of front in frame world; the robot file is about fr3_link0'):
        apply(places=places(tmp_path, parent='world'))
    write_camera_info(tmp_path / 'x.yaml', 'x', LENS)
    with pytest.raises(ConfigError, match="robot fr3 has no view 'frnt'.*front"):
        apply(infos={'frnt': tmp_path / 'x.yaml'})
    with pytest.raises(ConfigError, match='no calibration was given'):
        apply()
    with pytest.raises(ConfigError, match="'front' names no lens; write VIEW=FILE"):
        parse_infos(['front'])
    assert robot.read_text() == FR3
    robot.write_text(FR3.replace(front_line(FR3.splitlines()), '  - {image_topic: /a,\n     name: front, camera_info_topic: /b}'))
    with pytest.raises(ConfigError, match='view front was not found in the lines of the robot file'):
        apply(places=places(tmp_path))


def test_a_robot_of_the_package_is_copied_not_changed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='fr3 is a robot of the package.*--out fr3_here.yaml'):
        apply_calibrations('fr3', infos={}, places=places(tmp_path), out=None, write=True)
    out = tmp_path / 'fr3_here.yaml'
    apply_calibrations('fr3', infos={}, places=places(tmp_path), out=out, write=True)
    assert load_embodiment(str(out)).views[0].place is not None
