# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Photometric refinement: finds the true step from a near one, never makes it worse, keeps what the pictures do not show."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, ShapeError
from vera_core.types import FlowField, Frame, JacobianField, RobotState, VideoPlan
from vera_jidm.flow.photometric import PhotometricSettings, refine_joint_step
from vera_jidm.params import JidmParams
from vera_jidm.pipeline import Inversion, PipelineSettings, invert_flow
from vera_jidm.planned import RecentPlans
from vera_jidm.solve import SolveSettings

SIZE, STRIDE = 64, 4
PX_PER_RAD = 40.0
LIGHT = PhotometricSettings(ridge=1.0)


class Scene:
    """Brightness of any point, as a sum of waves 8 to 40 px long: pictures of it are exact at any sub-pixel shift."""

    def __init__(self, seed: int = 0, *, only_across: bool = False) -> None:
        rng = np.random.default_rng(seed)
        length, angle = rng.uniform(8, 40, 24), np.zeros(24) if only_across else rng.uniform(0, np.pi, 24)
        self.wave = 2 * np.pi / length * np.array([np.cos(angle), np.sin(angle)])
        self.phase = rng.uniform(0, 2 * np.pi, 24)

    def at(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return 128 + 11 * np.sin(u[..., None] * self.wave[0] + v[..., None] * self.wave[1] + self.phase).sum(axis=-1)


def camera(scene: Scene, u: float = 0.0, v: float = 0.0, *, turn_rad: float = 0.0, brighter: float = 0.0) -> np.ndarray:
    """The picture in which everything has moved by (u, v) px, and before that turned about the centre."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    x, y = x - u, y - v
    cos, sin = np.cos(turn_rad), np.sin(turn_rad)
    levels = scene.at(cos * x + sin * y, -sin * x + cos * y) + brighter
    return np.repeat(np.clip(levels, 0, 255).round()[..., None], 3, axis=2).astype(np.uint8)


def uniform_field(*columns: tuple[float, float], view: str = 'front') -> JacobianField:
    """Every cell moves alike: one (u, v) in px/rad per joint."""
    cells = SIZE // STRIDE
    jacobian = np.broadcast_to(np.array(columns).T, (cells, cells, 2, len(columns)))
    return JacobianField(view=view, jacobian=jacobian, confidence=np.ones((cells, cells)), stride=STRIDE)


SHIFTS = uniform_field((PX_PER_RAD, 0.0), (0.0, PX_PER_RAD))


def refine(
    target: np.ndarray, first: list[float], field: JacobianField = SHIFTS, options: PhotometricSettings = LIGHT, **bounds: np.ndarray
):
    return refine_joint_step({'front': camera(Scene())}, {'front': target}, {'front': field}, np.array(first), settings=options, **bounds)


@pytest.mark.parametrize('wrong_px', [(0.0, 0.0), (0.5, -0.5), (-1.0, 0.8)])
def test_the_true_step_is_found_from_a_near_one(wrong_px: tuple[float, float]) -> None:
    truth = np.array([1.3, -0.7]) / PX_PER_RAD
    found = refine(camera(Scene(), 1.3, -0.7), list(truth + np.array(wrong_px) / PX_PER_RAD))
    np.testing.assert_allclose(found.delta_q * PX_PER_RAD, [1.3, -0.7], atol=0.03)
    assert found.pixels == SIZE * SIZE
    assert found.cost <= found.first_cost


def test_a_turn_is_found_cell_by_cell() -> None:
    # One joint turns the picture about its centre: a pixel at (x, y) from there moves by (-y, x) px/rad.
    centre = (np.arange(SIZE // STRIDE) + 0.5) * STRIDE - SIZE / 2
    x, y = np.meshgrid(centre, centre)
    field = replace(SHIFTS, jacobian=np.stack([-y, x], axis=-1)[..., None])
    found = refine(camera(Scene(), turn_rad=0.03), [0.02], field)
    assert found.delta_q[0] == pytest.approx(0.03, abs=0.001)


def test_a_brighter_and_softer_dream_is_no_motion() -> None:
    target = cv2.GaussianBlur(camera(Scene(), 1.0, 0.5, brighter=12.0), (0, 0), 0.8)
    found = refine(target, [1.4 / PX_PER_RAD, 0.2 / PX_PER_RAD])
    np.testing.assert_allclose(found.delta_q * PX_PER_RAD, [1.0, 0.5], atol=0.06)


def test_a_joint_no_picture_shows_stays_where_the_flow_put_it() -> None:
    field = uniform_field((PX_PER_RAD, 0.0), (0.0, 0.0))
    found = refine(camera(Scene(), 1.0, 0.0), [0.8 / PX_PER_RAD, 0.07], field)
    assert found.delta_q[0] * PX_PER_RAD == pytest.approx(1.0, abs=0.03)
    assert found.delta_q[1] == 0.07


def test_two_views_show_what_one_does_not() -> None:
    # Stripes that stand: only motion to the side shows. The other view lies on its side, and so does its field.
    across = Scene(1, only_across=True)
    fields = {'front': SHIFTS, 'side': uniform_field((0.0, PX_PER_RAD), (PX_PER_RAD, 0.0), view='side')}
    source = {'front': camera(across), 'side': camera(across)}
    target = {'front': camera(across, 0.9, 0.0), 'side': camera(across, -0.6, 0.0)}
    first = np.array([0.5, -0.2]) / PX_PER_RAD
    both = refine_joint_step(source, target, fields, first, settings=LIGHT)
    np.testing.assert_allclose(both.delta_q * PX_PER_RAD, [0.9, -0.6], atol=0.05)
    alone = refine_joint_step({'front': source['front']}, {'front': target['front']}, fields, first, settings=LIGHT)
    np.testing.assert_allclose(alone.delta_q * PX_PER_RAD, [0.9, -0.2], atol=0.05)


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.floats(-0.4, 0.4)] * 2), st.tuples(*[st.floats(-6, 6)] * 2), st.integers(0, 3))
def test_whatever_the_pictures_the_cost_never_rises_and_the_step_stays_in_bounds(
    first: tuple[float, float], shift: tuple[float, float], seed: int
) -> None:
    # Seeds other than 0 show another scene: there is nothing to find.
    lower, upper = np.array([-0.3, -0.05]), np.array([0.05, 0.3])
    start = np.clip(first, lower, upper)
    found = refine(camera(Scene(seed), *shift), list(start), options=PhotometricSettings(), lower=lower, upper=upper)
    assert found.cost <= found.first_cost
    assert np.all(found.delta_q >= lower)
    assert np.all(found.delta_q <= upper)
    assert np.abs(found.delta_q - start).max() <= 0.1 + 1e-12


def test_the_ridge_holds_the_first_step() -> None:
    target, first = camera(Scene(), 1.0, 0.0), [0.6 / PX_PER_RAD, 0.0]
    assert refine(target, first, options=PhotometricSettings(ridge=1e12)).delta_q == pytest.approx(first, abs=1e-5)


@pytest.mark.parametrize('blank', ['source', 'target'])
def test_a_picture_of_one_colour_changes_nothing(blank: str) -> None:
    pictures = {'source': camera(Scene()), 'target': camera(Scene(), 1.0), blank: np.full((SIZE, SIZE, 3), 120, np.uint8)}
    found = refine_joint_step({'front': pictures['source']}, {'front': pictures['target']}, {'front': SHIFTS}, np.array([0.01, 0.02]))
    np.testing.assert_array_equal(found.delta_q, [0.01, 0.02])
    assert found.pixels == found.iterations == 0


def test_cells_the_field_does_not_trust_have_no_say() -> None:
    # The right half shows something else in the target, and the field knows that the robot is not there.
    trust = np.ones((SIZE // STRIDE, SIZE // STRIDE))
    trust[:, SIZE // STRIDE // 2 :] = 0.2
    target = camera(Scene(), 1.0, -0.5)
    target[:, SIZE // 2 :] = camera(Scene(5))[:, SIZE // 2 :]
    found = refine(target, [0.6 / PX_PER_RAD, -0.2 / PX_PER_RAD], replace(SHIFTS, confidence=trust))
    np.testing.assert_allclose(found.delta_q * PX_PER_RAD, [1.0, -0.5], atol=0.05)
    assert found.pixels == SIZE * SIZE // 2


def test_inputs_that_do_not_fit_are_refused_by_name() -> None:
    source = {'front': camera(Scene())}
    small = {'front': source['front'][:32, :32]}
    with pytest.raises(ShapeError, match=r"source has views \['front'\], target \['side'\]"):
        refine_joint_step(source, {'side': source['front']}, {'front': SHIFTS}, np.zeros(2))
    with pytest.raises(ShapeError, match=r"and the field \['side'\]"):
        refine_joint_step(source, source, {'side': SHIFTS}, np.zeros(2))
    with pytest.raises(ShapeError, match='picture of view front is 32 x 32 px but its field covers 64 x 64 px'):
        refine_joint_step(small, small, {'front': SHIFTS}, np.zeros(2))
    with pytest.raises(ShapeError, match='source is 64 x 64 px but target is 32 x 32 px'):
        refine_joint_step(source, small, {'front': SHIFTS}, np.zeros(2))
    with pytest.raises(ShapeError, match='target has dtype float32'):
        refine_joint_step(source, {'front': source['front'].astype(np.float32)}, {'front': SHIFTS}, np.zeros(2))
    with pytest.raises(ShapeError, match=r'delta_q has shape \(3,\) but the field of view front has 2 joints'):
        refine_joint_step(source, source, {'front': SHIFTS}, np.zeros(3))
    with pytest.raises(ShapeError, match='delta_q has 1 values that are not finite'):
        refine_joint_step(source, source, {'front': SHIFTS}, np.array([0.0, np.nan]))


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('iterations', 0),
        ('blur_px', -1.0),
        ('huber_delta_levels', 0.0),
        ('ridge', float('nan')),
        ('least_confidence', 2.0),
        ('max_change_rad', 0.0),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f'{name} is {value}; it must be between'):
        PhotometricSettings(**{name: value})


class TestInThePipeline:
    """Switched on, the planned pictures have the last word; without them, the flow."""

    robot = load_embodiment('finger_2')

    def invert(self, *, photometric: PhotometricSettings | None = LIGHT, planned: bool = True, limit_rad: float = 0.15) -> np.ndarray:
        # The flow is 0.3 px off.
        flow = FlowField(
            stamp_ns=1,
            plan_id=1,
            task_id=1,
            step=3,
            dt_s=0.3,
            flow={'front': np.broadcast_to([1.5, -0.3], (SIZE, SIZE, 2))},
            confidence={'front': np.ones((SIZE, SIZE))},
            remaining_px=1.0,
            at_plan_end=False,
        )
        answer = invert_flow(
            flow,
            {'front': Frame(view='front', stamp_ns=1, rgb=camera(Scene()))},
            RobotState(stamp_ns=1, position=self.robot.home, velocity=np.zeros(2)),
            self,
            self.robot,
            PipelineSettings(solve=SolveSettings(ridge=1e-3), photometric=photometric, max_step_rad=limit_rad),
            planned={'front': camera(Scene(), 1.2, -0.6)} if planned else None,
        )
        assert isinstance(answer, Inversion)
        return answer.velocity.delta_q * PX_PER_RAD

    def predict(self, frames: object, position: object) -> dict[str, JacobianField]:
        return {'front': SHIFTS}

    def test_the_step_is_that_of_the_pictures(self) -> None:
        np.testing.assert_allclose(self.invert(), [1.2, -0.6], atol=0.03)

    def test_the_flow_decides_when_it_is_off_or_the_plan_is_not_known(self) -> None:
        np.testing.assert_allclose(self.invert(photometric=None), [1.5, -0.3], atol=0.01)
        np.testing.assert_allclose(self.invert(planned=False), [1.5, -0.3], atol=0.01)

    def test_bounds_of_the_step_hold(self) -> None:
        np.testing.assert_allclose(self.invert(limit_rad=1.0 / PX_PER_RAD), [1.0, -0.6], atol=0.05)


def test_a_parameter_of_the_node_switches_it() -> None:
    assert JidmParams().pipeline_settings().photometric is None
    assert JidmParams(photometric_refinement=True).pipeline_settings().photometric == PhotometricSettings()


def test_planned_pictures_are_found_by_plan_and_step() -> None:
    def flow(plan_id: int, step: int, view: str = 'front') -> FlowField:
        values, trust = {view: np.zeros((8, 8, 2))}, {view: np.ones((8, 8))}
        return FlowField(
            stamp_ns=1, plan_id=plan_id, task_id=1, step=step, dt_s=0.3, flow=values, confidence=trust, remaining_px=0.0, at_plan_end=False
        )

    plans = RecentPlans()
    for plan_id in (1, 2, 3, 3):
        frames = np.stack([np.full((8, 8, 3), 10 * plan_id + step, np.uint8) for step in range(4)])
        plans.put(VideoPlan(plan_id=plan_id, task_id=1, prompt='', stamp_ns=1, step_dt_s=0.3, frames={'front': frames, 'side': frames}))
    for plan_id, step in ((3, 2), (2, 0)):
        found = plans.pictures(flow(plan_id, step))
        assert found is not None
        assert list(found) == ['front']
        assert np.all(found['front'] == 10 * plan_id + step)
    assert plans.pictures(flow(1, 0)) is None  # forgotten
    assert plans.pictures(flow(3, 4)) is None  # past the end
    assert plans.pictures(flow(3, 1, 'wrist')) is None
