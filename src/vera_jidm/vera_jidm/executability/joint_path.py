# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The joint motion a plan asks for, step by step, and what of its picture motion no joint motion makes.

The measured joints are known for the real picture only. From there joint steps are added up, and the field of a later picture is asked for at
joints that were added up: an estimate, whose error grows over the plan. Between two such evaluations the points of the robot ride along with
the joint steps and keep the Jacobian they had, although it turns a little with the robot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.shapes import Array, FloatArray
from vera_core.types import JacobianField
from vera_jidm.executability.look import Step
from vera_jidm.solve import SolveSettings
from vera_jidm.solve.joint_step import step_scale
from vera_jidm.solve.rows import pool_to_cells

ROBOT_CONFIDENCE = 0.1
"""Cells the field trusts less are no robot: table, cubes, also those that the robot is going to move."""
BELIEVED_LEVELS = 10.0
"""Flow where the pictures still differ by this much counts half, grey levels."""
NOISE_PX = 0.5
"""Motion that pictures show where nothing moved, px rms over some steps."""
ROUNDS = 3
"""Reweighted solves."""
BEYOND_RAD = 0.3
"""The field is not asked for joints further past their limits than this, rad: it has never seen any."""


@dataclass(slots=True, eq=False)
class _Points:
    """Points of the robot in one view, at first the middles of the cells that show it."""

    place: FloatArray
    """Where they are now, shape (M, 2), px."""
    way: FloatArray
    """How far they have come, shape (M, 2), px."""
    jacobian: FloatArray
    """Shape (M, 2, n), px/rad."""
    confidence: FloatArray
    """Shape (M,)."""
    stride: int
    seen: FloatArray
    """Motion the pictures showed of them so far, shape (M, 2), px."""

    def cells(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Return row and column of the cell each of them is in, in a grid of this shape; the nearest one for those outside."""
        column, row = (np.clip(np.rint(axis / self.stride - 0.5).astype(int), 0, None) for axis in self.place.T)
        return np.minimum(row, shape[0] - 1), np.minimum(column, shape[1] - 1)

    def ride(self, delta_q: FloatArray) -> None:
        """Move with a joint step."""
        moved = self.jacobian @ delta_q
        self.place, self.way = self.place + moved, self.way + moved


@dataclass(frozen=True, slots=True)
class Drift:
    """Motion of the robot that joint motion did not make, over some steps."""

    apart_px2: float = 0.0
    """Squared distance between where joint motion and where the pictures took the points of the robot, weighted sum, px²."""
    seen_px2: float = 0.0
    """Squared way the pictures took them, weighted sum, px²."""
    weight: float = 0.0

    def __add__(self, other: Drift) -> Drift:
        """Take two stretches together."""
        return Drift(self.apart_px2 + other.apart_px2, self.seen_px2 + other.seen_px2, self.weight + other.weight)

    @property
    def ratio(self) -> float:
        """Unexplained over seen, rms over rms; motion below NOISE_PX is none."""
        return float(np.sqrt(self.apart_px2 / max(self.seen_px2, NOISE_PX**2 * self.weight, 1e-12)))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JointStep:
    """One step along the path."""

    delta_q: FloatArray
    """Shape (n,), rad."""
    unexplained_px: float
    """Rms over the robot of the motion that no joint motion makes, px."""


class JointPath:
    """Adds up joint steps from the measured joints on."""

    def __init__(self, robot: Embodiment, position: FloatArray, settings: SolveSettings | None = None) -> None:
        """Begin at measured joints, shape (n,), rad."""
        self._settings = settings or SolveSettings()
        self._lower, self._upper = robot.limits('lower'), robot.limits('upper')
        self._share = 1.0 / step_scale(robot, self._settings.ridge)
        self._points: dict[str, _Points] = {}
        self.position = np.array(position, dtype=np.float64)

    @property
    def asked_position(self) -> FloatArray:
        """Where to evaluate the field of the present picture, shape (n,), rad."""
        return np.asarray(np.clip(self.position, self._lower - BEYOND_RAD, self._upper + BEYOND_RAD))

    @property
    def robot_seen(self) -> float:
        """Amount of robot in the field in use, cells weighted by confidence."""
        return float(sum(points.confidence.sum() for points in self._points.values()))

    def use(self, fields: Mapping[str, JacobianField]) -> None:
        """Use the fields of a picture from the next step on."""
        self._points = {}
        for view, field in fields.items():
            rows, columns = np.nonzero(field.confidence > ROBOT_CONFIDENCE)
            place = (np.stack([columns, rows], axis=1) + 0.5) * field.stride - 0.5
            self._points[view] = _Points(
                place=place,
                way=np.zeros_like(place),
                jacobian=field.jacobian[rows, columns].astype(np.float64),
                confidence=field.confidence[rows, columns].astype(np.float64),
                stride=field.stride,
                seen=np.zeros_like(place),
            )

    def follow(self, steps: Mapping[str, Step]) -> JointStep:
        """Go one step of all views on."""
        jacobians, flows, weights = [], [], []
        for view, points in self._points.items():
            flow = pool_to_cells(steps[view].flow, points.stride)
            at = points.cells(flow.shape)
            error = pool_to_cells(steps[view].error, points.stride)[at]
            flows.append(flow[at])
            jacobians.append(points.jacobian)
            weights.append(points.confidence / (1.0 + (error / BELIEVED_LEVELS) ** 2))
        jacobian, flow, weight = np.concatenate(jacobians), np.concatenate(flows), np.concatenate(weights)
        delta_q, unexplained = self._solve(jacobian, flow, weight)
        self.position = self.position + delta_q
        for points, seen in zip(self._points.values(), flows, strict=True):
            points.ride(delta_q)
            points.seen += seen
        total = float(weight.sum())
        return JointStep(delta_q=delta_q, unexplained_px=float(np.sqrt(weight @ unexplained / total)) if total > 0 else 0.0)

    @property
    def way_px(self) -> float:
        """How far the farthest points of the robot (one in twenty) have come since the field in use was taken, px."""
        way = np.concatenate([np.linalg.norm(points.way, axis=1) for points in self._points.values()])
        return float(np.quantile(way, 0.95)) if len(way) else 0.0

    def drift(self) -> Drift:
        """Return how far apart the points that ride and the motion the pictures showed have come since the field in use was taken."""
        sums = np.zeros(3)
        for points in self._points.values():
            apart, seen = points.seen - points.way, points.seen
            squares = np.einsum('mi,mi->m', apart, apart), np.einsum('mi,mi->m', seen, seen)
            sums += [points.confidence @ squares[0], points.confidence @ squares[1], points.confidence.sum()]
        return Drift(*sums.tolist())

    def _solve(self, jacobian: FloatArray, flow: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the joint step, shape (n,), and the squared error it leaves, shape (M,)."""
        joints = len(self.position)
        ridge = np.eye(joints) * self._settings.ridge_of(joints)
        stacked, wanted, delta = jacobian.reshape(-1, joints), flow.reshape(-1), self._settings.huber_delta_px
        robust: FloatArray = np.ones(len(weight))
        delta_q: FloatArray = np.zeros(joints)
        squared: FloatArray = np.einsum('mi,mi->m', flow, flow)
        for _ in range(ROUNDS):
            weighted = stacked * np.repeat(weight * robust, 2)[:, None]
            delta_q = np.linalg.solve(weighted.T @ stacked + ridge, weighted.T @ wanted)
            error = (wanted - stacked @ delta_q).reshape(-1, 2)
            squared = np.einsum('mi,mi->m', error, error)
            robust = delta / np.maximum(np.sqrt(squared), delta)
        return delta_q, squared

    def overrun(self) -> tuple[float, int]:
        """Return how far the joint that is furthest past its limit is past it, rad (negative: inside), and its number.

        A joint of which larger steps than usual are expected shows less in the pictures, and what was added up for it errs by as much more:
        it counts by the usual step over its own.
        """
        past = np.maximum(self._lower - self.position, self.position - self._upper) * self._share
        joint = int(np.argmax(past))
        return float(past[joint]), joint
