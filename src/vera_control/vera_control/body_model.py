# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""From a robot's URDF and the table in front of it to a MuJoCo model that knows which pairs of shapes matter."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import mujoco
import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import EmbodimentError
from vera_core.shapes import Array, FloatArray
from vera_core.workspace import Workspace

WORLD = 'vera_world'
"""A link of ours under the URDF's root link, which MuJoCo would otherwise merge into its world."""
TABLE = 'the table'
SIDE = 'the side of the workspace'
NEAR_M = 0.04
"""Pairs are looked at from this far before their margin on, those of a hand from a tenth of its reach on."""
NEAR_SHARE = 0.1
ALWAYS_SHARE = 0.5
SAMPLES = 200


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BodyModel:
    """A compiled model and what is looked at in it."""

    compiled: mujoco.MjModel
    qpos: Array
    """Where the robot's joints are among the model's, shape (n,), int."""
    dof: Array
    """The same for velocities, shape (n,), int."""
    shape_names: tuple[str, ...]
    """Link of every shape, or what else it is."""
    margins: FloatArray
    """Distance to be kept by every pair of shapes, shape (ngeom * ngeom,), m."""
    points: FloatArray
    """Corners, ends of capsules and the tool, each in its link's frame, shape (P, 3), m."""
    point_bodies: Array
    """Link of every point, shape (P,), int."""
    radii: FloatArray
    """Of the capsule around every point, shape (P,), m."""
    left_out: tuple[tuple[str, str], ...]
    """Pairs of links that are not joined by a joint and still are not looked at."""


def body_model(robot: Embodiment) -> BodyModel:
    """Return the model of a robot whose file names a description.

    Which pairs of links are left out: links joined by one joint or fixed to each other, whose shapes overlap by design; and pairs that are
    closer than their margin at home or in more than half of random postures, where closeness says how coarse the shapes are and
    nothing about the posture.

    Args:
        robot: Whose body.

    Raises:
        EmbodimentError: If the description cannot be read or does not have the robot's joints or the tool's link.
    """
    assert robot.description is not None
    workspace = robot.workspace or Workspace()
    spec = _read(robot)
    _use_capsules(spec)
    _add_planes(spec, workspace)
    first = spec.copy().compile()
    has_planes = workspace.floor_z is not None or workspace.lower is not None
    margin = max(workspace.self_margin, workspace.floor_margin if has_planes else 0.0)
    for geom in spec.geoms:
        geom.margin = margin + min(NEAR_M, NEAR_SHARE * _reach(first))
        geom.contype = geom.conaffinity = 1
    first = spec.copy().compile()
    missing = [name for name in robot.joint_names if mujoco.mj_name2id(first, mujoco.mjtObj.mjOBJ_JOINT, name) < 0]
    if missing:
        raise EmbodimentError(f'{robot.description} has no joint {", ".join(missing)}, which robot {robot.name} drives')
    joined = _joined_links(first)
    always = _always_near(robot, workspace, first, joined)
    for one, other in sorted(joined | always):
        spec.add_exclude(bodyname1=first.body(one).name, bodyname2=first.body(other).name)
    compiled = spec.compile()
    points, bodies, radii = _points(compiled, workspace, robot)
    return BodyModel(
        compiled=compiled,
        qpos=np.array([compiled.joint(name).qposadr[0] for name in robot.joint_names]),
        dof=np.array([compiled.joint(name).dofadr[0] for name in robot.joint_names]),
        shape_names=_shape_names(compiled),
        margins=_margins(compiled, workspace),
        points=points,
        point_bodies=bodies,
        radii=radii,
        left_out=tuple((first.body(one).name, first.body(other).name) for one, other in sorted(always)),
    )


def _reach(model: mujoco.MjModel) -> float:
    """Return the length of the longest chain of links, m."""
    length = np.zeros(model.nbody)
    for body in range(1, model.nbody):
        length[body] = length[model.body_parentid[body]] + np.linalg.norm(model.body_pos[body])
    return float(length.max())


def _read(robot: Embodiment) -> mujoco.MjSpec:
    assert robot.description is not None
    path = robot.description
    try:
        root = ET.parse(path).getroot()
        extension = root.find('mujoco')
        if extension is None:
            extension = ET.SubElement(root, 'mujoco')
        compiler = extension.find('compiler')
        if compiler is None:
            compiler = ET.SubElement(extension, 'compiler')
        compiler.attrib.update(discardvisual='true', fusestatic='false', balanceinertia='true', meshdir=str(path.parent))
        children = {str(child.get('link')) for child in root.findall('joint/child')}
        base = next(str(link.get('name')) for link in root.findall('link') if link.get('name') not in children)
        ET.SubElement(root, 'link', name=WORLD)
        joint = ET.SubElement(root, 'joint', name=WORLD, type='fixed')
        ET.SubElement(joint, 'parent', link=WORLD)
        ET.SubElement(joint, 'child', link=base)
        return mujoco.MjSpec.from_string(ET.tostring(root, encoding='unicode'))
    except (ET.ParseError, StopIteration, ValueError) as error:
        raise EmbodimentError(
            f'{path} cannot be used as the description of robot {robot.name}: {error or "it has no root link"}'
        ) from error


