# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads a robot's URDF or MJCF file the way robots are published: URDF meshes named by package, visual shapes beside collision shapes.

MuJoCo alone drops from a URDF what is only there to be seen, merges the base into the world, looks for meshes in one folder by their last
name, and reads no COLLADA. Here meshes are found where ROS packages have them; a link whose visual mesh cannot be read shows its collision
shape.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import mujoco

from vera_core.errors import EmbodimentError

SUFFIXES = ('.urdf', '.xml', '.mjcf')
MESHES = ('.stl', '.obj', '.msh')
UNSEEN_GROUP = 3


def read_description(path: Path) -> mujoco.MjSpec:
    """Return the bodies of a URDF or MJCF file; shapes of links that have others to be seen by are in group `UNSEEN_GROUP`.

    Raises:
        EmbodimentError: If the file is missing, is neither, or MuJoCo cannot read it; says what to do.
    """
    if path.suffix not in SUFFIXES:
        raise EmbodimentError(f"'{path}' is no robot description by its name; a file ending in {', '.join(SUFFIXES)} is needed")
    if not path.is_file():
        raise EmbodimentError(f"robot description '{path}' does not exist")
    try:
        root = ET.parse(path).getroot()
    except ET.ParseError as error:
        raise EmbodimentError(f'{path} is no XML: {error}') from error
    if root.tag not in ('robot', 'mujoco'):
        raise EmbodimentError(
            f'{path} begins with <{root.tag}>; a URDF begins with <robot>, an MJCF file with <mujoco> (expand a xacro file first)'
        )
    try:
        return _from_urdf(root, path) if root.tag == 'robot' else mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        raise EmbodimentError(f'{path} cannot be read by MuJoCo: {error}') from error


def _from_urdf(root: ET.Element, path: Path) -> mujoco.MjSpec:
    for mesh in root.iter('mesh'):
        mesh.set('filename', _found(str(mesh.get('filename')), path))
    seen = set()
    for link in root.findall('link'):
        for visual in link.findall('visual'):
            if all(_is_readable(mesh) for mesh in visual.iter('mesh')):
                seen.add(str(link.get('name')))
            else:
                link.remove(visual)
    extension = root.find('mujoco')
    if extension is None:
        extension = ET.SubElement(root, 'mujoco')
    compiler = extension.find('compiler')
    if compiler is None:
        compiler = ET.SubElement(extension, 'compiler')
    compiler.attrib.update(discardvisual='false', fusestatic='false', balanceinertia='true', strippath='false')
    spec = mujoco.MjSpec.from_string(ET.tostring(root, encoding='unicode'))
    for geom in spec.geoms:
        # MuJoCo puts what only is seen into group 1 and what can be touched into group 0.
        if geom.group == 0 and geom.parent.name in seen:
            geom.group = UNSEEN_GROUP
    return spec


def _found(name: str, path: Path) -> str:
    """Return where a mesh is: beside the file or in a folder above it, as ROS packages are laid out; the name itself when it is nowhere."""
    package, _, rest = name.removeprefix('package://').partition('/') if name.startswith('package://') else ('', '', name)
    rest = rest.removeprefix('file://')
    folders = [path.resolve().parent, *path.resolve().parents]
    for folder in folders:
        for candidate in (folder / rest, folder / package / rest, folder / Path(rest).name):
            if candidate.is_file():
                return str(candidate)
    return name


def _is_readable(mesh: ET.Element) -> bool:
    name = str(mesh.get('filename'))
    return Path(name).suffix.lower() in MESHES and Path(name).is_file()
