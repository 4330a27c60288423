# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The closed loop on a planar finger of two joints, with the exact field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from vera_bringup.closed_loop import ClosedLoop, Followed, LoopSettings
from vera_bringup.closed_loop_motion import LENGTH_RAD, Motion, draw_motion, film_motion
from vera_bringup.closed_loop_report import LoopRow, measure, rows_table, summarise, summary_table
from vera_bringup.closed_loop_run import FollowRequest, OracleField, follow_motions, read_rows, write_rows
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.types import JacobianField
from vera_sim.world import World


@pytest.fixture(scope='module')
def world() -> Iterator[World]:
    made = World(load_embodiment('finger_2'))
    yield made
    made.close()


@pytest.fixture(scope='module')
def motion(world: World) -> Motion:
    return film_motion(world, 3)


@pytest.fixture(scope='module')
def followed(world: World, motion: Motion) -> Followed:
    return ClosedLoop(world, OracleField(world), LoopSettings(latency_s=0.25)).follow(motion.plan, motion.path[0])


def row(**changes: object) -> LoopRow:
    values = {
        'seed': 1,
        'outcome': 'SUCCEEDED',
        'start_rad': 1.0,
        'joint_error_rad': 0.02,
        'joint_errors_rad': (0.0, 0.02),
        'tip_errors_mm': (3.0, 1.0, 8.0),
        'rise_rad': 0.0,
        'time_s': 5.0,
        'plan_s': 6.0,
        'violations': 0,
        'refusals': 0,
        'trace_rad': (1.0, 0.02),
    }
    return LoopRow(**{**values, **changes})  # type: ignore[arg-type]


# The motion and its video.


def test_a_motion_is_a_radian_long_smooth_and_inside_the_limits(world: World, motion: Motion):
    path, robot = motion.path, world.robot
    assert np.linalg.norm(path[-1] - path[0]) == pytest.approx(LENGTH_RAD)
    assert (path > robot.limits('lower')).all()
    assert (path < robot.limits('upper')).all()
    along = (path - path[0]) @ (path[-1] - path[0])
    assert (np.diff(along) >= 0).all()
    # Minimum jerk: half of the way at half of the time, slow at both ends; the last three steps stand still.
    moving = along[:-3]
    assert np.interp(0.5, np.linspace(0, 1, len(moving)), moving) == pytest.approx(0.5)
    assert moving[1] < 0.02
    np.testing.assert_array_equal(path[-4:], np.repeat(path[-1:], 4, axis=0))


def test_the_video_begins_with_the_picture_at_the_start(world: World, motion: Motion):
    from vera_core.imaging import to_working_size

    world.set_joints(motion.path[0])
    assert motion.plan.horizon == len(motion.path) - 1
    for view, frames in motion.plan.frames.items():
        np.testing.assert_array_equal(frames[0], to_working_size(world.render(view), world.robot.working_size))


def test_the_ends_of_the_robot_stay_in_the_picture(world: World):
    for seed in range(10):
        start, goal = draw_motion(world, np.random.default_rng(seed), length_rad=1.0)
        for share in np.linspace(0, 1, 5):
            world.set_joints(start + share * (goal - start))
            place = world.project('face', world.fingertips, 128)
            assert ((place > 0) & (place < 127)).all()


def test_a_robot_without_room_for_such_a_motion_is_told_so(world: World):
    with pytest.raises(ConfigError, match='no free straight motion of 40 rad inside its pictures about its home pose'):
        draw_motion(world, np.random.default_rng(0), length_rad=40.0)


# The loop.


def test_a_filmed_motion_is_repeated_from_its_video(world: World, motion: Motion, followed: Followed):
    found = measure(world, motion, followed)
    assert found.outcome == 'SUCCEEDED'
    assert found.start_rad == pytest.approx(1.0)
    assert found.joint_error_rad < 0.02
    assert found.tip_error_mm < 2.0
    assert found.falls
    assert found.success
    assert found.violations == 0
    assert found.refusals == 0
    assert followed.rejected_commands == 0
    assert found.time_s < 1.5 * found.plan_s


