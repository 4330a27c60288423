# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Light meshes made once from the robot description that pip installed.

The Panda of `dm_robotics-panda` has 134,000 faces coloured through one small palette picture. Rendering it without a GPU costs ten times
what a decimated copy costs, so each link is split by palette colour and simplified; the result is kept in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import fast_simplification
import numpy as np
import numpy.typing as npt

from vera_core.errors import ConfigError
from vera_core.shapes import Array, FloatArray

IntArray = npt.NDArray[np.integer[Any]]

LINKS = ('link0', 'link1', 'link2', 'link3', 'link4', 'link5', 'link6', 'link7', 'hand', 'finger')
FACES_PER_LINK = 1500
_VERSION = '1'


def panda_folder() -> Path:
    """Folder of the Panda's MJCF and meshes inside the installed `dm_robotics-panda` distribution.

    Raises:
        ConfigError: If the distribution is not installed.
    """
    try:
        files = metadata.files('dm_robotics-panda') or []
    except metadata.PackageNotFoundError as error:
        raise ConfigError(
            "the robot description 'dm_robotics-panda' is not installed; run: pip install --no-deps dm_robotics-panda==0.4.8"
        ) from error
    for file in files:
        if file.name == 'panda.xml':
            return Path(str(file.locate())).parent
    raise ConfigError("the installed 'dm_robotics-panda' holds no panda.xml; version 0.4.8 is known to work")


def cache_folder() -> Path:
    """Folder that holds the simplified meshes; they are made on the first call."""
    source = panda_folder()
    key = hashlib.sha256(
        f'{_VERSION} {FACES_PER_LINK} {metadata.version("dm_robotics-panda")} {metadata.version("fast-simplification")}'.encode()
    ).hexdigest()[:12]
    base = Path(os.environ.get('XDG_CACHE_HOME', Path.home() / '.cache')) / 'vera_sim'
    target = base / f'panda-{key}'
    if not target.is_dir():
        base.mkdir(parents=True, exist_ok=True)
        # Made aside and moved in one step, so that a second process or an interruption never leaves half a folder.
        with tempfile.TemporaryDirectory(dir=base) as scratch:
            made = Path(scratch) / 'made'
            made.mkdir()
            _simplify(source, made)
            try:
                made.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
    return target


def _simplify(source: Path, target: Path) -> None:
    picture = cv2.imread(str(source / 'panda.png'))
    if picture is None:
        raise ConfigError(f'{source} holds no readable panda.png; install dm_robotics-panda 0.4.8 again')
    palette = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    for link in LINKS:
        points, uv, corners, uv_corners = _read_obj(source / f'{link}.obj')
        colours = _face_colours(uv, uv_corners, palette)
        for index, colour in enumerate(np.unique(colours, axis=0)):
            chosen = (colours == colour).all(axis=1)
            share = chosen.mean()
            vertices, faces = _merge(points, corners[chosen])
            budget = max(40, int(FACES_PER_LINK * share))
            if len(faces) > budget:
                vertices, faces = fast_simplification.simplify(vertices.astype(np.float32), faces.astype(np.int32), target_count=budget)
            if len(faces) < 4:
                continue
            # The colour travels in the file's name and comes back out as rgba.
            name = f'{link}_{index}_{colour[0]:02x}{colour[1]:02x}{colour[2]:02x}.obj'
            _write_obj(target / name, vertices, faces)


def _read_obj(path: Path) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Read a triangulated OBJ: points (P, 3) m, texture coordinates (T, 2), and per face the indices of both, (F, 3) each."""
    points: list[list[float]] = []
    uv: list[list[float]] = []
    corners: list[list[int]] = []
    uv_corners: list[list[int]] = []
    for line in path.read_text(encoding='utf-8').splitlines():
        kind, _, rest = line.partition(' ')
        if kind == 'v':
            points.append([float(x) for x in rest.split()[:3]])
        elif kind == 'vt':
            uv.append([float(x) for x in rest.split()[:2]])
        elif kind == 'f':
            face = [corner.split('/') for corner in rest.split()]
            for i in range(1, len(face) - 1):
                triangle = (face[0], face[i], face[i + 1])
                corners.append([int(corner[0]) - 1 for corner in triangle])
                uv_corners.append([int(corner[1]) - 1 if len(corner) > 1 and corner[1] else 0 for corner in triangle])
    return np.array(points), np.array(uv or [[0.0, 0.0]]), np.array(corners), np.array(uv_corners)


def _write_obj(path: Path, vertices: FloatArray, faces: IntArray) -> None:
    lines = [f'v {x:.6f} {y:.6f} {z:.6f}' for x, y, z in vertices]
    lines += [f'f {a} {b} {c}' for a, b, c in np.asarray(faces) + 1]
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def _face_colours(uv: FloatArray, uv_corners: IntArray, palette: Array) -> IntArray:
    middle = uv[uv_corners].mean(axis=1)
    height, width = palette.shape[:2]
    column = np.clip((middle[:, 0] % 1.0 * width).astype(int), 0, width - 1)
    row = np.clip(((1.0 - middle[:, 1] % 1.0) * height).astype(int), 0, height - 1)
    # Sixteen steps per channel: neighbouring tones of one part become one colour.
    return np.asarray(palette[row, column] // 16 * 16 + 8)


def _merge(points: FloatArray, faces: IntArray) -> tuple[FloatArray, IntArray]:
    """Keep the points the faces use, each position once, and drop faces that became degenerate."""
    used, corner = np.unique(faces, return_inverse=True)
    unique, inverse = np.unique(np.round(points[used], 6), axis=0, return_inverse=True)
    merged = inverse.reshape(-1)[corner.reshape(faces.shape)]
    proper = (merged[:, 0] != merged[:, 1]) & (merged[:, 1] != merged[:, 2]) & (merged[:, 0] != merged[:, 2])
    return unique, merged[proper]
