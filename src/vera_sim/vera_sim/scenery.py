# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What surrounds a robot: room, light, table, cameras, cubes."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import mujoco

from vera_core.simulated import Simulation
from vera_sim.scene import cube_names
from vera_sim.xml_text import UNTOUCHABLE, WORLD_CONTACT, numbers

TIMESTEP_S = 0.002
# Foam: a fingertip that presses sinks in by some millimetres instead of stopping dead.
FOAM = (-350.0, -25.0)


def room_spec(simulation: Simulation) -> mujoco.MjSpec:
    """Return room, light, table and cameras; the files of `textures` are missing still."""
    root = ET.Element('mujoco', model='vera')
    ET.SubElement(root, 'compiler', angle='radian')
    ET.SubElement(root, 'option', timestep=str(TIMESTEP_S), integrator='implicitfast')
    visual = ET.SubElement(root, 'visual')
    ET.SubElement(visual, 'headlight', ambient='0.35 0.35 0.35', diffuse='0.25 0.25 0.25', specular='0 0 0')
    ET.SubElement(visual, 'quality', shadowsize='0', offsamples='0')
    ET.SubElement(visual, 'map', znear='0.05', zfar='10')
    ET.SubElement(visual, 'global', offwidth='640', offheight='640')
    if simulation.scene != 'table_cubes':
        # Near and far plane are multiples of the extent: small robots are looked at from nearby.
        ET.SubElement(root, 'statistic', extent='1')
    asset = ET.SubElement(root, 'asset')
    world = ET.SubElement(root, 'worldbody')
    _add_room(asset, world, table_repeat='2 2' if simulation.scene == 'table_cubes' else '6 6')
    for name, camera in simulation.cameras.items():
        ET.SubElement(world, 'camera', name=name, pos=numbers(*camera.position), xyaxes=numbers(*camera.xyaxes), fovy=str(camera.fovy_deg))
    return mujoco.MjSpec.from_string(ET.tostring(root, encoding='unicode'))


def add_objects(model: mujoco.MjSpec, scene: str) -> None:
    """Add the cubes of a kind of scene; sizes, places and colours are set later through `World`."""
    for name in cube_names(scene):
        body = model.worldbody.add_body(name=name, pos=[0.0, 0.0, 0.03])
        body.add_freejoint(name=name)
        body.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[0.025, 0.025, 0.025],
            mass=0.12,
            solref=FOAM,
            solimp=[0.9, 0.95, 0.002, 0.5, 2.0],
            friction=[0.9, 0.01, 0.001],
            contype=int(WORLD_CONTACT['contype']),
            conaffinity=int(WORLD_CONTACT['conaffinity']),
        )


def _add_room(asset: ET.Element, world: ET.Element, *, table_repeat: str) -> None:
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
    for name, repeat in (('table', table_repeat), ('wall', '3 3')):
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
    ET.SubElement(world, 'geom', name='wall_back', type='box', size='0.02 2.5 2', pos='-1.0 0 0.8', material='wall', **UNTOUCHABLE)
    ET.SubElement(world, 'geom', name='wall_left', type='box', size='2.5 0.02 2', pos='0.5 1.3 0.8', material='wall', **UNTOUCHABLE)
