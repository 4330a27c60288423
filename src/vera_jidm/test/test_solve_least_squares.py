# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The solvers against independent references and against what must not change the answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, minimize

from vera_core.errors import ShapeError
from vera_jidm.solve.bounded import solve_bounded
from vera_jidm.solve.damped_least_squares import normal_system, solve_damped
from vera_jidm.solve.observability import WORST_CONDITION, observe
from vera_jidm.solve.robust import RobustCost, huber_weights, solve_robust
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


def cost(ridge: float | np.ndarray = 100.0, bound: np.ndarray = FREE, huber_delta_px: float = 0.5) -> RobustCost:
    return RobustCost(ridge=ridge, huber_delta_px=huber_delta_px, lower=-bound, upper=bound)


def solve(rows: Rows, ridge: float | np.ndarray = 100.0, bound: np.ndarray = FREE) -> np.ndarray:
    return solve_robust(rows, cost(ridge, bound), iterations=3).delta_q


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_damped_solve_equals_numpy_least_squares(seed: int) -> None:
    rows = random_rows(np.random.default_rng(seed))
    tall, right = stacked(rows, 100.0)
    np.testing.assert_allclose(solve_damped(normal_system(rows), 100.0), np.linalg.lstsq(tall, right)[0], atol=1e-10)


def test_damped_solve_by_hand() -> None:
    # One joint moves one pixel 10 px/rad to the right; 2 px are wanted: 10 * 2 / (100 + 100) = 0.1 rad, half of the 0.2 rad without damping.
    rows = Rows(jacobian=np.array([[[10.0], [0.0]]]), flow=np.array([[2.0, 0.0]]), weights=np.ones(1))
    np.testing.assert_allclose(solve_damped(normal_system(rows), 100.0), [0.1])


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
    other = solve_robust(scaled, cost(100.0 * scale**2, huber_delta_px=0.5 * scale), iterations=3).delta_q
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


@given(SEEDS, st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_weights_and_ridge_scale_together(seed: int, scale: float) -> None:
    rows = random_rows(np.random.default_rng(seed))
    scaled = Rows(jacobian=rows.jacobian, flow=rows.flow, weights=rows.weights * scale)
    np.testing.assert_allclose(solve(scaled, 100.0 * scale), solve(rows), atol=1e-9)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_the_unit_of_each_joint_does_not_matter(seed: int) -> None:
    # The first joints in degrees, the others as they are; ridge and bounds go with them: J dq, ridge dq^2 and lower <= dq <= upper stay.
    rng = np.random.default_rng(seed)
    rows = random_rows(rng)
    unit = np.array([180 / np.pi] * 3 + [1.0] * 4)
    ridge, bound = rng.uniform(10, 1000, size=7), rng.uniform(0.005, 0.1, size=7)
    other = Rows(jacobian=rows.jacobian / unit, flow=rows.flow, weights=rows.weights)
    np.testing.assert_allclose(solve(other, ridge / unit**2, bound * unit) / unit, solve(rows, ridge, bound), atol=1e-9)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_the_order_of_joints_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng)
    order = rng.permutation(7)
    ridge, bound = rng.uniform(10, 1000, size=7), rng.uniform(0.005, 0.1, size=7)
    shuffled = Rows(jacobian=rows.jacobian[:, :, order], flow=rows.flow, weights=rows.weights)
    np.testing.assert_allclose(solve(shuffled, ridge[order], bound[order]), solve(rows, ridge, bound)[order], atol=1e-9)


