# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The planar finger: links in a plane that a camera looks at face-on, in coloured bands, without weight and without contact."""

from __future__ import annotations

import colorsys
import xml.etree.ElementTree as ET

import mujoco

from vera_core.embodiment import Embodiment
from vera_core.finger import REACH_M
from vera_sim.robots.servos import add_servos
from vera_sim.xml_text import UNTOUCHABLE, numbers

WIDTH_M = 0.048
DEPTH_M = 0.004
"""Every link lies this much nearer to the camera than the one before, so that none is lost in another."""
BANDS = 16
"""Coloured bands over the whole finger, but at least two per link."""
ARMATURE = 0.005
"""kg m²: what a small geared motor adds; the servos are tuned for it."""


def finger(robot: Embodiment) -> mujoco.MjSpec:
    """Return one link per joint of the robot, stretched upwards along z at zero; every joint turns about x."""
    names = robot.joint_names
    length = REACH_M / len(names)
    root = ET.Element('mujoco', model='finger')
    ET.SubElement(root, 'compiler', angle='radian')
    asset = ET.SubElement(root, 'asset')
    ET.SubElement(asset, 'texture', name='link', type='cube', file='link.png')
    ET.SubElement(asset, 'material', name='link', texture='link', specular='0', shininess='0')
    parent = ET.SubElement(ET.SubElement(root, 'worldbody'), 'body', name='finger_base')
    _cylinder(parent, 0.55 * WIDTH_M, (0.25, 0.25, 0.28))
    # Bands are at least as long as half the finger is wide: thinner ones would be lost at working size.
    per_link = max(2, min(BANDS // len(names), round(2 * length / WIDTH_M)))
    for index, (name, joint) in enumerate(zip(names, robot.joints, strict=True)):
        height = 0.0 if index == 0 else length
        parent = ET.SubElement(parent, 'body', name=f'finger_link{index + 1}', pos=numbers(DEPTH_M, 0, height), gravcomp='1')
        ET.SubElement(
            parent, 'joint', name=name, axis='1 0 0', range=numbers(joint.lower, joint.upper), damping='0.01', armature=str(ARMATURE)
        )
        band = length / per_link
        for part in range(per_link):
            _box(parent, (part + 0.5) * band, band, _colour(index * per_link + part))
        _cylinder(parent, min(0.35 * WIDTH_M, 0.3 * length), (0.85, 0.85, 0.82) if index % 2 else (0.15, 0.15, 0.17))
    ET.SubElement(parent, 'site', name='fingertip', pos=numbers(0, 0, length), size='0.001', rgba='0 0 0 0')
    return add_servos(mujoco.MjSpec.from_string(ET.tostring(root, encoding='unicode')), robot)


def _colour(number: int) -> tuple[float, float, float]:
    """Colours that differ clearly from band to band: steps of the golden ratio round the circle of hues."""
    return colorsys.hsv_to_rgb(0.618034 * number % 1.0, 0.75, (1.0, 0.7)[number % 2])


def _box(body: ET.Element, middle: float, length: float, colour: tuple[float, float, float]) -> None:
    ET.SubElement(
        body, 'geom', type='box', pos=numbers(0, 0, middle), size=numbers(DEPTH_M / 4, WIDTH_M / 2, length / 2),
        material='link', rgba=numbers(*colour, 1), density='400', group='1', **UNTOUCHABLE,
    )  # fmt: skip


def _cylinder(body: ET.Element, radius: float, colour: tuple[float, float, float]) -> None:
    """A pin at the joint, seen as a disc."""
    ET.SubElement(
        body, 'geom', type='cylinder', size=numbers(radius, DEPTH_M / 2.5), euler='0 1.5707963 0',
        rgba=numbers(*colour, 1), density='400', group='1', **UNTOUCHABLE,
    )  # fmt: skip
