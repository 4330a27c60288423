# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The body of a robot from its URDF: simple shapes on links, and where they are at given joint positions.

Read: links, joints (revolute, continuous, prismatic, fixed) and shapes without meshes (box, cylinder, sphere, capsule). Joints nobody gives a
position for stand at zero. A URDF knows no capsule; a cylinder with a sphere of its radius at either end is taken for one.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import EmbodimentError
from vera_core.shapes import FloatArray

TURNING = ('revolute', 'continuous')
SLIDING = ('prismatic',)
KINDS = (*TURNING, *SLIDING, 'fixed')
GREY = (0.8, 0.8, 0.82)
TOUCHING_M = 1e-4


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Shape:
    """A simple solid that belongs to a link."""

    link: str
    kind: str
    """box, cylinder, sphere or capsule."""
    origin: FloatArray
    """Shape (4, 4): from the solid's centre to the link, m."""
    size: tuple[float, float, float]
    """Box: edges along x, y, z, m. Others: radius, radius, length along z without the caps (0 for a sphere), m."""
    colour: tuple[float, float, float] = GREY
    """Red, green, blue, each 0..1."""

    @property
    def radius(self) -> float:
        """Radius of a cylinder, sphere or capsule, m."""
        return self.size[0]

    @property
    def points(self) -> FloatArray:
        """What spans the solid, in the link's frame, m: 8 corners of a box, both ends of an axis, or a sphere's centre; shape (K, 3)."""
        if self.kind == 'box':
            signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing='ij')).reshape(3, 8).T
            local = signs * np.array(self.size) / 2
        elif self.kind == 'sphere':
            local = np.zeros((1, 3))
        else:
            local = np.array([[0, 0, -self.size[2] / 2], [0, 0, self.size[2] / 2]])
        return np.asarray(local @ self.origin[:3, :3].T + self.origin[:3, 3])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BodyJoint:
    """A joint between two links."""

    name: str
    kind: str
    parent: str
    child: str
    origin: FloatArray
    """Shape (4, 4): from the child's frame at zero to the parent's, m."""
    axis: FloatArray
    """Shape (3,), unit length, in the child's frame."""

    def transform(self, position: float) -> FloatArray:
        """Return the child's frame in the parent's at a position (rad or m), shape (4, 4)."""
        motion = np.eye(4)
        if self.kind in TURNING:
            motion[:3, :3] = rotation_about(self.axis, position)
        elif self.kind in SLIDING:
            motion[:3, 3] = self.axis * position
        return np.asarray(self.origin @ motion)


class Body:
    """Links and shapes of one robot. Immutable; poses are computed on demand."""

    def __init__(self, joints: Sequence[BodyJoint], shapes: Sequence[Shape], links: Sequence[str]) -> None:
        """Order the joints from the root outwards.

        Raises:
            EmbodimentError: If the links are no tree with one root.
        """
        children = {joint.child for joint in joints}
        roots = [link for link in links if link not in children]
        if len(roots) != 1 or len(children) != len(joints):
            raise EmbodimentError(f'the links of a robot description form one tree; roots found: {roots}')
        self.root = roots[0]
        self.links = tuple(links)
        self.shapes = tuple(shapes)
        ordered: list[BodyJoint] = []
        reached = {self.root}
        while len(ordered) < len(joints):
            layer = [joint for joint in joints if joint.parent in reached and joint.child not in reached]
            if not layer:
                raise EmbodimentError(f'links {sorted(set(links) - reached)} of the robot description hang on no other link')
            ordered += layer
            reached |= {joint.child for joint in layer}
        self.joints = tuple(ordered)

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the joints that move."""
        return tuple(joint.name for joint in self.joints if joint.kind != 'fixed')

    def link_poses(self, positions: Mapping[str, float]) -> dict[str, FloatArray]:
        """Return every link's frame in the root link's, shape (4, 4), at joint positions by name, rad or m."""
        poses: dict[str, FloatArray] = {self.root: np.eye(4)}
        for joint in self.joints:
            poses[joint.child] = poses[joint.parent] @ joint.transform(positions.get(joint.name, 0.0))
        return poses

    def shape_points(self, positions: Mapping[str, float]) -> list[FloatArray]:
        """Return `Shape.points` of all shapes in the root link's frame, m."""
        poses = self.link_poses(positions)
        return [shape.points @ poses[shape.link][:3, :3].T + poses[shape.link][:3, 3] for shape in self.shapes]

    def tips(self, driven: Sequence[str]) -> tuple[str, ...]:
        """Return the outermost link behind every chain of driven joints: the hand of an arm, the fingertips of a hand."""
        by_child = {joint.child: joint for joint in self.joints}
        parents = {joint.parent for joint in self.joints}
        farthest: dict[str, tuple[float, str]] = {}
        for leaf in (link for link in self.links if link not in parents):
            link, reach = leaf, 0.0
            while link in by_child and by_child[link].name not in driven:
                reach += float(np.linalg.norm(by_child[link].origin[:3, 3]))
                link = by_child[link].parent
            if link in by_child and reach > farthest.get(by_child[link].name, (-1.0, ''))[0]:
                farthest[by_child[link].name] = (reach, leaf)
        return tuple(leaf for _, leaf in farthest.values())


