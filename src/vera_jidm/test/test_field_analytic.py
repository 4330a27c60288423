# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import itertools
import sys
import threading
from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError, ModelContractError, ShapeError
from vera_core.types import JacobianField
from vera_jidm.jacobian.analytic import AnalyticField, read_model
from vera_jidm.jacobian.calibration import AnalyticSetup, CameraCalibration, load_setup, save_setup
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.registry import JACOBIAN_MODELS

pytestmark = pytest.mark.sim

# Two flat links of .5 m turning in the plane, whose upper faces lie at z = 0; then one that rises, on the end of a slider along x.
ARM = """
<mujoco>
  <worldbody>
    <geom name="ground" type="plane" size="5 5 .1" pos="0 0 -1"/>
    <body name="base">
      <geom type="box" size=".02 .02 .01" pos="0 0 -.02"/>
      <body name="upper"><joint name="shoulder" axis="0 0 1"/><geom type="box" size=".25 .05 .005" pos=".25 0 -.005"/>
        <body name="lower" pos=".5 0 0"><joint name="elbow" axis="0 0 1"/><geom type="box" size=".25 .05 .005" pos=".25 0 -.005"/></body>
      </body>
    </body>
    <body name="ball" pos=".4 0 .5"><freejoint name="flying"/><geom type="sphere" size=".2"/></body>
  </worldbody>
</mujoco>"""
SLIDER = """
<mujoco>
  <worldbody>
    <body><joint name="along" type="slide" axis="1 0 0"/><geom type="box" size=".3 .3 .005" pos="0 0 -.005"/>
      <body><joint name="up" type="slide" axis="0 0 1"/><geom type="box" size=".1 .1 .005" pos="0 0 .001"/></body>
    </body>
  </worldbody>
</mujoco>"""
ROUND = """
<mujoco>
  <worldbody>
    <body name="base" pos=".1 -.2 .3" euler="10 20 30">
      <geom type="sphere" size=".12"/>
      <body><joint name="a" axis="0 1 1" pos="0 0 .02"/><geom type="capsule" size=".07" fromto="0 0 0 .3 0 .1"/>
        <body pos=".3 0 .1"><joint name="b" axis="1 0 0"/><geom type="ellipsoid" size=".1 .06 .2" pos="0 .05 .1"/>
          <body pos="0 .05 .3"><joint name="c" type="slide" axis="1 0 2"/><geom type="capsule" size=".05" fromto="0 0 0 0 .2 .1"/></body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>"""
# Two metres above the plane, looking down, x to the right: half a turn about x.
ABOVE = CameraCalibration(fx=100, fy=80, cx=30.2, cy=33.2, position=(0, 0, 2), quat_xyzw=(1, 0, 0, 0), size=(64, 96))


def robot(*joints: str, views: tuple[str, ...] = ('top',)) -> Embodiment:
    panda = load_embodiment('panda')
    return dataclasses.replace(
        panda,
        name='arm',
        joints=tuple(dataclasses.replace(panda.joints[0], name=name) for name in joints),
        poses={'home': (0.0,) * len(joints)},
        views=tuple(dataclasses.replace(panda.views[0], name=view) for view in views),
        working_size=ABOVE.size,
    )


def pixel_field(xml: str, *joints: str, camera: CameraCalibration = ABOVE, at: tuple[float, ...], base: str = '') -> JacobianField:
    model = mujoco.MjModel.from_xml_string(xml)
    return AnalyticField(robot(*joints), model, {'top': camera}, base=base, stride=1).at(np.array(at))['top']


