# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from vera_core.errors import ShapeError
from vera_planner.background import BackgroundMemory, composite, covered
from vera_planner.residual import carry_residual


def memory_of(value: int) -> BackgroundMemory:
    return BackgroundMemory({'front': np.full((32, 32, 3), value, np.uint8)})


def alpha_at(rows: slice, cols: slice) -> np.ndarray:
    alpha = np.zeros((32, 32), np.float32)
    alpha[rows, cols] = 1.0
    return alpha


def test_what_the_robot_hides_is_the_plate_until_it_was_seen_once() -> None:
    memory = memory_of(7)
    memory.begin(1)
    picture = np.full((32, 32, 3), 100, np.uint8)
    first = memory.update('front', picture, alpha_at(slice(10, 14), slice(10, 14)))
    assert first[12, 12, 0] == 7
    assert first[0, 0, 0] == 100
    second = memory.update('front', picture, alpha_at(slice(20, 24), slice(20, 24)))
    assert second[12, 12, 0] == 100
    assert second[22, 22, 0] == 100  # seen in the first picture, hidden now


def test_a_new_task_forgets_and_the_same_task_does_not() -> None:
    memory = memory_of(7)
    memory.begin(1)
    memory.update('front', np.full((32, 32, 3), 100, np.uint8), np.zeros((32, 32)))
    memory.begin(1)
    everywhere = np.ones((32, 32))
    assert memory.update('front', np.zeros((32, 32, 3), np.uint8), everywhere)[5, 5, 0] == 100
    memory.begin(2)
    assert memory.update('front', np.zeros((32, 32, 3), np.uint8), everywhere)[5, 5, 0] == 7


def test_the_outline_is_widened_by_two_pixels() -> None:
    mask = covered(alpha_at(slice(10, 11), slice(10, 11)))
    assert mask.sum() == 25
    assert mask[8, 8]
    assert not mask[7, 10]


def test_composite_mixes_by_alpha() -> None:
    colour = np.ones((1, 2, 2, 3), np.float32)
    alpha = np.array([[[[0.0], [0.5]], [[1.0], [0.25]]]], np.float32)
    background = np.full((2, 2, 3), 55, np.uint8)
    # 0.5 * 255 + 0.5 * 55 = 155; 0.25 * 255 + 0.75 * 55 = 105
    assert composite(colour, alpha, background)[0, :, :, 0].tolist() == [[55, 155], [255, 105]]


def test_composite_refuses_a_background_of_another_size() -> None:
    with pytest.raises(ShapeError, match='background has shape'):
        composite(np.ones((1, 4, 4, 3), np.float32), np.ones((1, 4, 4, 1), np.float32), np.zeros((2, 2, 3), np.uint8))


def test_residual_without_motion_gives_the_real_robot_back_on_the_first_frame_only() -> None:
    rng = np.random.default_rng(0)
    decoded = np.repeat(rng.integers(60, 180, (64, 64, 1)).astype(np.uint8), 3, axis=2)
    real = (decoded.astype(int) + 20).astype(np.uint8)
    alpha = np.zeros((64, 64), np.float32)
    alpha[16:48, 16:48] = 1.0
    out = carry_residual(real, decoded, alpha, np.stack([decoded] * 3), np.stack([alpha] * 3), count=1)
    inside = out[0, 20:44, 20:44].astype(int) - decoded[20:44, 20:44]
    assert abs(float(np.median(inside)) - 20) <= 1
    assert np.array_equal(out[0, :8], decoded[:8])  # outside the robot nothing is carried
    assert np.array_equal(out[1], decoded)
    assert np.array_equal(out[2], decoded)
    # It fades towards the last of the frames that get it, or stays.
    for fades, gains in ((True, (20, 15, 10)), (False, (20, 20, 20))):
        out = carry_residual(real, decoded, alpha, np.stack([decoded] * 3), np.stack([alpha] * 3), count=3, fades=fades)
        assert [float(np.median(frame[20:44, 20:44].astype(int) - decoded[20:44, 20:44])) for frame in out] == pytest.approx(gains, abs=1)