@given(SEEDS, st.integers(1, 6))
@example(1261, 1)  # a flow that hardly moves the one mixture
@settings(max_examples=30, deadline=None)
def test_directions_no_picture_shows_get_no_motion(seed: int, shown: int) -> None:
    # Only `shown` mixtures of the seven joints move anything; along all others the answer must be zero up to rounding, and along them that of a robot which has
    # just those for joints.
    rng = np.random.default_rng(seed)
    mixtures = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    rows = random_rows(rng, joints=shown)
    hidden = Rows(jacobian=rows.jacobian @ mixtures[:, :shown].T, flow=rows.flow, weights=rows.weights)
    delta_q = solve(hidden)
    np.testing.assert_allclose(mixtures[:, :shown].T @ delta_q, solve(rows), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(mixtures[:, shown:].T @ delta_q, 0, atol=1e-14)


def test_a_joint_no_picture_shows_keeps_still_when_others_are_held_by_their_bounds() -> None:
    rows = random_rows(np.random.default_rng(3))
    jacobian = rows.jacobian.copy()
    jacobian[:, :, 6] = 0
    blind = Rows(jacobian=jacobian, flow=rows.flow, weights=rows.weights)
    delta_q = solve(blind, bound=np.full(7, 1e-3))
    assert delta_q[6] == 0
    # At the bound to the last digits: which of them differ depends on the processor's linear algebra.
    assert np.count_nonzero(np.isclose(np.abs(delta_q), 1e-3, rtol=1e-12, atol=0.0)) >= 3
    assert np.abs(delta_q).max() <= 1e-3


def test_ridge_of_each_joint_by_hand() -> None:
    # 2 px wanted, 10 px/rad: 10 * 2 / (100 + ridge) is 0.1 rad with 100 and 0.05 rad with 300.
    rows = Rows(jacobian=np.array([[[10.0, 0.0], [0.0, 10.0]]]), flow=np.array([[2.0, 2.0]]), weights=np.ones(1))
    np.testing.assert_allclose(solve_damped(normal_system(rows), np.array([100.0, 300.0])), [0.1, 0.05])


@given(SEEDS, st.integers(1, 16))
@settings(max_examples=100, deadline=None)
def test_bounded_solve_is_the_minimum_for_any_box(seed: int, joints: int) -> None:
    # Bounds that are open on one side, closed to a point or out of reach; joints between .01 and 100 px/rad. At the minimum the slope of
    # the cost is zero for a free joint and points out of the box for a held one (in px: the slope over the root of the curvature).
    rng = np.random.default_rng(seed)
    jacobian = rng.normal(size=(40, 2, joints)) * 10 ** rng.uniform(-2, 2, size=joints)
    rows = Rows(jacobian=jacobian, flow=rng.normal(size=(40, 2)) * 3, weights=rng.uniform(0, 1, size=40))
    system, ridge = normal_system(rows), 10 ** rng.uniform(-2, 3)
    lower, upper = -rng.uniform(0, 0.1, size=joints), rng.uniform(0, 0.1, size=joints)
    lower[rng.random(joints) < 0.2], upper[rng.random(joints) < 0.2] = -np.inf, np.inf
    closed = rng.random(joints) < 0.1
    lower[closed] = upper[closed] = 0.0
    delta_q = solve_bounded(system, ridge, lower, upper)
    assert np.all((delta_q >= lower) & (delta_q <= upper))
    matrix = system.damped(ridge)
    down = (system.vector - matrix @ delta_q) / np.sqrt(np.diag(matrix))
    assert np.all((down < 1e-9) | (delta_q >= upper - 1e-12))
    assert np.all((down > -1e-9) | (delta_q <= lower + 1e-12))


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_bounded_solve_equals_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng)
    lower, upper = -rng.uniform(0, 0.05, size=7), rng.uniform(0, 0.05, size=7)
    tall, right = stacked(rows, 100.0)
    reference = lsq_linear(tall, right, bounds=(lower - 1e-15, upper + 1e-15), method='bvls', tol=1e-14).x
    result = solve_bounded(normal_system(rows), 100.0, lower, upper)
    np.testing.assert_allclose(result, reference, atol=1e-9)
    assert np.all((result >= lower) & (result <= upper))


def test_bounded_solve_with_a_joint_that_may_not_move() -> None:
    rows = random_rows(np.random.default_rng(5))
    lower, upper = -FREE.copy(), FREE.copy()
    lower[1] = upper[1] = 0.0
    result = solve_bounded(normal_system(rows), 100.0, lower, upper)
    others = np.delete(np.arange(7), 1)
    without = Rows(jacobian=rows.jacobian[:, :, others], flow=rows.flow, weights=rows.weights)
    np.testing.assert_allclose(result[others], solve_damped(normal_system(without), 100.0), atol=1e-12)
    assert result[1] == 0


def test_bounded_solve_explains_more_than_clipping() -> None:
    # Joints 0 and 1 do the same in the picture (10 px/rad). 2 px wanted, tiny ridge: 0.1 rad each. With joint 0 held at 0.02 rad,
    # joint 1 takes over the rest, 0.18 rad; clipping would leave it at 0.1 rad.
    rows = Rows(jacobian=np.array([[[10.0, 10.0], [0.0, 0.0]]]), flow=np.array([[2.0, 0.0]]), weights=np.ones(1))
    result = solve_bounded(normal_system(rows), 1e-6, np.full(2, -1.0), np.array([0.02, 1.0]))
    np.testing.assert_allclose(result, [0.02, 0.18], atol=1e-6)