def test_planar_arm_turns_in_the_picture_about_its_joints_by_hand() -> None:
    # A flat turn is a turn of the picture: du/dq = fx/fy (v - v0), dv/dq = -fy/fx (u - u0), about the picture (u0, v0) of the joint.
    field = pixel_field(ARM, 'shoulder', 'elbow', at=(0.0, 0.0))
    # The shoulder is seen at (30.2, 33.2), the elbow, .5 m to the right and 2 m away, at u0 = 30.2 + 100 * .5 / 2 = 55.2.
    np.testing.assert_allclose(field.jacobian[34, 70], [[1.25 * 0.8, 1.25 * 0.8], [-0.8 * 39.8, -0.8 * 14.8]], atol=1e-3)
    # Column 45 shows x = .296 m, the upper link, which the elbow does not move.
    np.testing.assert_allclose(field.jacobian[34, 45], [[1.25 * 0.8, 0], [-0.8 * 14.8, 0]], atol=1e-3)


def test_planar_arm_is_seen_where_it_is() -> None:
    field = pixel_field(ARM, 'shoulder', 'elbow', at=(0.0, np.pi / 2))
    # The upper link is .1 m wide: rows 33.2 -+ 80 * .05 / 2, so 32 to 35. The lower link goes up the picture from the elbow to y = .5 m, row
    # 33.2 - 80 * .5 / 2 = 13.2, between columns 55.2 -+ 2.5. The foot reaches .02 m to the left, to column 29.2. The ball in front belongs to
    # nobody and the ground is not the robot.
    assert field.confidence[33, 40] == field.confidence[15, 55] == 1
    assert field.confidence[11, 55] == field.confidence[33, 70] == field.confidence[40, 40] == 0
    rows, columns = np.nonzero(field.confidence)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (14, 35, 30, 57)


def test_cells_hold_the_mean_of_their_pixels_and_the_share_of_the_robot() -> None:
    model = mujoco.MjModel.from_xml_string(ARM)
    fine, coarse = (
        AnalyticField(robot('shoulder', 'elbow'), model, {'top': ABOVE}, stride=stride).at(np.zeros(2))['top'] for stride in (1, 4)
    )
    assert coarse.jacobian.shape == (16, 24, 2, 2)
    np.testing.assert_allclose(coarse.jacobian[8, 17], fine.jacobian[32:36, 68:72].mean(axis=(0, 1)), rtol=1e-5)
    assert coarse.confidence[8, 17] == 1
    assert coarse.confidence[8, 20] == 0.25  # the arm ends at x = 1 m, column 80.2: one of the columns 80 to 83


def test_sliding_joints_by_hand() -> None:
    field = pixel_field(SLIDER, 'along', 'up', at=(0.0, 0.0))
    # 1 m to the right at 2 m: fx / 2 px. Towards the camera: everything spreads from (cx, cy) by 1/Z of its offset per metre.
    np.testing.assert_allclose(field.jacobian[33, 20], [[50, 0], [0, 0]], atol=1e-3)
    np.testing.assert_allclose(field.jacobian[35, 32, :, 1], np.array([1.8, 1.8]) / (2 - 0.006), atol=1e-3)


def test_joints_are_matched_by_name_not_by_order() -> None:
    there, back = (
        pixel_field(ARM, *names, at=at) for names, at in ((('shoulder', 'elbow'), (0.2, -0.7)), (('elbow', 'shoulder'), (-0.7, 0.2)))
    )
    np.testing.assert_array_equal(there.jacobian, back.jacobian[..., ::-1])


def looking_at(target: np.ndarray) -> CameraCalibration:
    """A camera from aside and above, rolled, whose pixels are not square."""
    position = target + np.array([0.9, 0.7, 0.8])
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.3, 0.1, 1.0])
    right /= np.linalg.norm(right)
    turn = Rotation.from_matrix(np.stack([right, np.cross(forward, right), forward], axis=1))
    x, y, z, w = turn.as_quat()
    return CameraCalibration(fx=130, fy=110, cx=44, cy=37, position=tuple(position), quat_xyzw=(x, y, z, w), size=(64, 96))