def _use_capsules(spec: mujoco.MjSpec) -> None:
    """Make every cylinder a capsule, the shape whose distances cost least; spheres that this covers go."""
    for body in spec.bodies:
        ends = []
        for geom in body.geoms:
            if geom.type == mujoco.mjtGeom.mjGEOM_CYLINDER:
                geom.type = mujoco.mjtGeom.mjGEOM_CAPSULE
                axis = np.zeros(3)
                mujoco.mju_rotVecQuat(axis, np.array([0.0, 0.0, geom.size[1]]), geom.quat)
                ends += [(geom.pos + side * axis, geom.size[0]) for side in (-1.0, 1.0)]
        for geom in list(body.geoms):
            if geom.type == mujoco.mjtGeom.mjGEOM_SPHERE and any(
                np.linalg.norm(geom.pos - end) + geom.size[0] <= radius + 1e-4 for end, radius in ends
            ):
                spec.delete(geom)


def _add_planes(spec: mujoco.MjSpec, workspace: Workspace) -> None:
    """Add the table and the sides of the workspace, each an endless plane whose normal points to where the robot may be."""
    if workspace.floor_z is not None:
        _add_plane(spec, TABLE, np.array([0.0, 0.0, workspace.floor_z]), np.array([0.0, 0.0, 1.0]))
    if workspace.lower is not None and workspace.upper is not None:
        for axis in range(3):
            for corner, sign in ((workspace.lower, 1.0), (workspace.upper, -1.0)):
                normal = np.zeros(3)
                normal[axis] = sign
                _add_plane(spec, f'{SIDE} at {"xyz"[axis]} = {corner[axis]:g}', np.array(corner), normal)


def _add_plane(spec: mujoco.MjSpec, name: str, position: FloatArray, normal: FloatArray) -> None:
    quat = np.zeros(4)
    mujoco.mju_quatZ2Vec(quat, normal)
    spec.worldbody.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_PLANE, pos=position, quat=quat, size=[0, 0, 1])


def _joined_links(model: mujoco.MjModel) -> set[tuple[int, int]]:
    """Pairs of bodies with shapes that are one rigid piece, or two pieces with one joint between them."""
    piece = model.body_weldid
    before = {int(each): int(piece[model.body_parentid[each]]) for each in set(piece.tolist()) if each}
    bodies = [body for body in range(1, model.nbody) if model.body_geomnum[body]]
    return {
        (one, other)
        for one in bodies
        for other in bodies
        if one < other
        and (piece[one] == piece[other] or before.get(int(piece[one])) == piece[other] or before.get(int(piece[other])) == piece[one])
    }


def _always_near(robot: Embodiment, workspace: Workspace, model: mujoco.MjModel, joined: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Pairs of bodies closer than the margin at home or in most postures, world and joined pairs aside."""
    data = mujoco.MjData(model)
    qpos = [model.joint(name).qposadr[0] for name in robot.joint_names]
    rng = np.random.default_rng(0)
    lower, upper = robot.limits('lower'), robot.limits('upper')

    def touching(pose: FloatArray) -> set[tuple[int, int]]:
        data.qpos[qpos] = pose
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        close = np.asarray(data.contact.geom)[np.asarray(data.contact.dist) < workspace.self_margin]
        bodies = np.sort(model.geom_bodyid[close], axis=1)
        return {(int(one), int(other)) for one, other in bodies if one > 0} - joined

    found = touching(robot.home)
    counts: dict[tuple[int, int], int] = {}
    for _ in range(SAMPLES):
        for pair in touching(rng.uniform(lower, upper)):
            counts[pair] = counts.get(pair, 0) + 1
    return found | {pair for pair, count in counts.items() if count > ALWAYS_SHARE * SAMPLES}


def _shape_names(model: mujoco.MjModel) -> tuple[str, ...]:
    return tuple(
        model.geom(geom).name if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_PLANE else model.body(int(model.geom_bodyid[geom])).name
        for geom in range(model.ngeom)
    )


def _margins(model: mujoco.MjModel, workspace: Workspace) -> FloatArray:
    is_plane = model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE
    either = is_plane[:, None] | is_plane[None, :]
    return np.where(either, workspace.floor_margin, workspace.self_margin).ravel()


def _points(model: mujoco.MjModel, workspace: Workspace, robot: Embodiment) -> tuple[FloatArray, Array, FloatArray]:
    points: list[FloatArray] = []
    bodies: list[int] = []
    radii: list[float] = []

    def add(body: int, point: FloatArray, radius: float) -> None:
        points.append(point)
        bodies.append(body)
        radii.append(radius)

    for geom in range(model.ngeom):
        body, size = int(model.geom_bodyid[geom]), model.geom_size[geom]
        if model.body_weldid[body] == 0:
            continue
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
        local = [np.zeros(3)]
        radius = float(model.geom_rbound[geom])
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE:
            local, radius = [np.array([0.0, 0.0, side * size[1]]) for side in (-1.0, 1.0)], float(size[0])
        elif model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX:
            corners = np.array(np.meshgrid(*[(-1.0, 1.0)] * 3)).reshape(3, -1).T
            local, radius = list(corners * size), 0.0
        for point in local:
            add(body, model.geom_pos[geom] + turn.reshape(3, 3) @ point, radius)
    if workspace.tool is not None:
        body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, workspace.tool.link)
        if body < 0:
            raise EmbodimentError(f"workspace.tool.link is '{workspace.tool.link}', but {robot.description} has no such link")
        add(body, np.array(workspace.tool.offset), 0.0)
    return np.array(points), np.array(bodies), np.array(radii)