def test_bounded_solve_refuses_an_empty_box() -> None:
    rows = random_rows(np.random.default_rng(0))
    upper = FREE.copy()
    upper[2] = -1.0
    with pytest.raises(ShapeError, match=r'joint 2: the smallest step 0\.0000 rad is above the largest -1\.0000 rad'):
        solve_bounded(normal_system(rows), 100.0, np.zeros(7), upper)


def test_huber_weights_by_hand() -> None:
    np.testing.assert_allclose(huber_weights(np.array([0.0, 0.5, 1.0, 5.0]) ** 2, 0.5), [1.0, 1.0, 0.5, 0.1])


def robust_cost(rows: Rows, delta_q: np.ndarray, ridge: float = 100.0, delta: float = 0.5) -> float:
    """The cost as it is written in RobustCost."""
    error = np.linalg.norm(rows.jacobian @ delta_q - rows.flow, axis=1)
    huber = np.where(error <= delta, error**2, 2 * delta * error - delta**2)
    return float(rows.weights @ huber + ridge * delta_q @ delta_q)


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_reweighted_solves_reach_the_huber_minimum_inside_the_box(seed: int) -> None:
    rows, bound = random_rows(np.random.default_rng(seed)), np.full(7, 0.02)
    found = solve_robust(rows, cost(bound=bound), iterations=30).delta_q
    reference = minimize(
        lambda delta_q: robust_cost(rows, delta_q), np.zeros(7), method='L-BFGS-B', bounds=[(-0.02, 0.02)] * 7, options={'ftol': 1e-15}
    )
    assert robust_cost(rows, found) <= reference.fun * (1 + 1e-9)
    np.testing.assert_allclose(found, reference.x, atol=1e-4)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_no_reweighted_solve_raises_the_cost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, bound = random_rows(rng), rng.uniform(0.005, 0.1, size=7)
    costs = [robust_cost(rows, solve_robust(rows, cost(bound=bound), iterations=count).delta_q) for count in range(6)]
    assert np.all(np.diff(costs) <= 1e-9 * costs[0])


def test_three_reweighted_solves_are_enough() -> None:
    rows = random_rows(np.random.default_rng(11), cells=500)
    std = np.sqrt(np.diag(observe(normal_system(rows), 100.0, 2.0).covariance))
    assert np.all(np.abs(solve(rows) - solve_robust(rows, cost(), iterations=100).delta_q) < 0.01 * std)


def test_many_rows_come_as_close_to_the_huber_minimum_as_few() -> None:
    # 16384 row pairs take the way over every 16th of them. What is left to the minimum has to be small beside the standard deviation.
    rng = np.random.default_rng(4)
    truth = rng.normal(size=16) * 0.03
    jacobian = rng.normal(size=(16384, 2, 16)) * 20
    flow = jacobian @ truth + rng.normal(size=(16384, 2)) * 0.3
    flow[rng.random(16384) < 0.15] += 4.0
    rows = Rows(jacobian=jacobian, flow=flow, weights=rng.uniform(0.1, 1, size=16384))
    free = cost(bound=np.full(16, np.inf))
    fast = solve_robust(rows, free, iterations=3)
    exact = minimize(
        lambda x: robust_cost(rows, x), truth, jac=lambda x: slope(rows, x), method='L-BFGS-B', options={'ftol': 0, 'gtol': 1e-6}
    )
    std = np.sqrt(np.diag(observe(fast.system, 100.0, 0.3).covariance))
    assert np.all(np.abs(fast.delta_q - exact.x) < 0.1 * std)


def slope(rows: Rows, delta_q: np.ndarray, ridge: float = 100.0, delta: float = 0.5) -> np.ndarray:
    """Derivative of robust_cost."""
    error = rows.jacobian @ delta_q - rows.flow
    share = np.minimum(1.0, delta / np.linalg.norm(error, axis=1))
    return 2 * np.einsum('nij,ni,n->j', rows.jacobian, error, rows.weights * share) + 2 * ridge * delta_q


