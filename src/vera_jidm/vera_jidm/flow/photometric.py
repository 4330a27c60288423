# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Refine a joint step on the pictures themselves: the step whose motion, and no other motion, makes the target look like the source.

Flow is estimated pixel by pixel and then asked which joint step it means; here brightness is compared only along motions a joint step can
make, so texture that pins one direction of a pixel down helps, and what looks alike sideways does no harm. Needs a first step within about
a pixel, from the inversion of the flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from vera_core.errors import ConfigError, ShapeError
from vera_core.shapes import Array, FloatArray, RgbArray, check_finite
from vera_core.types import JacobianField
from vera_jidm.flow.pictures import check_pictures, is_blank, to_grey
from vera_jidm.flow.sharpness import match_sharpness

BACKTRACKS = 3
"""Shorter steps tried when a step does not make the pictures more alike; each a third of the one before."""
CONVERGED_SHARE = 1e-3
"""An iteration that lowers the cost by less than this share is the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotometricSettings:
    """How a joint step is refined. Chosen by benchmarks/flow_estimators.py; the result changes little with any of them."""

    iterations: int = 5
    """Gauss-Newton steps at most."""
    blur_px: float = 0.8
    """Both pictures are smoothed by this first, px: brightness has to change evenly over the distance that is searched."""
    huber_delta_levels: float = 4.0
    """Differences above this count linearly, grey levels."""
    ridge: float = 1e6
    """Pull towards the first step, grey levels²/rad² over the pixels of all views: joints the pictures do not show stay where the flow put them."""
    least_confidence: float = 0.5
    """Cells the field trusts less are left out: on the edge of the arm half of the pixels stay behind."""
    max_change_rad: float = 0.1
    """No joint of the step changes by more than this, rad."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ('iterations', 1, 50),
            ('blur_px', 0.0, 5.0),
            ('huber_delta_levels', 0.1, 255.0),
            ('ridge', 1e-6, 1e12),
            ('least_confidence', 0.0, 1.0),
            ('max_change_rad', 1e-4, 1.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f'{name} is {getattr(self, name)}; it must be between {low:g} and {high:g}')


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RefinedStep:
    """The refined step; the first one where nothing better was found."""

    delta_q: FloatArray
    """Shape (n,), rad."""
    first_cost: float
    """Mean robust difference of the pictures under the first step, grey levels²."""
    cost: float
    """The same under `delta_q`; never more than `first_cost`."""
    iterations: int
    """Steps that made the pictures more alike; 0: the first step is returned."""
    pixels: int
    """Pixels that were compared."""


def refine_joint_step(
    source: Mapping[str, RgbArray],
    target: Mapping[str, RgbArray],
    fields: Mapping[str, JacobianField],
    delta_q: FloatArray,
    *,
    settings: PhotometricSettings | None = None,
    lower: FloatArray | None = None,
    upper: FloatArray | None = None,
) -> RefinedStep:
    """Minimise ``sum_p c_p huber(T(p + J_p dq) - S(p) - b_view) + ridge |dq - delta_q|^2 / 2`` from `delta_q` on.

    Gauss-Newton in the span of the field [Lucas & Kanade 1981; Baker & Matthews 2004], with the mean of source gradient and warped target
    gradient, which converges from farther [Malis 2004]. b is the difference in brightness of a view, c the trust in the field. A step is
    taken only if the cost falls, so the result is never worse than `delta_q` in these terms.

    Args:
        source: View name to picture, shape (H, W, 3), uint8.
        target: The picture each should become, same views and shapes.
        fields: View name to image Jacobian at the joints of `source`. Views without a picture are left out.
        delta_q: First step, shape (n,), rad.
        settings: Robustness, damping, bounds.
        lower: Smallest joint step allowed, shape (n,), rad.
        upper: Largest joint step allowed, shape (n,), rad.

    Raises:
        ShapeError: If views, sizes or joint counts do not agree, or a value is not finite.
    """
    settings = settings or PhotometricSettings()
    first = np.asarray(delta_q, dtype=np.float64)
    check_finite(delta_q=first)
    if set(source) != set(target) or not set(source) <= set(fields):
        raise ShapeError(f'source has views {sorted(source)}, target {sorted(target)} and the field {sorted(fields)}; all must be the same')
    views = [view for name in source if (view := _open_view(name, source[name], target[name], fields[name], first, settings)) is not None]
    pixels = sum(view.reference.size for view in views)
    lowest, highest = first - settings.max_change_rad, first + settings.max_change_rad
    lowest = lowest if lower is None else np.minimum(np.maximum(lowest, lower), first)
    highest = highest if upper is None else np.maximum(np.minimum(highest, upper), first)
    best = _linearise(views, first, first, settings)
    first_cost, step, count = best.picture_cost, first, 0
    for _ in range(settings.iterations if pixels else 0):
        direction = np.linalg.solve(best.matrix, -best.vector)
        for shorter in range(BACKTRACKS):
            tried = np.clip(step + direction / 3**shorter, lowest, highest)
            found = _linearise(views, tried, first, settings)
            if found.cost < best.cost:
                break
        else:
            break
        converged = best.cost - found.cost < CONVERGED_SHARE * best.cost
        best, step, count = found, tried, count + 1
        if converged:
            break
    share = 1 / max(sum(float(view.weights.sum()) * view.reference.shape[1] for view in views), 1e-12)
    return RefinedStep(delta_q=step, first_cost=first_cost * share, cost=best.picture_cost * share, iterations=count, pixels=pixels)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The cells of one view that are compared: C cells of K pixels."""

    reference: FloatArray
    """Source brightness, shape (C, K)."""
    gradient: FloatArray
    """Source gradient, shape (C, K, 2), levels/px."""
    pixels: FloatArray
    """Where they are, shape (C, K, 2), px."""
    target: FloatArray
    """Target brightness and its gradient, shape (H, W, 3)."""
    jacobian: FloatArray
    """Shape (C, 2, n), px/rad."""
    weights: FloatArray
    """Trust in the field, shape (C,)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    """Cost at one step and its quadratic model there."""

    cost: float
    picture_cost: float
    matrix: FloatArray
    vector: FloatArray


