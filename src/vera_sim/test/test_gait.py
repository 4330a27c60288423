# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_sim.tasks.gait import Gait, load_gait, save_gait
from vera_sim.tasks.gait_search import JOINTS, MARGIN_RAD, SPEED_RAD_S, Search, blend, first_guess
from vera_sim.tasks.rotate import START
from vera_sim.tasks.task import EXPERT_DT_S
from vera_sim.world import World

GAIT = Gait(joints=(1, 3), knots=np.array([[0.5, -0.2], [0.1, 0.0]]), speed_rad_s=0.5)


@pytest.fixture(scope='module')
def hand() -> Iterator[World]:
    made = World(load_embodiment('allegro'))
    yield made
    made.close()


def test_a_path_moves_the_named_joints_only_and_never_faster_than_said() -> None:
    start = np.array([0.1, 0.2, 0.3, 0.4])
    path = GAIT.path(start)
    np.testing.assert_array_equal(path[0], start)
    np.testing.assert_array_equal(path[:, [0, 2]], np.tile([0.1, 0.3], (len(path), 1)))
    np.testing.assert_allclose(path[-1, [1, 3]], [0.1, 0.0])
    assert any(np.allclose(row, [0.5, -0.2]) for row in path[:, [1, 3]])
    assert np.abs(np.diff(path, axis=0)).max() / EXPERT_DT_S <= 0.5


def test_a_gait_comes_back_from_its_file_and_a_missing_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / 'gaits.yaml'
    save_gait(file, 'clockwise', GAIT)
    back = load_gait('clockwise', file)
    assert back.joints == GAIT.joints and back.speed_rad_s == GAIT.speed_rad_s
    np.testing.assert_allclose(back.knots, GAIT.knots)
    with pytest.raises(ConfigError, match='gait_search counter-clockwise'):
        load_gait('counter-clockwise', file)


@pytest.mark.parametrize('direction', ['clockwise', 'counter-clockwise'])
def test_the_gaits_of_the_package_are_ones_the_search_can_find(hand: World, direction: str) -> None:
    gait = load_gait(direction)
    joints = list(gait.joints)
    assert gait.joints == JOINTS[direction] and gait.speed_rad_s == SPEED_RAD_S
    assert np.all(gait.knots >= hand.robot.limits('lower')[joints] + MARGIN_RAD - 1e-3)
    assert np.all(gait.knots <= hand.robot.limits('upper')[joints] - MARGIN_RAD + 1e-3)
    # 40 s for a task, and a robot that follows a film lags behind it.
    assert len(gait.path(START)) * EXPERT_DT_S < 25.0


def test_the_search_keeps_to_the_margins_and_scores_a_gait_that_does_nothing_zero(hand: World) -> None:
    search = Search(
        world=hand, direction='clockwise', rng=np.random.default_rng(0), mean=first_guess('clockwise').ravel(), spread=np.full(12, 0.1)
    )
    wide = search.gait(np.full(12, 9.0))
    np.testing.assert_allclose(wide.knots, np.tile(hand.robot.limits('upper')[4:8] - MARGIN_RAD, (3, 1)))
    still = Gait(joints=(4, 5, 6, 7), knots=START[None, 4:8], speed_rad_s=SPEED_RAD_S)
    assert search.one(still, 1) == pytest.approx(0.0, abs=1.0)


def test_a_gait_that_fails_in_one_scene_scores_less_than_an_even_one() -> None:
    assert blend([60.0, 60.0, 0.0]) < blend([45.0, 45.0, 45.0])
