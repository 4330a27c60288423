# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The right Allegro hand by rule: joint frames, axes and link sizes of Wonik Robotics' public description, shapes of boxes and capsules.

Frame of the palm: x out of the palm, z along the fingers, y towards the index finger; its origin is between the fingers' roots.
A mesh version can take this one's place through `simulation.model`: it is the same hand in the same frame.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import mujoco

from vera_core.embodiment import Embodiment
from vera_sim.robots.servos import add_servos
from vera_sim.xml_text import SELF_CONTACT, UNTOUCHABLE, numbers

Vector = tuple[float, float, float]
Colour = tuple[float, float, float]

ARMATURE = 0.002
"""kg m²: what the geared motors add; the servos are tuned for it."""
DAMPING = 0.02
DARK: Colour = (0.26, 0.27, 0.31)
LIGHT: Colour = (0.80, 0.79, 0.74)
METAL: Colour = (0.62, 0.66, 0.72)
TIP: Colour = (0.98, 0.97, 0.93)
ACCENTS: dict[str, Colour] = {
    'index': (0.85, 0.45, 0.18),
    'middle': (0.25, 0.60, 0.55),
    'ring': (0.55, 0.40, 0.75),
    'thumb': (0.75, 0.70, 0.20),
}
"""Cover plates of the links, so that the fingers can be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One moving link: where its joint is in the link before, and the box around it."""

    position: Vector
    """m"""
    axis: Vector
    half: Vector
    """Half edges of the box, m."""
    middle: Vector
    """Middle of the box in the link's own frame, m."""
    quat_wxyz: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)


def _finger(position: Vector, tilt: tuple[float, float, float, float]) -> tuple[Link, ...]:
    """Abduction about the finger's length, then three times flexion about y."""
    flexion, side, thick = (0.0, 1.0, 0.0), 0.01375, 0.0098
    return (
        Link(position=position, quat_wxyz=tilt, axis=(0.0, 0.0, 1.0), half=(thick, side, 0.0082), middle=(0.0, 0.0, 0.0082)),
        Link(position=(0.0, 0.0, 0.0164), axis=flexion, half=(thick, side, 0.027), middle=(0.0, 0.0, 0.027)),
        Link(position=(0.0, 0.0, 0.054), axis=flexion, half=(thick, side, 0.0192), middle=(0.0, 0.0, 0.0192)),
        Link(position=(0.0, 0.0, 0.0384), axis=flexion, half=(thick, side, 0.008), middle=(0.0, 0.0, 0.008)),
    )


FINGERS: dict[str, tuple[Link, ...]] = {
    'index': _finger((0.0, 0.0435, -0.001542), (0.999048, -0.0436194, 0.0, 0.0)),
    'middle': _finger((0.0, 0.0, 0.0007), (1.0, 0.0, 0.0, 0.0)),
    'ring': _finger((0.0, -0.0435, -0.001542), (0.999048, 0.0436194, 0.0, 0.0)),
    'thumb': (
        Link(
            position=(-0.0182, 0.019333, -0.045987), quat_wxyz=(0.477714, -0.521334, -0.521334, -0.477714), axis=(-1.0, 0.0, 0.0),
            half=(0.0179, 0.017, 0.02275), middle=(-0.0179, 0.009, 0.0145),
        ),
        Link(position=(-0.027, 0.005, 0.0399), axis=(0.0, 0.0, 1.0), half=(0.0098, 0.01375, 0.00885), middle=(0.0, 0.0, 0.00885)),
        Link(position=(0.0, 0.0, 0.0177), axis=(0.0, 1.0, 0.0), half=(0.0098, 0.01375, 0.0257), middle=(0.0, 0.0, 0.0257)),
        Link(position=(0.0, 0.0, 0.0514), axis=(0.0, 1.0, 0.0), half=(0.0098, 0.01375, 0.0157), middle=(0.0, 0.0, 0.0157)),
    ),
}  # fmt: skip
"""Links in the order of the driver's joints 0 to 15."""

