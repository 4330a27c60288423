# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The solvers against independent references and against what must not change the answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, minimize

from vera_core.errors import ShapeError
from vera_jidm.solve.bounded import solve_bounded
from vera_jidm.solve.damped_least_squares import normal_system, solve_damped
from vera_jidm.solve.observability import WORST_CONDITION, observe
from vera_jidm.solve.robust import huber_weights, solve_robust
from vera_jidm.solve.rows import Rows

SEEDS = st.integers(0, 2**32 - 1)
FREE = np.full(7, np.inf)


def random_rows(rng: np.random.Generator, cells: int = 60, joints: int = 7) -> Rows:
    jacobian = rng.normal(size=(cells, 2, joints)) * rng.uniform(0.5, 30, size=joints)
    return Rows(jacobian=jacobian, flow=rng.normal(size=(cells, 2)) * 2, weights=rng.uniform(0, 1, size=cells))


def stacked(rows: Rows, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """The same problem as one tall ordinary least squares system."""
    joints = rows.jacobian.shape[2]
    root = np.repeat(np.sqrt(rows.weights), 2)
    tall = np.vstack([rows.jacobian.reshape(-1, joints) * root[:, None], np.sqrt(ridge) * np.eye(joints)])
    return tall, np.concatenate([rows.flow.reshape(-1) * root, np.zeros(joints)])


def solve(rows: Rows, ridge: float = 100.0) -> np.ndarray:
    return solve_robust(rows, ridge=ridge, huber_delta_px=0.5, iterations=3, lower=-FREE, upper=FREE).delta_q


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_damped_solve_equals_numpy_least_squares(seed: int) -> None:
    rows = random_rows(np.random.default_rng(seed))
    tall, right = stacked(rows, 100.0)
    np.testing.assert_allclose(solve_damped(normal_system(rows, rows.weights), 100.0), np.linalg.lstsq(tall, right)[0], atol=1e-10)


def test_damped_solve_by_hand() -> None:
    # One joint moves one pixel 10 px/rad to the right; 2 px are wanted: 10 * 2 / (100 + 100) = 0.1 rad, half of the 0.2 rad without damping.
    rows = Rows(jacobian=np.array([[[10.0], [0.0]]]), flow=np.array([[2.0, 0.0]]), weights=np.ones(1))
    np.testing.assert_allclose(solve_damped(normal_system(rows, rows.weights), 100.0), [0.1])


def test_a_joint_no_picture_shows_keeps_still() -> None:
    rng = np.random.default_rng(3)
    rows = random_rows(rng)
    jacobian = rows.jacobian.copy()
    jacobian[:, :, 6] = 0
    delta_q = solve(Rows(jacobian=jacobian, flow=rows.flow, weights=rows.weights))
    assert delta_q[6] == 0
    assert np.abs(delta_q[:6]).max() > 1e-3


@given(SEEDS, st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_the_unit_of_length_in_the_picture_does_not_matter(seed: int, scale: float) -> None:
    rows = random_rows(np.random.default_rng(seed))
    scaled = Rows(jacobian=rows.jacobian * scale, flow=rows.flow * scale, weights=rows.weights)
    other = solve_robust(scaled, ridge=100.0 * scale**2, huber_delta_px=0.5 * scale, iterations=3, lower=-FREE, upper=FREE).delta_q
    np.testing.assert_allclose(other, solve(rows), atol=1e-9)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_pixels_that_see_nothing_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng)
    blind = Rows(
        jacobian=np.concatenate([rows.jacobian, np.zeros((40, 2, 7))]),
        flow=np.concatenate([rows.flow, rng.normal(size=(40, 2))]),
        weights=np.concatenate([rows.weights, np.ones(40)]),
    )
    np.testing.assert_allclose(solve(blind), solve(rows), atol=1e-12)


@given(SEEDS, st.floats(-np.pi, np.pi))
@settings(max_examples=30, deadline=None)
def test_turning_picture_and_jacobian_together_changes_nothing(seed: int, angle: float) -> None:
    rows = random_rows(np.random.default_rng(seed))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = Rows(jacobian=np.einsum('ab,nbj->naj', turn, rows.jacobian), flow=rows.flow @ turn.T, weights=rows.weights)
    np.testing.assert_allclose(solve(turned), solve(rows), atol=1e-9)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_weight_four_equals_the_row_four_times(seed: int) -> None:
    rows = random_rows(np.random.default_rng(seed))
    heavy = Rows(jacobian=rows.jacobian, flow=rows.flow, weights=rows.weights * 4)
    repeated = Rows(jacobian=np.tile(rows.jacobian, (4, 1, 1)), flow=np.tile(rows.flow, (4, 1)), weights=np.tile(rows.weights, 4))
    np.testing.assert_allclose(solve(heavy), solve(repeated), atol=1e-10)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_bounded_solve_equals_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng)
    lower, upper = -rng.uniform(0, 0.05, size=7), rng.uniform(0, 0.05, size=7)
    tall, right = stacked(rows, 100.0)
    reference = lsq_linear(tall, right, bounds=(lower - 1e-15, upper + 1e-15), method='bvls', tol=1e-14).x
    result = solve_bounded(normal_system(rows, rows.weights), 100.0, lower, upper)
    np.testing.assert_allclose(result, reference, atol=1e-8)
    assert np.all((result >= lower) & (result <= upper))


