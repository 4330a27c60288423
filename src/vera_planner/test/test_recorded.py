# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, PlanningError
from vera_core.types import Frame
from vera_planner.backends.recorded import RecordedPlanner
from vera_planner.planner import PlanRequest
from vera_planner.registry import make_planner

ROBOT = load_embodiment('panda')
RNG = np.random.default_rng(0)


def recording(folder: Path, length: int = 6) -> tuple[Path, dict[str, np.ndarray]]:
    frames = {view: RNG.integers(0, 255, (length, 128, 128, 3), dtype=np.uint8) for view in ROBOT.view_names}
    path = folder / 'demo.npz'
    np.savez(path, step_dt_s=0.25, **{f'frames_{view}': array for view, array in frames.items()})
    return path, frames


def request(**changes: object) -> PlanRequest:
    context = {view: (Frame(view=view, stamp_ns=5_000_000_000, rgb=np.full((128, 128, 3), 9, np.uint8)),) for view in ROBOT.view_names}
    return PlanRequest(**{'task_id': 3, 'plan_id': 8, 'prompt': 'do it', 'context': context, 'step_dt_s': 0.3} | changes)  # type: ignore[arg-type]


def test_plan_is_the_recording_with_the_real_picture_in_front(tmp_path: Path) -> None:
    path, frames = recording(tmp_path)
    plan = make_planner('recorded', robot=ROBOT, recording=str(path)).plan(request())
    assert (plan.plan_id, plan.task_id, plan.step_dt_s, plan.horizon, plan.stamp_ns) == (8, 3, 0.25, 5, 5_000_000_000)
    for view in ROBOT.view_names:
        assert (plan.frames[view][0] == 9).all()
        np.testing.assert_array_equal(plan.frames[view][1:], frames[view][1:])


def test_request_later_in_the_task_gets_the_rest(tmp_path: Path) -> None:
    path, frames = recording(tmp_path)
    planner = RecordedPlanner(ROBOT, str(path))
    # 0.6 s at 0.25 s a frame is past frame 2: frames 3, 4, 5 are left.
    plan = planner.plan(request(task_age_s=0.6))
    np.testing.assert_array_equal(plan.frames['front'][1:], frames['front'][3:])
    with pytest.raises(PlanningError, match='the recording is over: it lasts 1.2 s, the task 9.0 s'):
        planner.plan(request(task_age_s=9.0))


def test_video_shows_the_views_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / 'demo.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10.0, (256, 128))
    assert writer.isOpened()
    for k in range(20):
        picture = np.zeros((128, 256, 3), np.uint8)
        picture[:, :128, 2] = 10 * k
        picture[:, 128:, 0] = 200
        writer.write(picture)
    writer.release()
    plan = RecordedPlanner(ROBOT, str(path), step_dt_s=0.5).plan(request())
    assert plan.horizon == 3 and plan.step_dt_s == 0.5
    # Frame 2 is picture 10: red 100 in the first view, blue 200 in the second.
    assert abs(float(plan.frames['front'][2][..., 0].mean()) - 100) < 6
    assert abs(float(plan.frames['side'][2][..., 2].mean()) - 200) < 6


@pytest.mark.parametrize(
    ('content', 'text'),
    [
        (None, 'does not exist'),
        ({'frames_front': np.zeros((4, 8, 8, 3), np.uint8)}, 'has no frames_side'),
        ({'frames_front': np.zeros((4, 8, 8, 3)), 'frames_side': np.zeros((4, 8, 8, 3))}, 'dtype uint8'),
        ({'frames_front': np.zeros((4, 8, 8, 3), np.uint8), 'frames_side': np.zeros((3, 8, 8, 3), np.uint8)}, 'same number'),
        ({'frames_front': np.zeros((1, 8, 8, 3), np.uint8), 'frames_side': np.zeros((1, 8, 8, 3), np.uint8)}, '2 to 400 are needed'),
        (
            {'frames_front': np.zeros((4, 8, 8, 3), np.uint8), 'frames_side': np.zeros((4, 8, 8, 3), np.uint8), 'step_dt_s': np.nan},
            'step_dt_s = nan',
        ),
    ],
)
def test_unusable_recordings_are_refused_in_words(tmp_path: Path, content: dict[str, np.ndarray] | None, text: str) -> None:
    path = tmp_path / 'demo.npz'
    if content is not None:
        np.savez(path, **content)
    with pytest.raises(ConfigError, match=text):
        RecordedPlanner(ROBOT, str(path))


def test_truncated_npz_and_unknown_files_are_refused_in_words(tmp_path: Path) -> None:
    path, _ = recording(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ConfigError, match='cannot be read'):
        RecordedPlanner(ROBOT, str(path))
    other = tmp_path / 'notes.txt'
    other.write_text('not a video')
    with pytest.raises(ConfigError, match='not a video that can be read'):
        RecordedPlanner(ROBOT, str(other))


def test_self_play_recording_can_be_the_plan(tmp_path: Path) -> None:
    from vera_sim.selfplay import collect

    (path,) = collect(ROBOT, tmp_path, seconds=1.0, seed=5)
    plan = RecordedPlanner(ROBOT, str(path), step_dt_s=0.2).plan(request())
    assert plan.horizon == 4 and plan.frames['side'].shape == (5, 128, 128, 3)


def test_missing_view_is_named(tmp_path: Path) -> None:
    path, _ = recording(tmp_path)
    with pytest.raises(PlanningError, match="no picture of view 'side'"):
        RecordedPlanner(ROBOT, str(path)).plan(request(context={'front': request().context['front'], 'side': ()}))
