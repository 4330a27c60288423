# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The inversion in one call."""

from __future__ import annotations

import time

import numpy as np
import pytest

from vera_core.errors import ConfigError, ShapeError
from vera_core.types import FlowField, JacobianField
from vera_jidm.solve import SolveSettings, solve_joint_step

JOINTS = 7


def scene(seed: int = 0) -> tuple[dict[str, JacobianField], np.ndarray]:
    """Two views, smooth fields on 32 x 32 cells; joint steps of about 0.05 rad move pixels by about 2 px."""
    rng = np.random.default_rng(seed)
    row, column = np.meshgrid(np.linspace(-1, 1, 32), np.linspace(-1, 1, 32), indexing='ij')
    basis = np.stack([np.ones_like(row), row, column, row * column], axis=-1)
    fields = {}
    for view in ('front', 'side'):
        jacobian = basis @ rng.normal(size=(2 * JOINTS, 4, 1))[..., 0].T * 20
        fields[view] = JacobianField(view=view, jacobian=jacobian.reshape(32, 32, 2, JOINTS), confidence=np.ones((32, 32)), stride=4)
    return fields, rng.normal(size=JOINTS) * 0.03


def flow_of(fields: dict[str, JacobianField], delta_q: np.ndarray) -> FlowField:
    flow = {view: np.repeat(np.repeat(field.jacobian @ delta_q, 4, axis=0), 4, axis=1) for view, field in fields.items()}
    confidence = {view: np.ones((128, 128)) for view in fields}
    return FlowField(
        stamp_ns=1, plan_id=1, task_id=1, step=1, dt_s=0.3, flow=flow, confidence=confidence, remaining_px=1.0, at_plan_end=False
    )


def test_joint_step_is_recovered_from_the_flow_it_makes() -> None:
    fields, truth = scene()
    step = solve_joint_step(fields, flow_of(fields, truth), settings=SolveSettings(ridge=1e-3))
    np.testing.assert_allclose(step.delta_q, truth, atol=1e-5)
    assert step.residual_ratio < 1e-3
    assert np.all(step.observability > 0.99)
    assert step.rows == 2 * 32 * 32


def test_joint_step_stays_inside_its_box() -> None:
    fields, truth = scene()
    step = solve_joint_step(fields, flow_of(fields, truth), lower=np.full(JOINTS, -0.01), upper=np.full(JOINTS, 0.01))
    assert np.abs(step.delta_q).max() == pytest.approx(0.01)


def test_flow_no_joint_can_make_is_residual() -> None:
    fields, _ = scene()
    noise = np.random.default_rng(1)
    flow = {view: noise.normal(size=(32, 32, 2)).repeat(4, axis=0).repeat(4, axis=1) * 3 for view in fields}
    wanted = flow_of(fields, np.zeros(JOINTS))
    step = solve_joint_step(
        fields,
        FlowField(
            stamp_ns=1, plan_id=1, task_id=1, step=1, dt_s=0.3, flow=flow, confidence=wanted.confidence, remaining_px=1.0, at_plan_end=False
        ),
    )
    assert step.residual_ratio > 0.95
    assert step.residual_px == pytest.approx(3 * np.sqrt(2), rel=0.1)


def test_nothing_seen_is_no_motion_and_no_claim() -> None:
    fields, truth = scene()
    blind = {
        view: JacobianField(view=view, jacobian=field.jacobian, confidence=np.zeros((32, 32)), stride=4) for view, field in fields.items()
    }
    step = solve_joint_step(blind, flow_of(fields, truth))
    assert not step.delta_q.any()
    assert not step.observability.any()
    assert step.rows == 0
    # The prior of the ridge: noise floor 0.2 px / sqrt(100 px²/rad²) = 0.02 rad.
    np.testing.assert_allclose(step.std, 0.02)


def test_std_grows_with_the_unexplained_flow() -> None:
    fields, truth = scene()
    clean = solve_joint_step(fields, flow_of(fields, truth))
    wanted = flow_of(fields, truth)
    noise = np.random.default_rng(4)
    noisy = {view: flow + noise.normal(size=(32, 32, 2)).repeat(4, axis=0).repeat(4, axis=1) for view, flow in wanted.flow.items()}
    spoiled = FlowField(
        stamp_ns=1, plan_id=1, task_id=1, step=1, dt_s=0.3, flow=noisy, confidence=wanted.confidence, remaining_px=1.0, at_plan_end=False
    )
    assert np.all(solve_joint_step(fields, spoiled).std > 2 * clean.std)


@pytest.mark.parametrize(('name', 'value'), [('ridge', 0.0), ('ridge', float('nan')), ('huber_delta_px', -1.0), ('irls_iterations', -1)])
def test_settings_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f'{name} is {value}'):
        SolveSettings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize('value', [0.0, -1.0, float('inf')])
def test_a_bad_ridge_of_one_joint_is_refused_by_its_place(value: float) -> None:
    with pytest.raises(ConfigError, match=rf'joint_ridge\[1\] is {value}'):
        SolveSettings(joint_ridge=(100.0, value))


def test_ridges_for_another_number_of_joints_are_refused() -> None:
    fields, truth = scene()
    with pytest.raises(ShapeError, match='joint_ridge has 6 values but the field has 7 joints'):
        solve_joint_step(fields, flow_of(fields, truth), settings=SolveSettings(joint_ridge=(100.0,) * 6))


def test_equal_ridges_of_all_joints_are_the_one_ridge() -> None:
    fields, truth = scene()
    flow = flow_of(fields, truth)
    one = solve_joint_step(fields, flow, settings=SolveSettings(ridge=250.0))
    each = solve_joint_step(fields, flow, settings=SolveSettings(joint_ridge=(250.0,) * JOINTS))
    np.testing.assert_allclose(each.delta_q, one.delta_q, atol=1e-15)
    np.testing.assert_allclose(each.std, one.std)


def test_a_stiff_joint_moves_less() -> None:
    fields, truth = scene()
    ridge = (100.0,) * 6 + (1e9,)
    step = solve_joint_step(fields, flow_of(fields, truth), settings=SolveSettings(joint_ridge=ridge))
    assert abs(step.delta_q[6]) < 1e-3 * abs(truth[6])
    assert step.observability[6] < 0.01 < 0.9 < step.observability[0]


def test_bounds_of_the_wrong_length_are_refused() -> None:
    fields, truth = scene()
    with pytest.raises(ShapeError, match='7 numbers were expected'):
        solve_joint_step(fields, flow_of(fields, truth), lower=np.zeros(6))


def test_two_views_cost_a_few_plain_solutions() -> None:
    """Against numpy's least squares on the same rows, neither weighted nor robust nor bounded. Seen: 8 of it, 1.3 ms."""
    fields, truth = scene()
    flow = flow_of(fields, truth)
    rows = np.concatenate([field.jacobian.reshape(-1, JOINTS) for field in fields.values()])
    best, plain = np.inf, np.inf
    for _ in range(20):
        begin = time.thread_time()
        solve_joint_step(fields, flow, lower=np.full(JOINTS, -0.15), upper=np.full(JOINTS, 0.15))
        middle = time.thread_time()
        np.linalg.lstsq(rows, rows @ truth)
        best, plain = min(best, middle - begin), min(plain, time.thread_time() - middle)
    assert best < 25 * plain, f'{best * 1e3:.2f} ms for two views, {plain * 1e3:.2f} ms for the plain solution'
