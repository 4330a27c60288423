# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What flows through the house, in the order it flows: frame, plan, flow, Jacobian, joint velocity.

Arrays are made read-only at the door. Pixels: u to the right, v down, integer coordinates at pixel centres. Stamps are nanoseconds of the
clock the robot runs on. All pictures in memory are RGB, uint8, at the embodiment's working size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from vera_core.errors import ShapeError
from vera_core.shapes import Array, FloatArray, RgbArray, check_finite, check_shapes


def _freeze(owner: object, name: str, array: Array, dtype: Any = None) -> Array:
    view = np.asarray(array, dtype=dtype).view()
    view.flags.writeable = False
    object.__setattr__(owner, name, view)
    return view


def _freeze_views(owner: object, name: str, views: Mapping[str, Array], dtype: Any, pattern: str) -> None:
    if not views:
        raise ShapeError(f'{name} holds no view; at least one camera is needed')
    frozen: dict[str, Array] = {}
    for view_name, array in views.items():
        array = np.asarray(array)
        if dtype is np.uint8 and array.dtype != np.uint8:
            raise ShapeError(f'{name}[{view_name}] has dtype {array.dtype} but uint8 was expected')
        array = np.asarray(array, dtype=dtype).view()
        check_shapes(**{f'{name}[{view_name}]': (array, pattern)})
        if np.issubdtype(array.dtype, np.floating):
            check_finite(**{f'{name}[{view_name}]': array})
        array.flags.writeable = False
        frozen[view_name] = array
    object.__setattr__(owner, name, MappingProxyType(frozen))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Frame:
    """One camera picture."""

    view: str
    """Name of the camera view."""
    stamp_ns: int
    """When it was taken, ns."""
    rgb: RgbArray
    """Shape (H, W, 3), uint8."""

    def __post_init__(self) -> None:
        if self.rgb.dtype != np.uint8:
            raise ShapeError(f'rgb of view {self.view} has dtype {self.rgb.dtype} but uint8 was expected')
        check_shapes(rgb=(_freeze(self, 'rgb', self.rgb), 'H W 3'))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VideoPlan:
    """A dreamt future of every view. Frame 0 is the real picture it was conditioned on."""

    plan_id: int
    task_id: int
    prompt: str
    stamp_ns: int
    """Stamp of the newest real frame in the context, ns."""
    step_dt_s: float
    """Time between two planned frames, s."""
    frames: Mapping[str, RgbArray]
    """View name to pictures of shape (T + 1, H, W, 3), uint8."""
    context_len: int = 1
    model: str = ''
    seed: int = 0
    confidence: float = 1.0
    inference_s: float = 0.0
    candidate: int = 0
    """Place among the plans made for one choice, 0..candidates - 1."""
    candidates: int = 1
    """So many plans were made for it, of which the best is followed."""

    def __post_init__(self) -> None:
        _freeze_views(self, 'frames', self.frames, np.uint8, 'T H W 3')
        if not 0 <= self.candidate < self.candidates:
            raise ShapeError(f'candidate is {self.candidate} of {self.candidates}; 0 <= candidate < candidates is needed')
        lengths = {array.shape[0] for array in self.frames.values()}
        if len(lengths) != 1 or min(lengths) < 2:
            raise ShapeError(f'views have {sorted(lengths)} frames; all need the same number, at least 2')
        if not (np.isfinite(self.step_dt_s) and self.step_dt_s > 0):
            raise ShapeError(f'step_dt_s is {self.step_dt_s}; it must be finite and > 0')

    @property
    def horizon(self) -> int:
        """Number of planned frames, the real frame 0 not counted."""
        return int(next(iter(self.frames.values())).shape[0]) - 1

    @property
    def duration_s(self) -> float:
        """Time from frame 0 to the last planned frame, s."""
        return self.horizon * self.step_dt_s


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FlowField:
    """Image motion wanted within `dt_s`, from one real picture per view."""

    stamp_ns: int
    """Stamp of the real pictures, ns."""
    plan_id: int
    task_id: int
    step: int
    """Index of the plan frame aimed at."""
    dt_s: float
    """Time in which the motion should happen, s."""
    flow: Mapping[str, FloatArray]
    """View name to flow of shape (H, W, 2), px, +u right, +v down."""
    confidence: Mapping[str, FloatArray]
    """View name to trust of shape (H, W), 0..1."""
    remaining_px: float
    """95th percentile of the motion still missing to the last plan frame, px."""
    at_plan_end: bool

    def __post_init__(self) -> None:
        _freeze_views(self, 'flow', self.flow, np.float32, 'H W 2')
        _freeze_views(self, 'confidence', self.confidence, np.float32, 'H W')
        if set(self.flow) != set(self.confidence):
            raise ShapeError(f'flow has views {sorted(self.flow)} but confidence has {sorted(self.confidence)}')
        if not (np.isfinite(self.dt_s) and self.dt_s > 0):
            raise ShapeError(f'dt_s is {self.dt_s}; it must be finite and > 0')


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JacobianField:
    """Image Jacobian of one view on a regular grid of cells: flow at a cell's centre = jacobian @ delta_q."""

    view: str
    jacobian: FloatArray
    """Shape (h, w, 2, n), working-size pixels per rad, +u right, +v down."""
    confidence: FloatArray
    """Shape (h, w), 0..1."""
    stride: int
    """Pixels per cell edge; cell (r, c) covers rows r*stride .. (r+1)*stride - 1."""

    def __post_init__(self) -> None:
        jacobian = _freeze(self, 'jacobian', self.jacobian, np.float32)
        confidence = _freeze(self, 'confidence', self.confidence, np.float32)
        check_shapes(jacobian=(jacobian, 'h w 2 n'), confidence=(confidence, 'h w'))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RobotState:
    """Measured joints, in the embodiment's order."""

    stamp_ns: int
    position: FloatArray
    """Shape (n,), rad."""
    velocity: FloatArray
    """Shape (n,), rad/s."""

    def __post_init__(self) -> None:
        position = _freeze(self, 'position', self.position, np.float64)
        velocity = _freeze(self, 'velocity', self.velocity, np.float64)
        check_shapes(position=(position, 'n'), velocity=(velocity, 'n'))
        check_finite(position=position, velocity=velocity)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MotionEvidence:
    """What the pictures show of the motion that the joints report, gathered over the motion of a task so far."""

    gain: FloatArray
    """Shape (n,): image motion seen over image motion expected of each joint; 1 as expected (and without evidence), -1 the other way round."""
    gain_std: FloatArray
    """Standard deviation of `gain`, shape (n,); 1 without evidence."""
    agreement: float
    """Cosine between expected and seen image motion over all cells, -1..1; 1 without evidence."""
    expected_px2: float
    """How much image motion was expected, summed over 4 px cells, px²: what `agreement` stands on."""
    frozen_views: tuple[str, ...] = ()
    """Views whose picture stays the same to the last bit although the arm moves."""

    def __post_init__(self) -> None:
        gain, gain_std = _freeze(self, 'gain', self.gain, np.float64), _freeze(self, 'gain_std', self.gain_std, np.float64)
        check_shapes(gain=(gain, 'n'), gain_std=(gain_std, 'n'))
        check_finite(gain=gain, gain_std=gain_std)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JointVelocity:
    """Joint motion that explains a flow field best, with how far to trust it. Joints in the embodiment's order."""

    stamp_ns: int
    """Stamp of the real pictures it was computed from, ns."""
    plan_id: int
    task_id: int
    step: int
    dt_s: float
    delta_q: FloatArray
    """Joint step, shape (n,), rad."""
    std: FloatArray
    """Standard deviation of delta_q, shape (n,), rad."""
    observability: FloatArray
    """Shape (n,), 0..1: how much of each joint's motion the images show through the damping."""
    residual_ratio: float
    """Unexplained share of the flow, rms over rms, 0..1."""
    residual_px: float
    """Unexplained flow, px rms."""
    condition: float
    """Condition number of the undamped normal matrix."""
    remaining_px: float
    at_plan_end: bool
    evidence: MotionEvidence | None = None
    """What pictures before these showed of the measured motion; None where nobody looked."""

    def __post_init__(self) -> None:
        arrays = {name: _freeze(self, name, getattr(self, name), np.float64) for name in ('delta_q', 'std', 'observability')}
        check_shapes(**{name: (array, 'n') for name, array in arrays.items()})
        check_finite(**arrays)

    @property
    def velocity(self) -> FloatArray:
        """delta_q / dt_s, shape (n,), rad/s."""
        return np.asarray(self.delta_q / self.dt_s)