def _open_view(
    name: str, source: RgbArray, target: RgbArray, field: JacobianField, delta_q: FloatArray, settings: PhotometricSettings
) -> _View | None:
    """Prepare one view; None when it shows nothing to compare."""
    check_pictures(source, target, smallest_px=1)
    height, width, joints = field.jacobian.shape[0], field.jacobian.shape[1], field.jacobian.shape[3]
    if source.shape[:2] != (height * field.stride, width * field.stride):
        raise ShapeError(
            f'picture of view {name} is {source.shape[0]} x {source.shape[1]} px but its field covers {height * field.stride} x {width * field.stride} px'
        )
    if delta_q.shape != (joints,):
        raise ShapeError(f'delta_q has shape {delta_q.shape} but the field of view {name} has {joints} joints')
    rows, columns = np.nonzero(field.confidence >= max(settings.least_confidence, 1e-6))
    if is_blank(source) or is_blank(target) or not len(rows):
        return None
    first, second = (_smooth(grey, settings.blur_px) for grey in match_sharpness(to_grey(source), to_grey(target)))
    in_v, in_u = (grid.reshape(1, -1) for grid in np.mgrid[: field.stride, : field.stride])
    v, u = rows[:, None] * field.stride + in_v, columns[:, None] * field.stride + in_u
    return _View(
        reference=first[v, u],
        gradient=_gradient(first)[v, u],
        pixels=np.stack([u, v], axis=-1).astype(np.float32),
        target=np.dstack([second, _gradient(second)]),
        jacobian=field.jacobian[rows, columns].astype(np.float64),
        weights=field.confidence[rows, columns].astype(np.float64),
    )


def _smooth(grey: Array, sigma_px: float) -> FloatArray:
    levels = grey.astype(np.float32)
    return np.asarray(cv2.GaussianBlur(levels, (0, 0), sigma_px)) if sigma_px > 0 else levels


def _gradient(levels: FloatArray) -> FloatArray:
    """Brightness per px to the right and down, shape (H, W, 2); Sobel's 3 x 3 kernel weighs 8 px."""
    return np.stack([cv2.Sobel(levels, cv2.CV_32F, *order, ksize=3) / 8 for order in ((1, 0), (0, 1))], axis=-1)


def _linearise(views: list[_View], step: FloatArray, first: FloatArray, settings: PhotometricSettings) -> _Linear:
    change = step - first
    matrix, vector = settings.ridge * np.eye(len(step)), settings.ridge * change
    picture_cost, delta = 0.0, settings.huber_delta_levels
    for view in views:
        there = view.pixels + (view.jacobian @ step).astype(np.float32)[:, None]
        seen = cv2.remap(view.target, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        difference = seen[..., 0] - view.reference
        trust = view.weights[:, None] * _huber_weights(difference, delta)
        # A dream may be brighter as a whole: that is no motion.
        difference = difference - float((trust * difference).sum() / trust.sum())
        trust = view.weights[:, None] * _huber_weights(difference, delta)
        size = np.abs(difference)
        picture_cost += float((view.weights[:, None] * np.where(size < delta, size**2 / 2, delta * (size - delta / 2))).sum())
        # All pixels of a cell move alike, so a cell is summed to a 2 x 2 structure tensor before the joints come in.
        gradient = 0.5 * (seen[..., 1:] + view.gradient)
        weighted = gradient * trust[..., None]
        tensor = np.einsum('cki,ckj->cij', weighted, gradient)
        matrix += np.einsum('cin,cij,cjm->nm', view.jacobian, tensor, view.jacobian, optimize=True)
        vector += np.einsum('cin,cki,ck->n', view.jacobian, weighted, difference, optimize=True)
    return _Linear(picture_cost + 0.5 * settings.ridge * float(change @ change), picture_cost, matrix, vector)


def _huber_weights(difference: FloatArray, delta: float) -> FloatArray:
    return np.asarray(delta / np.maximum(np.abs(difference), delta))
