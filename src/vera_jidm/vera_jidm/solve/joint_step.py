# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The inversion in one call: fields and flow of all views in, one joint step with its trust out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError, ShapeError
from vera_core.shapes import FloatArray
from vera_core.types import FlowField, JacobianField
from vera_jidm.solve.bounded import solve_bounded
from vera_jidm.solve.damped_least_squares import NormalSystem, Ridge, solve_damped
from vera_jidm.solve.observability import observe
from vera_jidm.solve.robust import RobustCost, solve_robust
from vera_jidm.solve.rows import Rows, squared_length, stack_rows

NOISE_FLOOR_PX = 0.2
"""Flow weaker than this is mostly the estimator's own noise: residual_ratio and std never assume less."""
SAMPLE_ROWS = 2048
"""About this many row pairs are enough to know a standard deviation or an rms; the shipped grids have no more."""


def step_scale(robot: Embodiment, ridge: float) -> FloatArray:
    """Return how large the steps expected of every joint are beside the usual one, NOISE_FLOOR_PX / sqrt(ridge), shape (n,); 1 where none is said."""
    usual = NOISE_FLOOR_PX / np.sqrt(ridge)
    return np.array([(joint.expected_step or usual) / usual for joint in robot.joints])


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveSettings:
    """How the joint step is found.

    A ridge stands for what is known about the joint step before looking: delta_q ~ N(0, NOISE_FLOOR_PX² / ridge), 0.02 rad as shipped. What
    joint motion does not explain of the flow is its noise, sigma, and with more noise the same knowledge weighs more: the ridge of the step is
    ``ridge max(1, sigma² / noise_full_px²)``. A field that is wrong about weak joints leaves much unexplained; with a fixed ridge
    those joints would be pulled away to explain a little of it, while the strong ones bring the picture near (test_solve_poor_field.py).
    """

    ridge: float = 100.0
    """Damping, px²/rad² summed over 4 px cells at working size, > 0. Not relative to the data: see solve_damped."""
    joint_ridge: tuple[float, ...] = ()
    """Damping of each joint in place of `ridge`, px²/rad², in the order of the joints: (0.2 px / expected step)². Empty: `ridge` for all."""
    noise_full_px: float = 0.3
    """Up to this much unexplained flow per component the ridge is as given, beyond it grows with its square, px, > 0.

    Smaller is safer with a poor field; at the noise floor, 0.2, robots that cover few pixels came to a stand before their goal.
    """
    huber_delta_px: float = 0.5
    """Errors above this count linearly, px, > 0."""
    irls_iterations: int = 3
    """Reweighted solves after the first plain one, >= 0."""

    def __post_init__(self) -> None:
        for name in ('ridge', 'huber_delta_px', 'noise_full_px'):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f'{name} is {value}; it must be finite and > 0')
        for joint, value in enumerate(self.joint_ridge):
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f'joint_ridge[{joint}] is {value}; it must be finite and > 0')
        if self.irls_iterations < 0:
            raise ConfigError(f'irls_iterations is {self.irls_iterations}; it must be >= 0')

    def ridge_of(self, joints: int) -> Ridge:
        """Return the damping for this many joints, px²/rad².

        Raises:
            ShapeError: If `joint_ridge` is for another number of joints.
        """
        if not self.joint_ridge:
            return self.ridge
        if len(self.joint_ridge) != joints:
            raise ShapeError(f'joint_ridge has {len(self.joint_ridge)} values but the field has {joints} joints')
        return np.asarray(self.joint_ridge, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JointStep:
    """The joint step that explains the flow best."""

    delta_q: FloatArray
    """Shape (n,), rad."""
    std: FloatArray
    """Standard deviation of delta_q, shape (n,), rad."""
    covariance: FloatArray
    """Shape (n, n), rad²; see observe for what it means."""
    observability: FloatArray
    """Shape (n,), 0..1: share of a motion of each joint that comes back through image and damping."""
    condition: float
    """Condition number of the undamped normal matrix, at most 1e12."""
    residual_px: float
    """Flow that no allowed joint motion explains (at the ridge as given, inside the bounds), weighted rms, px."""
    residual_ratio: float
    """residual_px over the rms of the flow itself, 0..1."""
    rows: int
    """Grid cells that had a say."""


def solve_joint_step(
    fields: Mapping[str, JacobianField],
    flow: FlowField,
    *,
    settings: SolveSettings | None = None,
    lower: FloatArray | None = None,
    upper: FloatArray | None = None,
) -> JointStep:
    """Find the joint step whose image motion, in all views together, is the wanted flow.

    Args:
        fields: View name to image Jacobian.
        flow: Wanted image motion and its confidence.
        settings: Damping and robustness.
        lower: Smallest joint step allowed, shape (n,), rad; without it there is no bound.
        upper: Largest joint step allowed, shape (n,), rad.

    Raises:
        ShapeError: If views, grids or joint counts do not agree.
    """
    return solve_rows(stack_rows(fields, flow), settings=settings or SolveSettings(), lower=lower, upper=upper)


def solve_rows(rows: Rows, *, settings: SolveSettings, lower: FloatArray | None = None, upper: FloatArray | None = None) -> JointStep:
    """Find the joint step of rows that are stacked already; see solve_joint_step."""
    joints = rows.jacobian.shape[2]
    lower = np.full(joints, -np.inf) if lower is None else np.asarray(lower, dtype=np.float64)
    upper = np.full(joints, np.inf) if upper is None else np.asarray(upper, dtype=np.float64)
    for name, bound in (('lower', lower), ('upper', upper)):
        if bound.shape != (joints,) or np.isnan(bound).any():
            raise ShapeError(f'{name} bound is {bound} but {joints} numbers were expected, one per joint of the field')
    ridge = settings.ridge_of(joints)
    cost = RobustCost(ridge=ridge, huber_delta_px=settings.huber_delta_px, lower=lower, upper=upper)
    solution = solve_robust(rows, cost, iterations=settings.irls_iterations)
    some = rows.every(max(len(rows) // SAMPLE_ROWS, 1))
    ridge, noise_px = _stiffened(some, solution.system, ridge, settings)
    seen = observe(solution.system, ridge, max(noise_px, NOISE_FLOOR_PX))
    residual_px = _rms(some, squared_length(some.error(solution.delta_q)))
    flow_px = _rms(some, squared_length(some.flow))
    return JointStep(
        delta_q=solve_bounded(solution.system, ridge, lower, upper),
        std=np.sqrt(np.diag(seen.covariance)),
        covariance=seen.covariance,
        observability=seen.gain,
        condition=seen.condition,
        residual_px=residual_px,
        residual_ratio=min(residual_px / max(flow_px, NOISE_FLOOR_PX), 1.0),
        rows=len(rows),
    )


def _rms(rows: Rows, squared: FloatArray) -> float:
    """Root of the mean of squared lengths over the rows, weighted by the trust the inputs had before robust weighting, px."""
    total = float(rows.weights.sum())
    return float(np.sqrt(rows.weights @ squared / total)) if total > 0 else 0.0


def _stiffened(rows: Rows, system: NormalSystem, ridge: Ridge, settings: SolveSettings) -> tuple[Ridge, float]:
    """Return the ridge for the noise of these rows, and that noise, px: without bounds, for what they leave unexplained is no noise."""
    noise_px = _noise(rows, solve_damped(system, ridge))
    return ridge * max(1.0, (noise_px / settings.noise_full_px) ** 2), noise_px


def _noise(rows: Rows, delta_q: FloatArray) -> float:
    """Standard deviation of one component of the flow that a joint step leaves in rows a joint can move, px."""
    # The background explains nothing and would make the noise look small: a row counts by how strongly any joint moves it.
    # Rows far off count in full: where a field is wrong about a link, they are the sign of it.
    counted = rows.weights * np.sqrt(np.einsum('nij,nij->n', rows.jacobian, rows.jacobian))
    total = float(counted.sum())
    return float(np.sqrt(counted @ squared_length(rows.error(delta_q)) / (2 * total))) if total > 0 else 0.0
