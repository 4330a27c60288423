# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""DIS flow: contract of an estimator, accuracy on known warps, honesty where nothing can be known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vera_core.errors import ConfigError, ShapeError
from vera_jidm.flow.consistency import round_trip_confidence
from vera_jidm.flow.dis import QUICK, DisFlow, DisSettings
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.flow.sharpness import detail, match_sharpness
from vera_jidm.registry import FLOW_ESTIMATORS

SIZE = 128


def texture(seed: int = 0, size: int = SIZE) -> np.ndarray:
    """A random picture with structure from 2 to 30 px."""
    rng = np.random.default_rng(seed)
    grey = sum(cv2.GaussianBlur(rng.normal(size=(size, size)), (0, 0), sigma) * sigma for sigma in (1.0, 3.0, 8.0))
    grey = (grey - grey.min()) / (grey.max() - grey.min())
    return np.repeat((40 + 180 * grey)[..., None], 3, axis=2).astype(np.uint8)


def moved(picture: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture under an affine map of its pixels, and the flow of every pixel."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    there = matrix[:, :2] @ np.stack([columns.ravel(), rows.ravel()]) + matrix[:, 2:]
    flow = there.T.reshape(height, width, 2) - np.stack([columns, rows], axis=-1)
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), flow


def error_inside(flow: np.ndarray, truth: np.ndarray, margin: int = 16) -> float:
    inside = slice(margin, -margin)
    return float(np.linalg.norm(flow - truth, axis=-1)[inside, inside].mean())


WARPS = {
    'small shift': np.array([[1, 0, 0.6], [0, 1, -0.4]]),
    'shift': np.array([[1, 0, 3.3], [0, 1, -2.2]]),
    'long shift': np.array([[1, 0, -6.0], [0, 1, 5.0]]),
    'turn': np.hstack([cv2.getRotationMatrix2D((63.5, 63.5), 3.0, 1.0)]),
    'zoom': np.hstack([cv2.getRotationMatrix2D((63.5, 63.5), 0.0, 1.05)]),
}


@pytest.mark.parametrize('name', FLOW_ESTIMATORS.names)
class TestEveryEstimator:
    """What PlanFollower relies on, whatever the estimator."""

    def test_is_a_flow_estimator(self, name: str) -> None:
        assert isinstance(FLOW_ESTIMATORS.make(name), FlowEstimator)

    @pytest.mark.parametrize('warp', WARPS)
    def test_flow_points_from_source_to_target(self, name: str, warp: str) -> None:
        source = texture()
        target, truth = moved(source, WARPS[warp])
        flow, confidence = FLOW_ESTIMATORS.make(name).estimate(source, target)
        assert flow.shape == (SIZE, SIZE, 2)
        assert confidence.shape == (SIZE, SIZE)
        assert error_inside(flow, truth) < 0.15
        assert confidence[16:-16, 16:-16].mean() > 0.9

    def test_same_picture_is_no_motion_and_full_trust(self, name: str) -> None:
        flow, confidence = FLOW_ESTIMATORS.make(name).estimate(texture(), texture())
        assert not flow.any()
        assert np.all(confidence == 1)

    def test_confidence_is_finite_and_within_bounds_on_unrelated_pictures(self, name: str) -> None:
        flow, confidence = FLOW_ESTIMATORS.make(name).estimate(texture(1), texture(2))
        assert np.isfinite(flow).all()
        assert confidence.min() >= 0
        assert confidence.max() <= 1
        assert confidence.mean() < 0.5

    def test_textureless_pictures_are_no_motion(self, name: str) -> None:
        flow, _ = FLOW_ESTIMATORS.make(name).estimate(np.full((SIZE, SIZE, 3), 90, np.uint8), np.full((SIZE, SIZE, 3), 95, np.uint8))
        assert np.abs(flow).max() < 0.1

    def test_other_sizes_and_types_are_refused(self, name: str) -> None:
        estimator = FLOW_ESTIMATORS.make(name)
        with pytest.raises(ShapeError, match='source is 128 x 128 px but target is 64 x 64 px'):
            estimator.estimate(texture(), texture(size=64))
        with pytest.raises(ShapeError, match='target has dtype float64'):
            estimator.estimate(texture(), texture().astype(float))
        with pytest.raises(ShapeError, match='source has shape'):
            estimator.estimate(texture()[..., 0], texture())

    def test_inputs_are_left_alone(self, name: str) -> None:
        source, target = texture(1), texture(2)
        FLOW_ESTIMATORS.make(name).estimate(source, target)
        np.testing.assert_array_equal(source, texture(1))
        np.testing.assert_array_equal(target, texture(2))


