# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera dream` and the words of its command line."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from vera_bringup.dream import dream, read_context, read_picture
from vera_bringup.planner_settings import planner_params
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError, PlanningError, VeraError
from vera_planner.weights import load_model, shipped_weights

ROBOT = load_embodiment('panda')


@pytest.fixture
def images(tmp_path):
    """The empty table, seen by both cameras, at another size than the planner works at."""
    paths = []
    for view, plate in load_model(shipped_weights()).plates.items():
        path = tmp_path / f'{view}.png'
        cv2.imwrite(str(path), cv2.resize(plate[:, :, ::-1], (200, 160)))
        paths.append(path)
    return paths


def recording(folder, length=4):
    path = folder / 'demo.npz'
    pictures = np.zeros((length, 128, 128, 3), np.uint8)
    for k in range(length):
        pictures[k, 40:80, 20 + 4 * k : 60 + 4 * k] = np.random.default_rng(0).integers(0, 255, (40, 40, 3))
    np.savez(path, step_dt_s=0.25, **{f'frames_{view}': pictures for view in ROBOT.view_names})
    return path


@pytest.mark.parametrize('name', ['dream.mp4', 'dream.gif'])
def test_dream_is_written_and_measured(tmp_path, name):
    path = recording(tmp_path)
    pictures = [tmp_path / f'{k}.png' for k in range(2)]
    for picture in pictures:
        cv2.imwrite(str(picture), np.load(path)[f'frames_{ROBOT.view_names[0]}'][0][:, :, ::-1])
    out = tmp_path / name
    plan, figures = dream(planner_params('panda', 'recorded', [f'recording={path}']), 'push it', pictures, out)
    assert (plan.horizon, figures.frames, figures.step_dt_s) == (3, 3, 0.25)
    # A square of 40 x 40 px moves 4 px a frame; the flow spills over onto the plain table around it.
    assert 0.1 < figures.moving_share < 0.8 and 3 < figures.motion_px < 13 and figures.largest_step_px == pytest.approx(4.0, abs=0.5)
    assert any('pixels move' in line for line in figures.lines())
    with av.open(str(out)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    assert len(frames) == 4 and frames[0].shape == (256, 512, 3)


def test_embedded_planner_dreams_from_pictures_of_any_size_or_says_why_not(images, tmp_path):
    params = planner_params('panda', 'embedded')
    try:
        plan, _ = dream(params, 'touch the red cube', images, tmp_path / 'a.mp4')
        assert plan.frames[ROBOT.view_names[0]].shape[1:] == (*ROBOT.working_size, 3)
    except PlanningError as error:  # the table is empty
        assert 'names nothing the planner sees' in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ('prompt', 'words'),
    [
        ('', 'the task sentence is empty'),
        ('  ', 'is empty'),
        ('x' * 10_000, 'has 10000 characters'),
        ('touch \udcff\udcfe', 'is not UTF-8'),
    ],
)
def test_sentence_that_cannot_be_used(images, tmp_path, prompt, words):
    with pytest.raises(VeraError, match=words):
        dream(planner_params('panda', 'embedded'), prompt, images, tmp_path / 'a.mp4')


def test_pictures_that_do_not_fit(images, tmp_path):
    broken = tmp_path / 'broken.png'
    broken.write_bytes(images[0].read_bytes()[:100])
    text = tmp_path / 'text.png'
    text.write_text('no picture')
    odd = tmp_path / 'odd.png'
    cv2.imwrite(str(odd), np.zeros((10, 31, 3), np.uint8))
    for paths, words in (
        ([broken], 'no picture that can be read'), ([text], 'no picture that can be read'), ([tmp_path / 'none.png'], 'cannot be read'),
        ([odd], 'not 2 views'), ([*images, images[0]], '3 pictures are given; robot panda has 2 views'), ([], '0 pictures'),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            read_context(paths, ROBOT, 0.3)
    for name, picture in {
        'grey.png': np.zeros((9, 9), np.uint8),
        'deep.png': np.zeros((9, 9, 3), np.uint16),
        'clear.png': np.zeros((9, 9, 4), np.uint8),
    }.items():
        cv2.imwrite(str(tmp_path / name), picture)
        assert read_picture(tmp_path / name).shape == (9, 9, 3)
    context = read_context([*images, *images], ROBOT, 0.3)
    assert [frame.stamp_ns for frame in context[ROBOT.view_names[0]]] == [300_000_000, 600_000_000]


def test_file_that_cannot_be_written(images, tmp_path):
    for out in (tmp_path / 'a.txt', tmp_path / 'none' / 'a.mp4'):
        with pytest.raises(ConfigError, match='cannot be written'):
            dream(planner_params('panda', 'embedded'), 'go', images, out)


@pytest.mark.parametrize(
    ('backend', 'setting', 'words'),
    [
        ('embeded', '', "unknown planner 'embeded'; .*Did you mean 'embedded'"),
        ('diffusers', 'step=4', "'step=4' sets no parameter.*Did you mean 'steps'"),
        ('diffusers', 'steps=many', "steps is 'many'; a int"),
        ('diffusers', 'steps=-3', 'steps is -3; it must be 0 to 1000'),
        ('diffusers', 'allow_download=maybe', 'a bool was expected'),
    ],
)
def test_words_that_name_no_planner_or_parameter(backend, setting, words):
    with pytest.raises(ConfigError, match=words):
        planner_params('panda', backend, [setting] if setting else [])


def test_words_become_parameters():
    params = planner_params('allegro', 'diffusers', ['model=a/b', 'steps=4', 'guidance=2.5', 'allow_download=true'])
    assert (params.robot, params.backend, params.model, params.steps, params.guidance, params.allow_download) == (
        'allegro',
        'diffusers',
        'a/b',
        4,
        2.5,
        True,
    )
