# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs with exact and estimated flow: which are chosen, what they hold, what is kept for the next run, and how others are measured on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_core.types import JacobianField
from vera_jidm.direct.pairs import BLOCK, choose_pairs, label_pairs
from vera_jidm.solve.rows import pool_to_cells
from vera_jidm.training.dataset import STEP_RANGE
from vera_jidm.training.evaluation import evaluate_field
from vera_jidm.training.recording import Recording

SIZE, STRIDE = 128, 4


@pytest.fixture(scope='module')
def robot() -> Embodiment:
    return load_embodiment('panda')


def make_recording(robot: Embodiment, seed: int, moments: int = 60) -> Recording:
    rng = np.random.default_rng(seed)
    position = robot.home + np.cumsum(rng.normal(size=(moments, 7)) * 0.02, axis=0)
    frames = {view: rng.integers(0, 255, (moments, SIZE, SIZE, 3), dtype=np.uint8) for view in robot.view_names}
    return Recording(
        path=Path(f'selfplay_{seed}_000.mcap'), stamps_ns=np.arange(moments) * 100_000_000, frames=frames, position=position, metadata={}
    )


class Scene:
    """Joint 1 shifts the whole picture to the right by 10 px/rad, joint 2 down by 10 px/rad; the others are not seen."""

    def __call__(self, recording: Recording) -> Scene:
        return self

    def flow(self, view: str, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        return np.broadcast_to(10 * (end - start)[:2], (SIZE, SIZE, 2)).astype(np.float32)

    def jacobian(self, view: str, position: np.ndarray) -> JacobianField:
        field = np.zeros((SIZE // STRIDE, SIZE // STRIDE, 2, 7))
        field[..., 0, 0] = field[..., 1, 1] = 10.0
        return JacobianField(view=view, jacobian=field, confidence=np.ones(field.shape[:2]), stride=STRIDE)


class Estimator:
    """Sees the difference of the first pixels as flow, trusted by half."""

    def estimate(self, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shift = float(target[0, 0, 0]) - float(source[0, 0, 0])
        return np.full((SIZE, SIZE, 2), shift, np.float32), np.full((SIZE, SIZE), 0.5, np.float32)


def quiet(what: str, done: int, count: int) -> None:
    assert 0 <= done <= count, what


def label(robot: Embodiment, count: int, *, source: Any = None, cache: Path | None = None, seeds: tuple[int, ...] = (0, 1)) -> Any:
    recordings = [make_recording(robot, seed) for seed in seeds]
    return label_pairs(recordings, robot, source or Scene(), Estimator(), stride=STRIDE, count=count, seed=0, cache=cache, report=quiet)


def test_every_moment_starts_one_pair_before_any_starts_two(robot: Embodiment) -> None:
    recording = make_recording(robot, 0)
    pairs = choose_pairs(recording, np.random.default_rng(0))
    lengths = [np.linalg.norm(recording.position[end] - recording.position[start]) for start, end in pairs]
    assert min(lengths) >= STEP_RANGE[0] and max(lengths) <= STEP_RANGE[1]
    assert len(set(pairs)) == len(pairs)
    starts = [start for start, _ in pairs]
    usable = len(set(starts))
    assert len(set(starts[:usable])) == usable < len(pairs)


def test_labelled_pairs_hold_what_was_recorded_between_their_moments(robot: Embodiment) -> None:
    pairs = label(robot, 40)
    assert len(pairs) == 40 and pairs.exact.shape == (40, 2, 2, 32, 32) and pairs.frames.shape == (120, 2, SIZE, SIZE, 3)
    recordings = [make_recording(robot, seed) for seed in (0, 1)]
    positions = np.concatenate([recording.position for recording in recordings])
    np.testing.assert_array_equal(pairs.position, positions[pairs.first])
    np.testing.assert_allclose(pairs.delta_q, positions[pairs.second] - positions[pairs.first])
    np.testing.assert_allclose(pairs.exact[:, :, :, 5, 9], np.repeat(10 * pairs.delta_q[:, None, :2], 2, axis=1), atol=2e-3)
    first, second = (pairs.frames[rows][:, :, 0, 0, 0].astype(float) for rows in (pairs.first, pairs.second))
    np.testing.assert_array_equal(pairs.estimated[:, :, 0, 3, 3], second - first)
    assert (pairs.trust == 0.5).all()
    assert abs(int((pairs.first < 60).sum()) - 20) <= 1


def test_smaller_set_is_the_beginning_of_a_larger_one(robot: Embodiment) -> None:
    small, large = label(robot, 30), label(robot, 2 * BLOCK + 30)
    for name in ('first', 'second', 'delta_q', 'exact', 'estimated'):
        np.testing.assert_array_equal(getattr(small, name), getattr(large, name)[:30])
        np.testing.assert_array_equal(getattr(large.take(np.arange(30)), name), getattr(small, name))


def test_labels_are_kept_for_the_next_run(robot: Embodiment, tmp_path: Path) -> None:
    def never(recording: Recording) -> Any:
        raise AssertionError(f'{recording.path} is labelled already')

    first = label(robot, 40, cache=tmp_path)
    again = label(robot, 20, cache=tmp_path, source=never)
    np.testing.assert_array_equal(again.exact, first.exact[:20])
    with pytest.raises(AssertionError, match='labelled already'):
        label(robot, 4 * BLOCK, cache=tmp_path, source=never)


def test_too_few_pairs_are_refused(robot: Embodiment) -> None:
    with pytest.raises(ConfigError, match=r'1 recordings hold \d+ usable pairs of moments, 1000 are wanted; record more'):
        label(robot, 1000, seeds=(0,))


def test_question_pools_back_to_the_stored_cells(robot: Embodiment) -> None:
    pairs = label(robot, 4)
    query = pairs.query(2, 'estimated', robot.view_names)
    for number, view in enumerate(robot.view_names):
        np.testing.assert_array_equal(pool_to_cells(query.flow.flow[view], STRIDE).transpose(2, 0, 1), pairs.estimated[2, number])
        np.testing.assert_array_equal(query.before[view], pairs.frames[pairs.first[2], number])
        np.testing.assert_array_equal(query.after[view], pairs.frames[pairs.second[2], number])
    exact = pairs.for_field('exact')
    assert (exact.trust == 1).all()
    np.testing.assert_array_equal(exact.pictures, pairs.frames[pairs.first])


class Constant:
    def __init__(self, step: np.ndarray) -> None:
        self._step = step

    def predict(self, query: Any) -> np.ndarray:
        assert set(query.before) == set(query.after) == set(query.flow.flow)
        return self._step


class Field:
    def predict(self, frames: Any, position: np.ndarray) -> dict[str, JacobianField]:
        return {view: Scene().jacobian(view, position) for view in frames}


def test_evaluation_asks_other_estimators_the_same_questions(robot: Embodiment) -> None:
    recordings = [make_recording(robot, seed) for seed in (0, 1, 2)]
    figures = evaluate_field(Field(), recordings, robot, Scene(), Estimator(), pairs=4, others={'direct_flow': Constant(np.zeros(7))})
    # 4 pairs over 3 recordings: two, two and none of the last.
    assert figures.pairs == 4
    for flow in ('exact', 'estimated'):
        row = figures.find('direct_flow', flow, 2)
        assert (row.cosine, row.relative_error, row.normalised_error) == (0.0, 1.0, 1.0)
        assert row.r2_joints == (0.0,) * 7
    assert figures.find('learned', 'exact', 2).normalised_error == pytest.approx(figures.find('analytic', 'exact', 2).normalised_error)
    assert len(figures.tables()[1].rows) == 14