def test_the_arm_does_not_move_before_the_first_estimate_can_arrive(motion: Motion, followed: Followed):
    # Pictures every 0.1 s, estimates after 0.25 s, a command takes over 0.1 s later: at rest in the first four pictures.
    np.testing.assert_allclose(followed.position[:4], np.repeat(motion.path[:1], 4, axis=0), atol=2e-3)
    assert np.abs(followed.position[-1] - motion.path[0]).max() > 0.3


def test_a_field_of_the_wrong_sign_is_not_reported_as_followed(world: World, motion: Motion):
    class Backwards(OracleField):
        def predict(self, frames: Mapping[str, np.ndarray], position: np.ndarray) -> Mapping[str, JacobianField]:
            return {view: replace(field, jacobian=-field.jacobian) for view, field in super().predict(frames, position).items()}

    loop = ClosedLoop(world, Backwards(world), LoopSettings(time_limit_share=0.1))
    found = measure(world, motion, loop.follow(motion.plan, motion.path[0]))
    assert found.outcome in ('STOPPED', 'TIMED_OUT')  # by the divergence gate, once the arm has moved enough to tell
    assert not found.falls
    assert not found.success
    assert found.violations == 0


def test_the_exact_field_looks_at_the_world_without_touching_it(world: World, motion: Motion):
    world.set_joints(motion.path[0])
    fields = OracleField(world).predict(motion.plan.frames, motion.path[-1])
    assert fields['face'].jacobian.shape[-1] == 2
    np.testing.assert_array_equal(world.joint_position, motion.path[0])


# Figures and reports.


def test_a_row_falls_only_without_a_rise_and_succeeds_only_near_in_joints_and_place():
    # The median of 3, 1 and 8 mm is 3 mm.
    assert row().tip_error_mm == 3.0
    assert row().falls
    assert row().success
    assert not row(rise_rad=0.06).falls
    assert not row(joint_error_rad=1.1).falls
    assert not row(joint_error_rad=0.11).success
    assert not row(tip_errors_mm=(11.0,)).success


def test_summary_has_medians_worst_cases_and_shares():
    rows = [row(), row(tip_errors_mm=(5.0, 5.0, 30.0), joint_error_rad=0.2, rise_rad=0.3, outcome='TIMED_OUT'), row(tip_errors_mm=(9.0,))]
    figures = summarise(rows)
    assert figures['median_tip_error_mm'] == 5.0
    assert figures['worst_tip_error_mm'] == 30.0
    assert figures['median_joint_error_rad'] == 0.02
    assert figures['worst_joint_error_rad'] == 0.2
    assert figures['share_falling'] == pytest.approx(2 / 3)
    assert figures['share_done'] == pytest.approx(2 / 3)
    assert figures['successes'] == 2
    assert figures['worst_rise_rad'] == 0.3
    assert rows_table(rows).row_count == 3
    assert summary_table('t', figures).row_count > 4


def test_a_stopped_run_goes_on_from_its_report_and_another_one_is_refused(tmp_path, monkeypatch):
    path = tmp_path / 'report.json'
    request = FollowRequest(robot='finger_2', field='analytic', episodes=2, seed=4)
    seeds = [int(np.random.default_rng([4, index, 97]).integers(2**32, 2**48)) for index in range(2)]
    rows = [row(seed=seed) for seed in seeds]
    write_rows(path, request, rows)
    assert read_rows(path, replace(request, episodes=30)) == rows
    # Nothing is left to be followed, so nothing is filmed.
    monkeypatch.setattr('vera_bringup.closed_loop_run.film_motion', lambda *_: pytest.fail('filmed again'))
    assert follow_motions(request, done=rows) == rows
    assert read_rows(tmp_path / 'other.json', request) == []
    with pytest.raises(ConfigError, match='is a report of'):
        read_rows(path, replace(request, seed=5))


@pytest.mark.parametrize(
    ('changes', 'words'),
    [({'field': 'lerned'}, "unknown field 'lerned'"), ({'episodes': 0}, 'need episodes >= 1'), ({'seed': -1}, 'seed >= 0')],
)
def test_a_request_that_cannot_be_is_refused_in_words(changes: dict, words: str):
    with pytest.raises(ConfigError, match=words):
        FollowRequest(**changes)
