# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The Franka Panda with its hand, put together from the description that pip installed, with light meshes.

A robot file with a joint `panda_gripper` gets a gripper that is driven: one radian is `PINION_M` of each finger, through a pinion that nobody sees.
Without, the gripper stays shut.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import mujoco

from vera_core.embodiment import Embodiment
from vera_sim.robots.panda_meshes import cache_folder, panda_folder
from vera_sim.robots.servos import add_servos
from vera_sim.xml_text import ROBOT_CONTACT, UNTOUCHABLE, numbers

# Joint 6 of the description has a negative damping, which makes stiff servos unstable; every joint gets this one instead.
JOINT_DAMPING = 1.0
ARMATURE = 0.1


GRIPPER = 'panda_gripper'
PINION_M = 0.04
"""Way of each finger per radian of the gripper joint."""
FINGERS = ('panda_finger_joint1', 'panda_finger_joint2')
PADS: dict[str, str] = {'solref': '-7000 -120', 'solimp': '0.9 0.95 0.002', 'friction': '1.2 0.02 0.001', 'condim': '4', 'priority': '1'}
"""Contact of the fingers of a driven gripper: foam that gives way by millimetres under a grip of some newtons, and does not slip."""


RUBBER = (0.10, 0.10, 0.11)
"""Colour of those fingers: light ones are lost before a light cube."""


def panda(robot: Embodiment) -> mujoco.MjSpec:
    """Return arm and hand."""
    root = ET.Element('mujoco', model='panda')
    ET.SubElement(root, 'compiler', angle='radian', meshdir=str(cache_folder()))
    asset = ET.SubElement(root, 'asset')
    world = ET.SubElement(root, 'worldbody')
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
    if GRIPPER in robot.joint_names:
        _add_pinion(root, hand_body)
        return add_servos(mujoco.MjSpec.from_string(ET.tostring(root, encoding='unicode')), robot)
    for element in hand:
        if element.tag in ('equality', 'tendon'):
            root.append(element)
    spec = add_servos(mujoco.MjSpec.from_string(ET.tostring(root, encoding='unicode')), robot)
    gripper = spec.add_actuator(name='gripper', target='split', trntype=mujoco.mjtTrn.mjTRN_TENDON, ctrlrange=[0.0, 0.04])
    gripper.set_to_position(kp=600.0, kv=50.0)
    return spec


def _add_pinion(root: ET.Element, hand: ET.Element) -> None:
    """Put a pinion into the hand that drives both fingers, and soft pads on them."""
    pinion = ET.SubElement(hand, 'body', name='panda_pinion', pos='0 0 0.03')
    ET.SubElement(pinion, 'inertial', pos='0 0 0', mass='0.01', diaginertia='1e-5 1e-5 1e-5')
    ET.SubElement(pinion, 'joint', name=GRIPPER, axis='1 0 0', range='0 1', damping='0.1', armature='0.01')
    equality = ET.SubElement(root, 'equality')
    for finger in FINGERS:
        ET.SubElement(
            equality, 'joint', name=f'{GRIPPER}_{finger}', joint1=finger, joint2=GRIPPER, polycoef=f'0 {PINION_M} 0 0 0',
            solimp='0.95 0.99 0.001', solref='0.005 1',
        )  # fmt: skip
    for body in hand.iter('body'):
        if any(joint.get('name') in FINGERS for joint in body.findall('joint')):
            ET.SubElement(body, 'site', name=f'mark_{body.get("name")}', pos='0 0 0.0505', size='0.004', rgba='0 0 0 0')
    for geom in hand.iter('geom'):
        if geom.get('type') == 'box':
            geom.attrib.update(PADS)
        elif str(geom.get('mesh')).startswith('finger'):
            geom.set('rgba', numbers(*RUBBER, 1))


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
                part = ET.SubElement(body, 'geom', type='mesh', mesh=Path(name).stem, rgba=numbers(*colour, 1), group='1', mass='0')
                # Only the wrist and hand can meet the table and the cubes; MuJoCo collides their convex hulls.
                part.attrib.update(ROBOT_CONTACT if link in ('link6', 'link7', 'hand') and colour[0] > 0.2 else UNTOUCHABLE)


def _required(element: ET.Element, path: str) -> ET.Element:
    found = element.find(path)
    if found is None:
        raise ValueError(f'the robot description has no {path}; dm_robotics-panda 0.4.8 is known to work')
    return found
