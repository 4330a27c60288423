# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_sim.scene import COLOURS, EDGE, SPACING, TABLE_X, TABLE_Y, sample_scene

PANDA = load_embodiment('panda')


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_scene_has_every_colour_once_apart_and_on_the_table(seed: int) -> None:
    scene = sample_scene(PANDA, seed)
    assert [cube.colour for cube in scene.cubes] == list(COLOURS)
    for i, cube in enumerate(scene.cubes):
        assert TABLE_X[0] <= cube.xy[0] <= TABLE_X[1] and TABLE_Y[0] <= cube.xy[1] <= TABLE_Y[1]
        assert EDGE[0] <= cube.size <= EDGE[1]
        for other in scene.cubes[i + 1 :]:
            assert np.hypot(cube.xy[0] - other.xy[0], cube.xy[1] - other.xy[1]) >= SPACING


def test_scene_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert sample_scene(PANDA, 5) == sample_scene(PANDA, 5)
    assert sample_scene(PANDA, 5) != sample_scene(PANDA, 6)


def test_unknown_cube_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"no object 'rad_cube'.*Did you mean 'red_cube'"):
        sample_scene(PANDA, 0).cube('rad_cube')