@pytest.mark.parametrize('base', ['', 'base'])
@pytest.mark.parametrize('q', [(0.0, 0.0, 0.0), (0.4, -0.9, 0.1), (-0.6, 0.5, -0.05)])
def test_field_is_the_derivative_of_projected_points(q: tuple[float, ...], base: str) -> None:
    """Rays find the surface without the renderer; the points are carried along by MuJoCo's kinematics and projected at q +- step."""
    model, names, step = mujoco.MjModel.from_xml_string(ROUND), ('a', 'b', 'c'), 1e-5
    data = mujoco.MjData(model)
    data.qpos[:] = q
    mujoco.mj_kinematics(model, data)
    frame = data.body(base or 'world')
    turn, origin = frame.xmat.reshape(3, 3).copy(), frame.xpos.copy()
    camera = looking_at((data.geom_xpos.mean(axis=0) - origin) @ turn)
    field = pixel_field(ROUND, *names, camera=camera, at=q, base=base)
    moved, found = mujoco.MjData(model), 0
    for row, column in itertools.product(range(0, 64, 3), range(0, 96, 3)):
        ray = turn @ camera.rotation @ np.array([(column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy, 1.0])
        centre, geom = origin + turn @ np.array(camera.position), np.zeros(1, np.int32)
        distance = mujoco.mj_ray(model, data, centre, ray, None, 1, -1, geom, None)
        assert (distance >= 0) == field.confidence[row, column] or _at_an_edge(field, row, column)
        if distance < 0 or _at_an_edge(field, row, column):
            continue
        body = int(model.geom_bodyid[geom[0]])
        local = data.xmat[body].reshape(3, 3).T @ (centre + distance * ray - data.xpos[body])
        for joint, name in enumerate(names):
            pixels = []
            for sign in (1, -1):
                moved.qpos[:] = q
                moved.joint(name).qpos[0] += sign * step
                mujoco.mj_kinematics(model, moved)
                point = moved.xmat[body].reshape(3, 3) @ local + moved.xpos[body]
                pixels.append(camera.project((turn.T @ (point - origin))[None])[0])
            # A curved surface is drawn with flat facets: a few millimetres of depth.
            np.testing.assert_allclose(field.jacobian[row, column, :, joint], (pixels[0] - pixels[1]) / (2 * step), atol=1.0)
        found += 1
    assert found > 40


def _at_an_edge(field: JacobianField, row: int, column: int) -> bool:
    """Whether pixels around see another body, so that a ray and a drawing may disagree."""
    around = (slice(max(row - 1, 0), row + 2), slice(max(column - 1, 0), column + 2))
    return bool(np.ptp(field.confidence[around]) > 0 or np.ptp(field.jacobian[around], axis=(0, 1)).max() > 15)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'arm.xml').write_text(ARM)
    save_setup(tmp_path / 'analytic.yaml', AnalyticSetup(model=tmp_path / 'arm.xml', cameras={'top': ABOVE}, joints={'one': 'shoulder'}))
    return tmp_path


def test_setup_makes_a_field_by_name_from_folder_and_file(folder: Path) -> None:
    arm, picture = robot('one', 'elbow'), np.zeros((64, 96, 3), np.uint8)
    first, second = (JACOBIAN_MODELS.make('analytic', robot=arm, folder=path) for path in (folder, folder / 'analytic.yaml'))
    assert isinstance(first, JacobianModel)
    expected = AnalyticField(robot('shoulder', 'elbow'), read_model(folder / 'arm.xml'), {'top': ABOVE}).at(np.array([0.3, 0.4]))['top']
    for field in (first, second):
        np.testing.assert_array_equal(field.predict({'top': picture}, np.array([0.3, 0.4]))['top'].jacobian, expected.jacobian)
    with pytest.raises(ShapeError, match=r"needs view 'top'"):
        first.predict({}, np.zeros(2))
    with pytest.raises(ShapeError, match=r'made for 2 joints'):
        first.predict({'top': picture}, np.zeros(3))
    with pytest.raises(ShapeError, match=r'picture of view top is uint8 \(32, 96, 3\)'):
        first.predict({'top': picture[:32]}, np.zeros(2))