def test_joints_of_very_different_energy_keep_their_precision_with_many_rows() -> None:
    rng = np.random.default_rng(0)
    scale = np.array([3000.0, 300.0, 30.0, 3.0])
    jacobian = rng.normal(size=(8192, 2, 4)) * scale
    truth = 0.4 / scale
    rows = Rows(jacobian=jacobian, flow=jacobian @ truth, weights=np.ones(8192))
    ridge = 0.01
    found = solve_robust(rows, cost(ridge, np.full(4, np.inf)), iterations=3).delta_q
    tall, right = stacked(rows, ridge)
    # Energies span 10^6: a vector in float32 would leave the last joint wrong by some percent.
    np.testing.assert_allclose(found, np.linalg.lstsq(tall, right)[0], rtol=1e-6)


def test_outliers_lose_their_say() -> None:
    rng = np.random.default_rng(2)
    rows = random_rows(rng, cells=300)
    truth = rng.normal(size=7) * 0.05
    flow = rows.jacobian @ truth
    flow[:30] += rng.uniform(5, 10, size=(30, 2))
    spoiled = Rows(jacobian=rows.jacobian, flow=flow, weights=np.ones(300))
    plain = solve_robust(spoiled, cost(1.0), iterations=0).delta_q
    robust = solve(spoiled, 1.0)
    assert np.linalg.norm(robust - truth) < 0.2 * np.linalg.norm(plain - truth)


def test_observability_by_hand() -> None:
    # Joint 0: energy 10² = 100 equals the ridge, so half of its motion comes back. Joint 1 is not seen. Noise 0.1 px:
    # variance 0.01 / (100 + 100) and 0.01 / 100.
    rows = Rows(jacobian=np.array([[[10.0, 0.0], [0.0, 0.0]]]), flow=np.array([[2.0, 0.0]]), weights=np.ones(1))
    seen = observe(normal_system(rows), 100.0, 0.1)
    np.testing.assert_allclose(seen.gain, [0.5, 0.0])
    np.testing.assert_allclose(np.diag(seen.covariance), [5e-5, 1e-4])
    assert seen.condition == WORST_CONDITION
    np.testing.assert_allclose(np.abs(seen.directions[:, 0]), [0, 1])
    np.testing.assert_allclose(seen.direction_gain, [0.0, 0.5])


def test_condition_is_the_ratio_of_energies() -> None:
    rows = Rows(jacobian=np.array([[[10.0, 0.0], [0.0, 2.0]]]), flow=np.zeros((1, 2)), weights=np.ones(1))
    assert observe(normal_system(rows), 1.0, 0.1).condition == pytest.approx(25.0)


def test_covariance_is_what_repeated_noise_gives() -> None:
    # Joint steps from the prior of the ridge, flow with noise sigma / sqrt(w): the errors of 4000 solves have the covariance that is claimed.
    rng = np.random.default_rng(8)
    rows, ridge, sigma = random_rows(rng, cells=20, joints=4), np.array([50.0, 100.0, 200.0, 4000.0]), 0.7
    errors = np.empty((4000, 4))
    for trial in range(len(errors)):
        truth = rng.normal(size=4) * sigma / np.sqrt(ridge)
        noise = rng.normal(size=(20, 2)) * sigma / np.sqrt(rows.weights)[:, None]
        seen = Rows(jacobian=rows.jacobian, flow=rows.jacobian @ truth + noise, weights=rows.weights)
        errors[trial] = solve_damped(normal_system(seen), ridge) - truth
    claimed = observe(normal_system(rows), ridge, sigma).covariance
    std = np.sqrt(np.diag(claimed))
    # 4000 samples know a variance to 2.2 % (one standard deviation) and a correlation to 1.6 %.
    np.testing.assert_allclose(np.cov(errors.T) / np.outer(std, std), claimed / np.outer(std, std), atol=0.09)


def test_directions_of_a_ridge_per_joint_do_not_mix() -> None:
    # A motion along a direction comes back along the same direction, shortened by its gain.
    rows, ridge = random_rows(np.random.default_rng(9)), np.array([1e1, 1e2, 1e3, 1e4, 1e2, 1e3, 1e1])
    system = normal_system(rows)
    seen = observe(system, ridge, 0.1)
    back = np.linalg.solve(system.damped(ridge), system.matrix @ seen.directions)
    np.testing.assert_allclose(back, seen.directions * seen.direction_gain, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(seen.directions, axis=0), 1.0)
    assert np.all(np.diff(seen.direction_gain) >= 0)