def rotation_about(axis: FloatArray, angle: float) -> FloatArray:
    """Return the rotation by `angle` (rad) about a unit axis, shape (3, 3) (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def load_body(robot: Embodiment) -> Body | None:
    """Return the body of a robot, None when its file names no description.

    Raises:
        EmbodimentError: If the description cannot be used, or lacks one of the robot's joints.
    """
    if robot.description is None:
        return None
    body = body_from_urdf(robot.description.read_text(encoding='utf-8'))
    missing = [name for name in robot.joint_names if name not in body.joint_names]
    if missing:
        raise EmbodimentError(f'{robot.description} has no joint {", ".join(missing)}; it has {", ".join(body.joint_names)}')
    return body


def body_from_urdf(text: str) -> Body:
    """Read a robot description. Of a link with visuals these are its shapes, otherwise its collision shapes.

    Raises:
        EmbodimentError: If it is no URDF, or has a joint kind or a number that cannot be used.
    """
    try:
        robot = ElementTree.fromstring(text)
        if robot.tag != 'robot':
            raise EmbodimentError(f'a robot description begins with <robot>, this one with <{robot.tag}>')
        links = [element.attrib['name'] for element in robot.findall('link')]
        joints = [_joint(element) for element in robot.findall('joint')]
        colours = {name: colour for name, colour in map(_colour, robot.findall('.//material')) if colour is not None}
        shapes = [shape for element in robot.findall('link') for shape in _shapes(element, colours)]
    except EmbodimentError:
        raise
    except (ElementTree.ParseError, KeyError, ValueError, AttributeError) as error:
        raise EmbodimentError(f'the robot description cannot be read: {type(error).__name__}: {error}') from error
    return Body(joints, shapes, links)


def _numbers(text: str) -> FloatArray:
    return np.array([float(word) for word in text.split()])


def _origin(element: ElementTree.Element) -> FloatArray:
    pose = np.eye(4)
    origin = element.find('origin')
    if origin is not None:
        roll, pitch, yaw = _numbers(origin.get('rpy', '0 0 0'))
        turns = (rotation_about(axis, angle) for axis, angle in zip(np.eye(3), (roll, pitch, yaw), strict=True))
        about_x, about_y, about_z = turns
        pose[:3, :3] = about_z @ about_y @ about_x
        pose[:3, 3] = _numbers(origin.get('xyz', '0 0 0'))
    return pose


def _joint(element: ElementTree.Element) -> BodyJoint:
    name, kind = element.attrib['name'], element.attrib['type']
    if kind not in KINDS:
        raise EmbodimentError(f"joint {name} is of type '{kind}'; usable are {', '.join(KINDS)}")
    given = element.find('axis')
    axis = _numbers(given.get('xyz', '1 0 0')) if given is not None else np.array([1.0, 0.0, 0.0])
    length = float(np.linalg.norm(axis))
    if kind != 'fixed' and (axis.shape != (3,) or not length > 0):
        raise EmbodimentError(f'joint {name} has the axis {axis.tolist()}; three numbers that are not all zero are needed')
    parent, child = element.find('parent'), element.find('child')
    if parent is None or child is None:
        raise EmbodimentError(f'joint {name} needs a parent and a child')
    return BodyJoint(
        name=name, kind=kind, parent=parent.attrib['link'], child=child.attrib['link'], origin=_origin(element), axis=axis / (length or 1.0)
    )


def _colour(material: ElementTree.Element) -> tuple[str, tuple[float, float, float] | None]:
    """Return name and colour of a material; None where it only repeats the name."""
    element = material.find('color')
    if element is None:
        return material.get('name', ''), None
    red, green, blue, _ = _numbers(element.attrib['rgba']).tolist()
    return material.get('name', ''), (red, green, blue)


def _shapes(link: ElementTree.Element, colours: Mapping[str, tuple[float, float, float]]) -> list[Shape]:
    solids = link.findall('visual') or link.findall('collision')
    return _with_capsules([shape for solid in solids for shape in _shape(link.attrib['name'], solid, colours)])


def _shape(link: str, solid: ElementTree.Element, colours: Mapping[str, tuple[float, float, float]]) -> list[Shape]:
    """Return the solid of one visual or collision element; none for a mesh, which only rviz2 draws."""
    origin = _origin(solid)
    material = solid.find('material')
    colour = GREY if material is None else colours.get(material.get('name', ''), GREY)
    for kind in ('box', 'cylinder', 'sphere', 'capsule'):
        element = solid.find(f'geometry/{kind}')
        if element is None:
            continue
        if kind == 'box':
            x, y, z = _numbers(element.attrib['size'])
            return [Shape(link=link, kind=kind, origin=origin, size=(x, y, z), colour=colour)]
        radius = float(element.attrib['radius'])
        length = 0.0 if kind == 'sphere' else float(element.attrib['length'])
        return [Shape(link=link, kind=kind, origin=origin, size=(radius, radius, length), colour=colour)]
    return []


def _with_capsules(shapes: list[Shape]) -> list[Shape]:
    """Put every cylinder together with the spheres that close its ends."""
    made: list[Shape] = []
    balls = [shape for shape in shapes if shape.kind == 'sphere']
    used: set[int] = set()
    for shape in shapes:
        if shape.kind == 'cylinder':
            caps = [_ball_at(end, shape.radius, balls) for end in shape.points]
            if None not in caps:
                used |= {id(cap) for cap in caps}
                shape = replace(shape, kind='capsule')
        made.append(shape)
    return [shape for shape in made if id(shape) not in used]


def _ball_at(point: FloatArray, radius: float, balls: Sequence[Shape]) -> Shape | None:
    for ball in balls:
        if abs(ball.radius - radius) < TOUCHING_M and np.linalg.norm(ball.origin[:3, 3] - point) < TOUCHING_M:
            return ball
    return None
