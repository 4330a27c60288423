# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds the MuJoCo model: the Panda of its description package, light meshes, servo actuators, table, wall, cubes, two cameras."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from vera_core.shapes import FloatArray
from vera_sim.assets import cache_folder, panda_folder
from vera_sim.scene import COLOURS

TIMESTEP_S = 0.002
# Stiff joint servos: a real Panda's internal joint impedance follows within a few milliradians.
STIFFNESS = 3000.0
DAMPING = 150.0
# Joint 6 of the description has a negative damping, which makes stiff servos unstable; every joint gets this one instead.
JOINT_DAMPING = 1.0
ARMATURE = 0.1
# Foam: a fingertip that presses sinks in by some millimetres instead of stopping dead.
FOAM = '-350 -25'
WORLD_CONTACT: dict[str, Any] = {'contype': '2', 'conaffinity': '3'}
ROBOT_CONTACT: dict[str, Any] = {'contype': '1', 'conaffinity': '2'}


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPose:
    """A fixed camera that looks at a point."""

    position: tuple[float, float, float]
    """m, base frame"""
    target: tuple[float, float, float]
    """m, base frame"""
    fovy_deg: float

    @property
    def xyaxes(self) -> FloatArray:
        """Camera x and y axis in the base frame, shape (6,); the camera looks along -z (OpenGL)."""
        backward = np.subtract(self.position, self.target)
        backward = backward / np.linalg.norm(backward)
        right = np.cross([0.0, 0.0, 1.0], backward)
        right /= np.linalg.norm(right)
        return np.concatenate([right, np.cross(backward, right)])


LOOK_AT = (0.37, 0.0, 0.335)


def _around(azimuth_deg: float, elevation_deg: float, distance: float, fovy_deg: float) -> CameraPose:
    target = np.array(LOOK_AT)
    azimuth, elevation = np.deg2rad([azimuth_deg, elevation_deg])
    direction = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    x, y, z = target + distance * direction
    return CameraPose(position=(float(x), float(y), float(z)), target=LOOK_AT, fovy_deg=fovy_deg)


CAMERAS = {'front': _around(20.0, 28.0, 1.6, 33.5), 'side': _around(-70.0, 28.0, 1.6, 33.5)}
"""View name to pose; azimuths 90 degrees apart."""


def build_model() -> mujoco.MjModel:
    """Compile the scene with one cube per colour; sizes and places are set later through `World`."""
    root = ET.Element('mujoco', model='vera_panda')
    ET.SubElement(root, 'compiler', angle='radian', meshdir=str(cache_folder()), texturedir=str(cache_folder()))
    ET.SubElement(root, 'option', timestep=str(TIMESTEP_S), integrator='implicitfast')
    visual = ET.SubElement(root, 'visual')
    ET.SubElement(visual, 'headlight', ambient='0.35 0.35 0.35', diffuse='0.25 0.25 0.25', specular='0 0 0')
    ET.SubElement(visual, 'quality', shadowsize='0', offsamples='0')
    ET.SubElement(visual, 'map', znear='0.05', zfar='10')
    ET.SubElement(visual, 'global', offwidth='640', offheight='640')
    asset = ET.SubElement(root, 'asset')
    world = ET.SubElement(root, 'worldbody')
    _add_room(asset, world)
    _add_robot(root, asset, world)
    for colour in COLOURS:
        _add_cube(world, colour)
    for name, camera in CAMERAS.items():
        ET.SubElement(world, 'camera', name=name, pos=_text(camera.position), xyaxes=_text(camera.xyaxes), fovy=str(camera.fovy_deg))
    return mujoco.MjModel.from_xml_string(ET.tostring(root, encoding='unicode'))


def _text(values: FloatArray | tuple[float, ...]) -> str:
    return ' '.join(f'{value:.6g}' for value in values)


def _add_room(asset: ET.Element, world: ET.Element) -> None:
    ET.SubElement(
        asset,
        'texture',
        name='sky',
        type='skybox',
        builtin='gradient',
        rgb1='0.42 0.46 0.52',
        rgb2='0.30 0.33 0.38',
        width='64',
        height='64',
    )
    for name, repeat in (('table', '2 2'), ('wall', '3 3')):
        ET.SubElement(asset, 'texture', name=name, type='2d', file=f'{name}.png')
        ET.SubElement(asset, 'material', name=name, texture=name, texrepeat=repeat, specular='0', shininess='0', texuniform='false')
    ET.SubElement(
        world, 'light', pos='0.8 -1.2 2.4', dir='-0.2 0.45 -1', diffuse='0.55 0.55 0.52', specular='0.1 0.1 0.1', castshadow='false'
    )
    ET.SubElement(world, 'light', pos='0.6 1.6 2.0', dir='-0.1 -0.7 -1', diffuse='0.30 0.30 0.33', specular='0 0 0', castshadow='false')
    ET.SubElement(
        world,
        'geom',
        name='table',
        type='box',
        size='0.75 0.75 0.02',
        pos='0.30 0 -0.02',
        material='table',
        **WORLD_CONTACT,
        friction='0.8 0.01 0.001',
    )
    ET.SubElement(
        world, 'geom', name='wall_back', type='box', size='0.02 2.5 2', pos='-1.0 0 0.8', material='wall', contype='0', conaffinity='0'
    )
    ET.SubElement(
        world, 'geom', name='wall_left', type='box', size='2.5 0.02 2', pos='0.5 1.3 0.8', material='wall', contype='0', conaffinity='0'
    )