def test_bounded_solve_with_a_joint_that_may_not_move() -> None:
    rows = random_rows(np.random.default_rng(5))
    lower, upper = -FREE.copy(), FREE.copy()
    lower[1] = upper[1] = 0.0
    result = solve_bounded(normal_system(rows, rows.weights), 100.0, lower, upper)
    others = np.delete(np.arange(7), 1)
    without = Rows(jacobian=rows.jacobian[:, :, others], flow=rows.flow, weights=rows.weights)
    np.testing.assert_allclose(result[others], solve_damped(normal_system(without, rows.weights), 100.0), atol=1e-12)
    assert result[1] == 0


def test_bounded_solve_explains_more_than_clipping() -> None:
    # Joints 0 and 1 do the same in the picture (10 px/rad). 2 px wanted, tiny ridge: 0.1 rad each. With joint 0 held at 0.02 rad,
    # joint 1 takes over the rest, 0.18 rad; clipping would leave it at 0.1 rad.
    rows = Rows(jacobian=np.array([[[10.0, 10.0], [0.0, 0.0]]]), flow=np.array([[2.0, 0.0]]), weights=np.ones(1))
    result = solve_bounded(normal_system(rows, rows.weights), 1e-6, np.full(2, -1.0), np.array([0.02, 1.0]))
    np.testing.assert_allclose(result, [0.02, 0.18], atol=1e-6)


def test_bounded_solve_refuses_an_empty_box() -> None:
    rows = random_rows(np.random.default_rng(0))
    upper = FREE.copy()
    upper[2] = -1.0
    with pytest.raises(ShapeError, match=r'joint 2: the smallest step 0\.0000 rad is above the largest -1\.0000 rad'):
        solve_bounded(normal_system(rows, rows.weights), 100.0, np.zeros(7), upper)


def test_huber_weights_by_hand() -> None:
    np.testing.assert_allclose(huber_weights(np.array([0.0, 0.5, 1.0, 5.0]), 0.5), [1.0, 1.0, 0.5, 0.1])


def test_irls_converges_to_the_huber_minimum() -> None:
    rows = random_rows(np.random.default_rng(11))
    ridge, delta = 100.0, 0.5

    def cost(delta_q: np.ndarray) -> float:
        residual = np.linalg.norm(rows.jacobian @ delta_q - rows.flow, axis=1)
        huber = np.where(residual <= delta, residual**2 / 2, delta * (residual - delta / 2))
        return float(rows.weights @ huber + ridge / 2 * delta_q @ delta_q)

    reference = minimize(cost, np.zeros(7), method='BFGS', options={'gtol': 1e-9}).x
    many = solve_robust(rows, ridge=ridge, huber_delta_px=delta, iterations=200, lower=-FREE, upper=FREE).delta_q
    assert cost(many) <= cost(reference) + 1e-6
    np.testing.assert_allclose(many, reference, atol=1e-3)


def test_outliers_lose_their_say() -> None:
    rng = np.random.default_rng(2)
    rows = random_rows(rng, cells=300)
    truth = rng.normal(size=7) * 0.05
    flow = rows.jacobian @ truth
    flow[:30] += rng.uniform(5, 10, size=(30, 2))
    spoiled = Rows(jacobian=rows.jacobian, flow=flow, weights=np.ones(300))
    plain = solve_robust(spoiled, ridge=1.0, huber_delta_px=0.5, iterations=0, lower=-FREE, upper=FREE).delta_q
    robust = solve(spoiled, 1.0)
    assert np.linalg.norm(robust - truth) < 0.2 * np.linalg.norm(plain - truth)


def test_observability_by_hand() -> None:
    # Joint 0: energy 10² = 100 equals the ridge, so half of its motion comes back. Joint 1 is not seen. Noise 0.1 px:
    # variance 0.01 / (100 + 100) and 0.01 / 100.
    rows = Rows(jacobian=np.array([[[10.0, 0.0], [0.0, 0.0]]]), flow=np.array([[2.0, 0.0]]), weights=np.ones(1))
    seen = observe(normal_system(rows, rows.weights), 100.0, 0.1)
    np.testing.assert_allclose(seen.gain, [0.5, 0.0])
    np.testing.assert_allclose(np.diag(seen.covariance), [5e-5, 1e-4])
    assert seen.condition == WORST_CONDITION
    np.testing.assert_allclose(np.abs(seen.directions[:, 0]), [0, 1])
    np.testing.assert_allclose(seen.direction_gain, [0.0, 0.5])


def test_condition_is_the_ratio_of_energies() -> None:
    rows = Rows(jacobian=np.array([[[10.0, 0.0], [0.0, 2.0]]]), flow=np.zeros((1, 2)), weights=np.ones(1))
    assert observe(normal_system(rows, rows.weights), 1.0, 0.1).condition == pytest.approx(25.0)
