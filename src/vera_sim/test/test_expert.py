# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from vera_sim.clips import clip_target, make_clip
from vera_sim.expert import fingertip_position, reach_path, sample_start, touch_point
from vera_sim.scene import sample_scene
from vera_sim.tasks.reach import TouchCheck
from vera_sim.world import TIMESTEP_S, World

pytestmark = pytest.mark.sim


@pytest.mark.parametrize('seed', range(4))
def test_expert_touches_the_named_cube_first_in_physics(world: World, seed: int) -> None:
    target = clip_target(seed)
    world.set_scene(sample_scene(world.robot, seed))
    start = sample_start(seed)
    path = reach_path(world, target, start, dt_s=0.1, seed=seed)
    np.testing.assert_allclose(fingertip_position(path[-1]), touch_point(world, target), atol=4e-3)
    world.set_joints(start)
    times = np.arange(len(path)) * 0.1
    spline = CubicSpline(times, path, bc_type='clamped')
    check = TouchCheck(target)
    for k in range(int((times[-1] + 0.6) / TIMESTEP_S)):
        t = min(k * TIMESTEP_S, times[-1])
        world.step(spline(t), spline(t, 1))
        if k % 10 == 0:
            check.update(world, 10 * TIMESTEP_S)
    assert check.success, check


def test_success_needs_the_target_first_and_long_enough() -> None:
    check = TouchCheck('red_cube')
    for _ in range(16):
        check.note(('red_cube',), 0.02)
    assert check.success
    other_first = TouchCheck('red_cube')
    other_first.note(('blue_cube',), 0.02)
    for _ in range(30):
        other_first.note(('red_cube',), 0.02)
    assert not other_first.success
    short = TouchCheck('red_cube')
    for _ in range(20):
        short.note(('red_cube',), 0.02)
        short.note((), 0.02)
    assert not short.success


def test_clip_is_repeatable_and_ends_at_rest_on_the_cube(world: World) -> None:
    first, second = make_clip(world, 7), make_clip(world, 7)
    for view in ('front', 'side'):
        np.testing.assert_array_equal(first.frames[view], second.frames[view])
        np.testing.assert_array_equal(first.frames[view][-1], first.frames[view][-2])
        colour = list(first.cube_uv[view])[['red', 'green', 'blue', 'yellow'].index(first.target.removesuffix('_cube'))]
        assert np.linalg.norm(first.tip_uv[view][-1] - colour) < 1.0
        assert first.masks[view].mean() > 0.05 * 255
