# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Flow estimators: the contract of all of them, accuracy of DIS on known warps, honesty where nothing can be known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vera_core.errors import ConfigError, ShapeError
from vera_jidm.flow.camera_size import estimate_from_camera_size
from vera_jidm.flow.consistency import round_trip_confidence
from vera_jidm.flow.dis import QUICK, DisFlow, DisSettings
from vera_jidm.flow.estimator import FlowEstimator
from vera_jidm.flow.pictures import shrink_flow, shrink_map
from vera_jidm.flow.raft import RaftFlow
from vera_jidm.flow.raft_network import SMALL, Raft
from vera_jidm.flow.sharpness import detail, match_sharpness
from vera_jidm.params import FlowParams
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


ESTIMATORS: dict[str, Callable[[Path], FlowEstimator]] = {
    'dis': lambda _: FLOW_ESTIMATORS.make('dis'),
    'dis upsampled': lambda _: FLOW_ESTIMATORS.make('dis', settings=DisSettings(upsample=2)),
    'dis quick': lambda _: DisFlow(QUICK),
    'raft': lambda folder: FLOW_ESTIMATORS.make('raft', weights=random_raft(folder / 'raft.safetensors'), updates=2),
}


def random_raft(path: Path) -> Path:
    torch.manual_seed(0)
    save_file(Raft(SMALL).state_dict(), path)
    return path


@pytest.fixture(scope='module', params=ESTIMATORS)
def estimator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FlowEstimator:
    return ESTIMATORS[request.param](tmp_path_factory.mktemp('weights'))


def test_every_registered_estimator_is_held_to_the_contract() -> None:
    assert set(FLOW_ESTIMATORS.names) <= set(ESTIMATORS)


class TestEveryEstimator:
    """What PlanFollower relies on, whatever the estimator; one with random weights need not be right, but it has to be honest."""

    def test_is_a_flow_estimator(self, estimator: FlowEstimator) -> None:
        assert isinstance(estimator, FlowEstimator)

    def test_same_picture_is_no_motion_and_full_trust(self, estimator: FlowEstimator) -> None:
        flow, confidence = estimator.estimate(texture(), texture())
        assert not flow.any()
        assert np.all(confidence == 1)

    def test_unrelated_pictures_are_not_trusted(self, estimator: FlowEstimator) -> None:
        flow, confidence = estimator.estimate(texture(1), texture(2))
        assert flow.shape == (SIZE, SIZE, 2)
        assert flow.dtype == confidence.dtype == np.float32
        assert confidence.shape == (SIZE, SIZE)
        assert np.isfinite(flow).all()
        assert confidence.min() >= 0
        assert confidence.max() <= 1
        assert confidence.mean() < 0.5

    @pytest.mark.parametrize(('first', 'second'), [(90, 90), (90, 95), (90, None), (None, 0)])
    def test_a_picture_of_one_colour_is_no_motion_and_no_trust(
        self, estimator: FlowEstimator, first: int | None, second: int | None
    ) -> None:
        source, target = (texture() if level is None else np.full((SIZE, SIZE, 3), level, np.uint8) for level in (first, second))
        flow, confidence = estimator.estimate(source, target)
        assert not flow.any()
        assert not confidence.any()

    def test_other_sizes_and_types_are_refused(self, estimator: FlowEstimator) -> None:
        with pytest.raises(ShapeError, match='source is 160 x 160 px but target is 128 x 128 px'):
            estimator.estimate(texture(size=160), texture())
        with pytest.raises(ShapeError, match='target has dtype float64'):
            estimator.estimate(texture(), np.full(texture().shape, np.nan))
        with pytest.raises(ShapeError, match='source has shape'):
            estimator.estimate(texture()[..., 0], texture())
        with pytest.raises(ShapeError, match=r'source is 16 x 16 px; at least \d+ px are needed'):
            estimator.estimate(texture(size=16), texture(size=16))

    def test_inputs_are_left_alone(self, estimator: FlowEstimator) -> None:
        source, target = texture(1), texture(2)
        estimator.estimate(source, target)
        np.testing.assert_array_equal(source, texture(1))
        np.testing.assert_array_equal(target, texture(2))


@pytest.mark.parametrize('settings', [DisSettings(), DisSettings(upsample=2)], ids=['dis', 'upsampled'])
@pytest.mark.parametrize('warp', WARPS)
def test_flow_points_from_source_to_target(settings: DisSettings, warp: str) -> None:
    source = texture()
    target, truth = moved(source, WARPS[warp])
    flow, confidence = DisFlow(settings).estimate(source, target)
    assert error_inside(flow, truth) < 0.15
    assert confidence[16:-16, 16:-16].mean() > 0.9


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
    ('name', 'value'),
    [('finest_scale', 9), ('patch_size', 0), ('patch_stride', 0), ('gradient_steps', 0), ('refinement_steps', -1), ('upsample', 4)],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f'{name} is {value}; it must be between'):
        DisSettings(**{name: value})


def test_parameters_of_the_node_choose_the_estimator_and_its_settings(tmp_path: Path) -> None:
    made = FlowParams(dis_finest_scale=1, dis_upsample=2).make_estimator()
    assert isinstance(made, DisFlow)
    assert (made.settings.finest_scale, made.settings.upsample) == (1, 2)
    made = FlowParams(estimator='raft', raft_weights=str(random_raft(tmp_path / 'raft.safetensors')), raft_updates=3).make_estimator()
    assert isinstance(made, RaftFlow)
    assert made.settings.updates == 3
    with pytest.raises(ConfigError, match='parameter raft_weights'):
        FlowParams(estimator='raft').make_estimator()


def test_unknown_estimator_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown flow estimator 'diss'; known: dis, raft\. Did you mean 'dis'"):
        FLOW_ESTIMATORS.make('diss')


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


def test_flow_in_small_pictures_by_hand() -> None:
    # Four pixels of 2, 4, 4 and 6 px to the right become one: 4 px of the large picture are 2 px of the small one.
    flow = np.zeros((4, 4, 2), np.float32)
    flow[:2, :2, 0] = [[2, 4], [4, 6]]
    np.testing.assert_array_equal(shrink_flow(flow, (2, 2))[..., 0], [[2, 0], [0, 0]])
    np.testing.assert_array_equal(shrink_map(flow[..., 0], (2, 2)), [[4, 0], [0, 0]])


@pytest.mark.parametrize('size', [(3, 3), (8, 8), (4, 2)])
def test_sizes_that_do_not_divide_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ShapeError, match=f'4 x 4 px is no whole multiple of {size[0]} x {size[1]} px'):
        shrink_map(np.zeros((4, 4)), size)


def test_pictures_at_camera_size_give_flow_at_working_size() -> None:
    source = texture(size=2 * SIZE)
    target, truth = moved(source, WARPS['shift'])
    flow, confidence = estimate_from_camera_size(DisFlow(), source, target, (SIZE, SIZE))
    assert confidence.shape == (SIZE, SIZE)
    assert error_inside(flow, truth[::2, ::2] / 2) < 0.05