TIPS: dict[str, tuple[float, float, float]] = {
    'index': (0.012, 0.010, 0.019),
    'middle': (0.012, 0.010, 0.019),
    'ring': (0.012, 0.010, 0.019),
    'thumb': (0.012, 0.008, 0.035),
}
"""Rubber tip of the last link: radius, half length and middle along z of a capsule, m."""


def allegro(robot: Embodiment) -> mujoco.MjSpec:
    """Return palm and fingers; the robot's sixteen joints, in its order, are those of `FINGERS`."""
    root = ET.Element('mujoco', model='allegro')
    ET.SubElement(root, 'compiler', angle='radian')
    asset = ET.SubElement(root, 'asset')
    ET.SubElement(asset, 'texture', name='link', type='cube', file='link.png')
    ET.SubElement(asset, 'material', name='link', texture='link', specular='0.1', shininess='0.1')
    contact = ET.SubElement(root, 'contact')
    palm = ET.SubElement(ET.SubElement(root, 'worldbody'), 'body', name='palm')
    _box(palm, (-0.0093, 0.0, -0.0475), (0.0204, 0.0565, 0.0475), DARK, solid=True)
    _plates(palm)
    joints = iter(robot.joints)
    for finger, links in FINGERS.items():
        parent = palm
        for number, link in enumerate(links):
            joint = next(joints)
            name = f'{finger}_{number}'
            parent = ET.SubElement(parent, 'body', name=name, pos=numbers(*link.position), quat=numbers(*link.quat_wxyz))
            ET.SubElement(
                parent, 'joint', name=joint.name, axis=numbers(*link.axis), range=numbers(joint.lower, joint.upper),
                damping=str(DAMPING), armature=str(ARMATURE),
            )  # fmt: skip
            _link(parent, link, ACCENTS[finger] if number else METAL)
            if number < 2:
                # The palm does not move, so MuJoCo takes it for the world and would let it meet the links it carries.
                ET.SubElement(contact, 'exclude', body1='palm', body2=name)
        radius, half, middle = TIPS[finger]
        ET.SubElement(
            parent, 'geom', type='capsule', size=numbers(radius, half), pos=numbers(0, 0, middle), rgba=numbers(*TIP, 1),
            material='link', density='800', group='1', **SELF_CONTACT,
        )  # fmt: skip
        ET.SubElement(parent, 'site', name=f'fingertip_{finger}', pos=numbers(0, 0, middle + half + radius), size='0.001', rgba='0 0 0 0')
    return add_servos(mujoco.MjSpec.from_string(ET.tostring(root, encoding='unicode')), robot)


def _plates(palm: ET.Element) -> None:
    """What is bolted onto the palm: lighter pads and screws that keep its flat top from being one blank patch."""
    for y in (-0.0385, 0.0, 0.0385):
        _box(palm, (0.0114, y, -0.022), (0.0006, 0.0155, 0.017), LIGHT)
    _box(palm, (0.0112, 0.0, -0.068), (0.0006, 0.050, 0.021), METAL)


def _link(body: ET.Element, link: Link, accent: Colour) -> None:
    _box(body, link.middle, link.half, DARK, solid=True)
    # A cover over the middle third stands out a little on every side, as the hand's servo covers do.
    x, y, z = link.half
    _box(body, link.middle, (x + 0.0008, y + 0.0008, 0.45 * z), accent)
    ET.SubElement(
        body, 'geom', type='cylinder', size=numbers(0.0085, 0.0148), euler='1.5707963 0 0', rgba=numbers(*METAL, 1),
        material='link', density='0', group='1', **UNTOUCHABLE,
    )  # fmt: skip


def _box(body: ET.Element, middle: Vector, half: Vector, colour: Colour, *, solid: bool = False) -> None:
    """A box with weight that meets other things when `solid`, one to be seen only otherwise."""
    ET.SubElement(
        body, 'geom', type='box', pos=numbers(*middle), size=numbers(*half), rgba=numbers(*colour, 1), material='link',
        density='800' if solid else '0', group='1', **(SELF_CONTACT if solid else UNTOUCHABLE),
    )  # fmt: skip