def _add_cube(world: ET.Element, colour: str) -> None:
    body = ET.SubElement(world, 'body', name=f'{colour}_cube', pos='0 0 0.03')
    ET.SubElement(body, 'freejoint', name=f'{colour}_cube')
    ET.SubElement(
        body, 'geom', name=f'{colour}_cube', type='box', size='0.025 0.025 0.025', mass='0.12', rgba=_text(COLOURS[colour]) + ' 1',
        solref=FOAM, solimp='0.9 0.95 0.002', priority='0', friction='0.9 0.01 0.001', **WORLD_CONTACT,
    )  # fmt: skip


def _add_robot(root: ET.Element, asset: ET.Element, world: ET.Element) -> None:
    folder = panda_folder()
    arm = ET.parse(folder / 'panda.xml').getroot()
    hand = ET.parse(folder / 'panda_hand.xml').getroot()
    base = _required(arm, './worldbody/body')
    flange = _required(base, ".//body[@name='panda_link8']")
    hand_body = _required(hand, './worldbody/body')
    # The hand is mounted turned by -45 degrees about the flange axis, as on the real arm.
    hand_body.set('quat', '0.92388 0 0 -0.382683')
    flange.append(hand_body)
    for site in list(base.iter('site')):
        if site.get('name') == 'wrist_site':
            for parent in base.iter():
                if site in list(parent):
                    parent.remove(site)
    ET.SubElement(hand_body, 'site', name='fingertip', pos='0 0 0.1124', size='0.004', rgba='0 0 0 0')
    meshes = sorted(path.name for path in cache_folder().glob('*.obj'))
    for name in meshes:
        ET.SubElement(asset, 'mesh', name=Path(name).stem, file=name)
    for body in [base, *base.iter('body')]:
        _replace_meshes(body, meshes)
    for joint in base.iter('joint'):
        if not str(joint.get('name')).startswith('panda_finger'):
            joint.set('damping', str(JOINT_DAMPING))
            joint.set('frictionloss', '0')
            joint.set('armature', str(ARMATURE))
    world.append(base)
    for element in hand:
        if element.tag in ('equality', 'tendon'):
            root.append(element)
    actuator = ET.SubElement(root, 'actuator')
    for i in range(1, 8):
        joint_name = f'panda_joint{i}'
        ET.SubElement(actuator, 'position', name=f'{joint_name}_position', joint=joint_name, kp=str(STIFFNESS))
        ET.SubElement(actuator, 'velocity', name=f'{joint_name}_velocity', joint=joint_name, kv=str(DAMPING))
    ET.SubElement(actuator, 'position', name='gripper', tendon='split', kp='600', kv='50', ctrlrange='0 0.04')


def _replace_meshes(body: ET.Element, meshes: list[str]) -> None:
    for geom in body.findall('geom'):
        if geom.get('type') == 'box':
            geom.attrib.update(ROBOT_CONTACT, rgba='0 0 0 0')
            continue
        link = str(geom.get('mesh'))
        body.remove(geom)
        for name in meshes:
            if name.startswith(f'{link}_'):
                colour = [int(name.split('_')[2][i : i + 2], 16) / 255 for i in (0, 2, 4)]
                part = ET.SubElement(body, 'geom', type='mesh', mesh=Path(name).stem, rgba=_text(tuple(colour)) + ' 1', group='1', mass='0')
                # Only the wrist and hand can meet the table and the cubes; MuJoCo collides their convex hulls.
                part.attrib.update(
                    ROBOT_CONTACT if link in ('link6', 'link7', 'hand') and colour[0] > 0.2 else {'contype': '0', 'conaffinity': '0'}
                )


def _required(element: ET.Element, path: str) -> ET.Element:
    found = element.find(path)
    if found is None:
        raise ValueError(f'the robot description has no {path}; dm_robotics-panda 0.4.8 is known to work')
    return found