def test_field_answers_in_another_thread_too(folder: Path) -> None:
    field, answers = JACOBIAN_MODELS.make('analytic', robot=robot('one', 'elbow'), folder=folder), []

    def ask() -> None:
        answers.append(field.predict({'top': np.zeros((64, 96, 3), np.uint8)}, np.zeros(2))['top'])

    ask()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    np.testing.assert_array_equal(answers[0].jacobian, answers[1].jacobian)
    assert answers[1].confidence.any()


def test_urdf_shows_its_visual_shapes_and_keeps_its_base(tmp_path: Path) -> None:
    shape = '<geometry><box size="{}"/></geometry>'
    (tmp_path / 'arm.urdf').write_text(f"""
<robot name="arm"><link name="foot"><visual>{shape.format('.2 .2 .2')}</visual></link>
  <joint name="turn" type="revolute"><parent link="foot"/><child link="arm"/><axis xyz="0 0 1"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
  <link name="arm"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
    <visual><origin xyz=".4 0 0"/>{shape.format('.4 .1 .1')}</visual><collision>{shape.format('1.4 1 .3')}</collision></link>
</robot>""")
    field = AnalyticField(robot('turn'), read_model(tmp_path / 'arm.urdf'), {'top': ABOVE}, base='foot', stride=1).at(np.zeros(1))['top']
    assert field.confidence[33, 30] == 1  # the foot is part of the robot and stays
    assert not field.jacobian[33, 30].any()
    assert field.confidence[33, 50] == 1
    assert field.confidence[20, 40] == 0  # only the collision shape reaches this far


@pytest.mark.parametrize(
    ('joints', 'options', 'text'),
    [
        (('shoulder', 'elbo'), {}, "no joint 'elbo'.*Did you mean 'elbow'"),
        (('shoulder', 'flying'), {}, "joint 'flying' of the model neither turns about nor slides"),
        (('shoulder',), {'base': 'bse'}, "no body 'bse' for the base frame.*Did you mean 'base'"),
        (('shoulder',), {'stride': 7}, 'not a multiple of 7 px'),
        (('shoulder',), {'cameras': {'front': ABOVE}}, r"no calibration of views \['top'\]; the setup has cameras \['front'\]"),
    ],
)
def test_model_that_does_not_fit_the_robot_is_refused(joints: tuple[str, ...], options: dict[str, object], text: str) -> None:
    arguments = {'cameras': {'top': ABOVE}, **options}
    with pytest.raises(ModelContractError, match=text):
        AnalyticField(robot(*joints), mujoco.MjModel.from_xml_string(ARM), **arguments)  # type: ignore[arg-type]


def test_missing_and_damaged_files_are_named(folder: Path, tmp_path: Path) -> None:
    arm = robot('one', 'elbow')
    with pytest.raises(ConfigError, match="field 'analytic' needs calibrated cameras"):
        JACOBIAN_MODELS.make('analytic', robot=arm, folder=None)
    (folder / 'arm.xml').write_text('<mujoco><nonsense/></mujoco>')
    with pytest.raises(ConfigError, match=r"(?s)arm\.xml cannot be read: .*'nonsense'"):
        JACOBIAN_MODELS.make('analytic', robot=arm, folder=folder)
    (folder / 'arm.xml').unlink()
    with pytest.raises(ConfigError, match=r'arm\.xml does not exist'):
        JACOBIAN_MODELS.make('analytic', robot=arm, folder=folder)
    for text in ('', '[1]', 'model: arm.xml', 'cameras: {'):
        (folder / 'analytic.yaml').write_text(text)
        with pytest.raises(ConfigError, match=r'analytic\.yaml does not set up an analytic field'):
            load_setup(folder / 'analytic.yaml')


def test_without_mujoco_the_field_says_what_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'mujoco', None)
    monkeypatch.delitem(sys.modules, 'vera_jidm.jacobian.analytic')
    monkeypatch.delitem(sys.modules, 'vera_jidm.jacobian.silhouette')
    with pytest.raises(ConfigError, match="'analytic' needs a package that cannot be imported.*mujoco"):
        JACOBIAN_MODELS.make('analytic', robot=robot('one', 'elbow'), folder=folder)
