# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of moments and their estimated flow, on a recording whose frames carry their own number as colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_jidm.training.dataset import STEP_RANGE, Pairs
from vera_jidm.training.pair_labels import PairOptions, estimate_pairs, find_fans
from vera_jidm.training.recording import Recording

MOMENTS = 40


class Numbers:
    """Sees as flow how many frames lie between two pictures."""

    def __init__(self) -> None:
        self.asked = 0

    def estimate(self, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.asked += 1
        gap = float(target[0, 0, 0]) - float(source[0, 0, 0])
        flow = np.zeros((*source.shape[:2], 2), np.float32)
        flow[..., 0] = gap
        return flow, np.full(source.shape[:2], 0.5, np.float32)


@pytest.fixture(scope='module')
def panda() -> Embodiment:
    return load_embodiment('panda')


def _recording(robot: Embodiment, speed: float) -> Recording:
    frames = np.zeros((MOMENTS, 128, 128, 3), np.uint8) + np.arange(MOMENTS, dtype=np.uint8)[:, None, None, None]
    position = np.tile(robot.home, (MOMENTS, 1))
    position[:, 0] += speed * np.arange(MOMENTS)
    return Recording(
        path=Path('numbers.mcap'),
        stamps_ns=np.arange(MOMENTS) * 100_000_000,
        frames=dict.fromkeys(robot.view_names, frames),
        position=position,
        metadata={},
    )


def _pairs(robot: Embodiment, estimator: Numbers, cache: Path | None = None, **options: bool) -> Pairs:
    return estimate_pairs(
        [_recording(robot, 0.04)],
        robot,
        estimator,
        stride=4,
        options=PairOptions(starts=10, **options),
        rng=np.random.default_rng(0),
        cache=cache,
        report=lambda what, done, count: None,
    )


def test_fans_open_both_ways_within_the_range(panda: Embodiment) -> None:
    recording = _recording(panda, 0.04)
    fans = find_fans(recording, np.random.default_rng(0), 100, both_ways=True)
    assert len(fans) > 20
    for start, later, earlier in fans:
        assert earlier < start < later
        for end in (later, earlier):
            assert STEP_RANGE[0] <= np.linalg.norm(recording.position[end] - recording.position[start]) <= STEP_RANGE[1]
    assert all(len(fan) == 2 for fan in find_fans(recording, np.random.default_rng(0), 100, both_ways=False))


def test_flow_of_both_ways_belongs_to_its_step(panda: Embodiment) -> None:
    pairs = _pairs(panda, Numbers(), both_ways=True)
    assert (len(pairs), pairs.steps, len(pairs.delta_q)) == (10, 2, 20)
    # .04 rad per frame: the flow, which counts frames, is the step over .04, forwards and backwards in turn.
    np.testing.assert_allclose(pairs.flow[:, :, 0].mean(axis=(1, 2, 3)), pairs.delta_q[:, 0] / 0.04, atol=1e-2)
    assert (pairs.delta_q[0::2, 0] > 0).all()
    assert (pairs.delta_q[1::2, 0] < 0).all()
    # The energy of trust .5 in 32 x 32 cells: .5 * 1024 * the mean square of the frame gaps.
    gaps = pairs.delta_q[:, 0] / 0.04
    assert pairs.energy() == pytest.approx(512 * float(np.square(gaps).mean()), rel=1e-3)
    assert pairs.energy(1e-6) == pytest.approx(512 * float(np.abs(gaps).mean()), rel=1e-3)


def test_waypoints_are_half_way_and_at_the_end(panda: Embodiment) -> None:
    pairs = _pairs(panda, Numbers(), waypoints=True)
    assert pairs.waypoints is not None
    start = pairs.pictures[:, 0, 0, 0, 0].astype(int)
    middle, end = pairs.waypoints.pictures[:, :, 0, 0, 0, 0].astype(int).T
    np.testing.assert_array_equal(middle, start + (end - start) // 2)
    np.testing.assert_allclose(pairs.waypoints.position[:, 1] - pairs.position, pairs.delta_q, atol=1e-12)
    assert _pairs(panda, Numbers()).waypoints is None


def test_flow_is_kept_for_the_next_run_of_the_same_pairs(panda: Embodiment, tmp_path: Path) -> None:
    first, again, other = Numbers(), Numbers(), Numbers()
    kept = _pairs(panda, first, tmp_path)
    found = _pairs(panda, again, tmp_path)
    _pairs(panda, other, tmp_path, both_ways=True)
    assert (first.asked, again.asked, other.asked) == (20, 0, 40)
    np.testing.assert_array_equal(kept.flow, found.flow)


def test_robot_at_rest_is_refused(panda: Embodiment) -> None:
    with pytest.raises(ConfigError, match='the robot has to move in self-play'):
        estimate_pairs(
            [_recording(panda, 0.0)],
            panda,
            Numbers(),
            stride=4,
            options=PairOptions(starts=10),
            rng=np.random.default_rng(0),
            cache=None,
            report=lambda what, done, count: None,
        )