def test_a_moving_patch_moves_and_the_background_rests() -> None:
    source, target = texture(3), texture(3)
    patch = texture(4)[:40, :40]
    source[40:80, 40:80] = patch
    target[42:82, 43:83] = patch
    flow, confidence = DisFlow().estimate(source, target)
    np.testing.assert_allclose(np.median(flow[48:72, 48:72], axis=(0, 1)), [3, 2], atol=0.1)
    assert np.linalg.norm(flow[:24], axis=-1).mean() < 0.1
    # The strip the patch uncovers in the target is hidden in the source: going there and back does not close around it.
    assert confidence[48:72, 48:72].mean() > 0.9
    assert confidence.min() < 0.2


@pytest.mark.parametrize('sigma', [0.6, 1.0])
def test_a_softer_target_costs_little_accuracy(sigma: float) -> None:
    source = texture()
    target, truth = moved(source, WARPS['shift'])
    flow, _ = DisFlow().estimate(source, cv2.GaussianBlur(target, (0, 0), sigma))
    assert error_inside(flow, truth) < 0.15


def test_a_brighter_target_is_no_motion() -> None:
    source = texture()
    flow, _ = DisFlow().estimate(source, np.clip(source.astype(int) + 15, 0, 255).astype(np.uint8))
    assert np.linalg.norm(flow, axis=-1).mean() < 0.05


def test_the_quick_estimator_is_right_within_half_a_pixel() -> None:
    source = texture()
    target, truth = moved(source, WARPS['shift'])
    flow, _ = DisFlow(QUICK).estimate(source, target)
    assert error_inside(flow, truth) < 0.5


@pytest.mark.parametrize(
    ('name', 'value'), [('finest_scale', 9), ('patch_size', 0), ('patch_stride', 0), ('gradient_steps', 0), ('refinement_steps', -1)]
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f'{name} is {value}; it must be between'):
        DisSettings(**{name: value})


def test_unknown_estimator_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown flow estimator 'diss'; known: dis\. Did you mean 'dis'"):
        FLOW_ESTIMATORS.make('diss')


def test_tiny_pictures_are_refused() -> None:
    with pytest.raises(ShapeError, match='source is 16 x 16 px; at least 32 px are needed'):
        DisFlow().estimate(np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16, 3), np.uint8))


def test_confidence_by_hand() -> None:
    # Pixel (1, 1) goes 2 px right and comes back 1.5 px: error 0.5 px, tolerance 0.5 + 0.1 * 2 = 0.7 px, exp(-(5/7)²).
    forward, backward = np.zeros((4, 8, 2), np.float32), np.zeros((4, 8, 2), np.float32)
    forward[1, 1] = [2, 0]
    backward[1, 3] = [-1.5, 0]
    confidence = round_trip_confidence(forward, backward)
    assert confidence[1, 1] == pytest.approx(np.exp(-((5 / 7) ** 2)), rel=1e-5)
    assert confidence[0, 0] == 1.0


def test_pixels_that_leave_the_picture_are_not_trusted() -> None:
    forward = np.zeros((4, 8, 2), np.float32)
    forward[2, 6] = [3, 0]
    backward = np.full((4, 8, 2), [-3, 0], np.float32)
    assert round_trip_confidence(forward, backward)[2, 6] == 0


def test_the_sharper_picture_is_blurred_to_match() -> None:
    sharp = texture()[..., 0]
    soft = cv2.GaussianBlur(sharp, (0, 0), 0.8)
    for first, second in ((sharp, soft), (soft, sharp)):
        matched = match_sharpness(first, second)
        assert detail(matched[0]) == pytest.approx(detail(matched[1]), rel=0.02)


def test_equally_sharp_pictures_are_left_alone() -> None:
    first, second = texture(1)[..., 0], texture(1)[::-1, :, 0]
    matched = match_sharpness(first, second)
    np.testing.assert_array_equal(matched[0], first)
    np.testing.assert_array_equal(matched[1], second)
