# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Do the pictures show the motion that the joints report? Real pictures are compared with real pictures; no plan is involved.

Between two pictures the joints moved by a measured dq, and each joint should have moved the image by its own e_j = J_j dq_j. The flow that
is seen is explained by these shares, ``seen = sum_j gain_j e_j``, with least squares over all cells of all views and a prior that every
gain is 1. Where all is well gains are near 1. A joint whose sign is wrong has a gain near -1; with swapped, mirrored or shifted pictures
J dq and the seen flow point in different directions, and their cosine falls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import Frame, JacobianField, MotionEvidence, RobotState
from vera_jidm.flow.between import flow_between
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.solve.rows import stack_rows

COMPARED_PX = 0.5
"""Pictures are compared once a joint motion should have moved some cell this far, px; less is lost in the noise of the flow."""
SHORTEST_S, LONGEST_S = 0.09, 0.5
"""Two pictures that are compared are this far apart, s. The short end bounds the cost, the long one keeps the field straight."""
JUMP_RAD = 0.1
"""Joints this much further from where they were at the last look than their speed takes them were put there: another scene, another robot."""
LIKELY_RAD_S = 0.5
"""Joints may be this fast whatever their driver says: some never tell a speed."""
FROZEN_PX = 3.0
"""A picture that stays the same to the last bit while its view should have moved this far is frozen, px."""
MEMORY_RAD = 0.35
"""Evidence fades with the motion after it: a joint motion of this size leaves 1 / e, rad. At rest nothing fades."""
SMALLEST_PART = 8
"""So many cells have to move before it counts as motion."""
PRIOR_PX2 = 1.5
"""Weight of the prior that a joint moves the image as its field says, px² over 4 px cells: so much image motion makes half of a gain."""


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    frames: Mapping[str, Frame]
    fields: Mapping[str, JacobianField]
    state: RobotState


class MotionWitness:
    """Compares now and then two sets of pictures taken during the same task; see the module. Not safe between threads."""

    def __init__(self, joints: int, estimator: FlowEstimator) -> None:
        """Begin without evidence.

        Args:
            joints: Number of joints, n.
            estimator: Flow between two real pictures; a rough one will do.
        """
        self._joints = joints
        self._estimator = estimator
        self._task_id: int | None = None
        self._before: _Moment | None = None
        self._last: RobotState | None = None
        self._last_change: dict[str, _Moment] = {}
        self._forget()

    def look(self, frames: Mapping[str, Frame], fields: Mapping[str, JacobianField], state: RobotState, *, task_id: int) -> MotionEvidence:
        """Take in the pictures of one moment and return what all of them say about the motion of this task.

        Args:
            frames: View name to picture.
            fields: Their fields, one per view.
            state: Joints measured at that time.
            task_id: Evidence of another task is dropped.
        """
        if task_id != self._task_id:
            self._task_id, self._before = task_id, None
            self._last_change.clear()
            self._forget()
        now = _Moment(frames, fields, state)
        last, self._last = self._last, state
        if last is not None and _has_jumped(last, state):
            # Nothing moved the arm from there to here, so nothing was seen of it; the world may be another one too.
            self._before = None
            self._last_change.clear()
        frozen = tuple(view for view in fields if self._is_frozen(view, now))
        if self._before is None:
            self._before = now
            return self._conclude(frozen)
        span_s = (state.stamp_ns - self._before.state.stamp_ns) * 1e-9
        moved = state.position - self._before.state.position
        if span_s < 0 or span_s > LONGEST_S:
            self._before = now
        elif span_s >= SHORTEST_S and _largest_px(self._before.fields.values(), moved) >= COMPARED_PX:
            self._compare(self._before, now.frames, moved)
            self._before = now
        return self._conclude(frozen)

    def _forget(self) -> None:
        self._energy = np.zeros((self._joints, self._joints))
        self._match = np.zeros(self._joints)
        self._seen_px2 = 0.0

    def _compare(self, before: _Moment, frames: Mapping[str, Frame], moved: FloatArray) -> None:
        pairs = {view: self._estimator.estimate(before.frames[view].rgb, frames[view].rgb) for view in before.fields}
        seen = flow_between({view: pair[0] for view, pair in pairs.items()}, {view: pair[1] for view, pair in pairs.items()})
        rows = stack_rows(before.fields, seen)
        shares = rows.jacobian * moved  # (N, 2, n): what each joint should have moved
        weighted = (shares * rows.weights[:, None, None]).reshape(-1, self._joints)
        kept = float(np.exp(-np.max(np.abs(moved)) / MEMORY_RAD))
        self._energy = kept * self._energy + weighted.T @ shares.reshape(-1, self._joints)
        self._match = kept * self._match + weighted.T @ rows.flow.reshape(-1)
        self._seen_px2 = kept * self._seen_px2 + float(rows.weights @ np.sum(rows.flow**2, axis=1))

    def _conclude(self, frozen: tuple[str, ...]) -> MotionEvidence:
        stiffness = self._energy + PRIOR_PX2 * np.eye(self._joints)
        covariance = np.linalg.inv(stiffness)
        expected_px2 = float(self._energy.sum())
        sizes = np.sqrt(max(expected_px2, 0.0) * self._seen_px2)
        return MotionEvidence(
            gain=covariance @ (self._match + PRIOR_PX2),
            gain_std=np.sqrt(PRIOR_PX2 * np.diag(covariance)),
            agreement=float(np.clip(self._match.sum() / sizes, -1.0, 1.0)) if sizes > 0 else 1.0,
            expected_px2=max(expected_px2, 0.0),
            frozen_views=frozen,
        )

    def _is_frozen(self, view: str, now: _Moment) -> bool:
        since = self._last_change.get(view)
        if since is None or not _is_same(since.frames[view].rgb, now.frames[view].rgb):
            self._last_change[view] = now
            return False
        return _largest_px([since.fields[view]], now.state.position - since.state.position) >= FROZEN_PX


def _has_jumped(before: RobotState, now: RobotState) -> bool:
    """Whether some joint is where no speed like those at both ends can have taken it."""
    span_s = max(0.0, (now.stamp_ns - before.stamp_ns) * 1e-9)
    speed = np.maximum(np.maximum(np.abs(before.velocity), np.abs(now.velocity)), LIKELY_RAD_S)
    reach = JUMP_RAD + 2.0 * span_s * speed
    return bool(np.any(np.abs(now.position - before.position) > reach))


def _is_same(first: RgbArray, second: RgbArray) -> bool:
    return first is second or bool(np.array_equal(first, second))


def _largest_px(fields: Iterable[JacobianField], moved: FloatArray) -> float:
    """Return how far a joint motion moves the few cells it moves most, weighted by the field's confidence, px."""
    largest = 0.0
    for field in fields:
        motion = field.jacobian.reshape(-1, len(moved)) @ moved.astype(np.float32)
        lengths = np.hypot(motion[0::2], motion[1::2]) * field.confidence.reshape(-1)
        rank = min(SMALLEST_PART, lengths.size)
        largest = max(largest, float(np.partition(lengths, -rank)[-rank]))
    return largest
