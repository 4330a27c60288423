# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What every estimator of a joint step has to answer, whichever way it gets there, so that all are measured on the same questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import FlowField
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.solve.joint_step import SolveSettings, solve_joint_step


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StepQuery:
    """Two moments of a moving robot; an estimator looks at what it needs of them."""

    before: Mapping[str, RgbArray]
    """View name to picture at working size, shape (H, W, 3), uint8."""
    after: Mapping[str, RgbArray]
    """The same views after the step."""
    flow: FlowField
    """Image motion from `before` to `after`."""
    position: FloatArray
    """Measured joints before the step, shape (n,), rad."""


@runtime_checkable
class JointStepModel(Protocol):
    """Anything that tells the joint step between two moments: a Jacobian field with its inverse, or a direct network."""

    def predict(self, query: StepQuery) -> FloatArray:
        """Return the joint step, shape (n,), rad.

        Raises:
            ShapeError: If a view is missing, or a picture, the flow or the joints do not fit the model.
        """
        ...


class FieldSteps:
    """A Jacobian field and the robust damped inversion as a JointStepModel.

    Args:
        field: Learned, analytic or a test double.
        settings: Of the inversion; those of the running system when left out.
    """

    def __init__(self, field: JacobianModel, settings: SolveSettings | None = None) -> None:
        self._field = field
        self._settings = settings or SolveSettings()

    def predict(self, query: StepQuery) -> FloatArray:
        """Return the joint step whose image motion is the flow, shape (n,), rad; the picture afterwards is not looked at."""
        return solve_joint_step(self._field.predict(query.before, query.position), query.flow, settings=self._settings).delta_q
