# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Robot and object forecast together: states and goals by hand, the training on moving discs, files that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vera_core.errors import ConfigError, ModelContractError
from vera_planner.models.dynamics import Dynamics, DynamicsSize
from vera_planner.models.reader import DIRECTIONS, TASKS
from vera_planner.models.robot_layer import LayerSize
from vera_planner.moving import (
    NEAR_PX,
    MovingModel,
    from_state,
    goal_numbers,
    load_moving,
    moving_size,
    relations,
    robots_that,
    save_moving,
    to_state,
)
from vera_planner.training.autoencoder import LayerFrames, fit_pca
from vera_planner.training.dataset import clean_plates, load_clips
from vera_planner.training.moving import moving_windows, object_pixels, sizes_of_clips, train_moving
from vera_planner.weights import EmbeddedModel, build_model, shipped_weights

PICTURE = (32, 64)
COUNT, LENGTH, SIZE = 8, 8, 32


def test_a_state_is_latent_and_object_and_comes_apart_again() -> None:
    uv = torch.tensor([[[32.0, 16.0], [37.0, 6.0]]])
    state = to_state(torch.tensor([[7.0, 8.0]]), uv, PICTURE)
    assert state.tolist() == [[7.0, 8.0, 0.0, 0.0, 1.0, -2.0]]  # 5 px to the right and 10 px up of the middle at (32, 16)
    latent, place = from_state(state, 2, PICTURE)
    assert latent.tolist() == [[7.0, 8.0]]
    assert torch.equal(place, uv)


def test_fingers_stand_larger_in_the_state_of_a_robot_with_marks() -> None:
    # One view, latent 9; marks at 1 and 2, and at 3 and 6, in units of 5 px: middle (2, 4), distances from it (-1, -2) and (1, 2).
    state = to_state(torch.tensor([[9.0, 1.0, 2.0, 3.0, 6.0]]), torch.tensor([[[37.0, 16.0]]]), PICTURE, marks=2)
    assert state.tolist() == [[9.0, 2.0 - 12.0, 4.0 - 24.0, 2.0 + 12.0, 4.0 + 24.0, 1.0, 0.0]]
    pose, place = from_state(state, 1, PICTURE, marks=2)
    assert torch.allclose(pose, torch.tensor([[9.0, 1.0, 2.0, 3.0, 6.0]]))
    assert place.tolist() == [[[37.0, 16.0]]]


def test_a_goal_tells_places_task_and_way() -> None:
    goal = goal_numbers('push', 'left', torch.tensor([[16.0, 8.0]]), torch.tensor([[32.0, 16.0]]), PICTURE)
    assert goal[:4].tolist() == [0.25, 0.25, 0.5, 0.5]
    words = goal[4:].tolist()
    assert words == [0.75 if word in ('push', 'left') else 0.25 for word in (*TASKS, *DIRECTIONS)]
    assert len(goal) == moving_size(96, 1, width=8).goals
    sized = goal_numbers(
        'push', 'left', torch.tensor([[16.0, 8.0]]), torch.tensor([[32.0, 16.0]]), PICTURE, sizes=torch.tensor([[7.0], [0.0]])
    )
    assert torch.equal(sized[:-2], goal)
    assert sized[-2:].tolist() == [0.5, 0.0]
    assert len(sized) == moving_size(96, 1, width=8, sized=True).goals


def test_relations_are_the_differences_of_places() -> None:
    # Two marks in each of two views, middles at (42, 22) and, for marks in the middle of the picture, (32, 16).
    pose = torch.tensor([[9.0, 8 / 5, 4 / 5, 12 / 5, 8 / 5, 0.0, 0.0, 0.0, 0.0]])
    state = to_state(pose, torch.tensor([[[41.0, 20.0], [30.0, 10.0]]]), PICTURE, marks=2)
    start, onto = torch.tensor([[38.0, 20.0], [30.0, 10.0]]), torch.tensor([[45.0, 21.0], [31.0, 12.0]])
    goal = goal_numbers('stack', '', start, onto, PICTURE, sizes=torch.zeros((2, 2)))
    matrix, mean = relations(9, len(goal), 2, 2, PICTURE)
    apart = (torch.cat([state[0], goal]) @ matrix.T - mean) * NEAR_PX
    assert torch.allclose(
        apart.view(4, 2, 2),
        torch.tensor([[[1.0, 2.0], [2.0, 6.0]], [[-4.0, -1.0], [-1.0, -2.0]], [[-3.0, 1.0], [1.0, 4.0]], [[3.0, 0.0], [0.0, 0.0]]]),
        atol=1e-4,
    )
    assert len(matrix) == moving_size(9, 2, width=8, sized=True).relations


def test_a_network_sees_a_small_difference_of_large_numbers_as_well_as_them() -> None:
    torch.manual_seed(0)
    net = Dynamics(DynamicsSize(latent=2, goals=1, horizon=2, coefficients=2, width=8, blocks=1, relations=1))
    net.latent_std.fill_(1000.0)
    ask = (torch.zeros(1, 2), torch.ones(1), torch.zeros(1, 3, 2), torch.ones(1, 2), torch.full((1, 1), 0.5))
    moved = (*ask[:2], torch.tensor([[[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]]), *ask[3:])
    with torch.no_grad():
        blind = float((net(*ask) - net(*moved)).abs().max())
        net.relate(torch.tensor([[1.0, -1.0, 0.0]]), torch.zeros(1))
        assert float((net(*ask) - net(*moved)).abs().max()) > 3 * blind


def test_things_are_measured_while_they_are_where_they_were(tmp_path: Path) -> None:
    write_pushes(tmp_path / 'clips')
    clips = load_clips(tmp_path / 'clips')
    plates = {view: np.full((SIZE, SIZE, 3), 60, np.uint8) for view in clips.views}
    assert sizes_of_clips(clips, plates).tolist() == [[[0.0, 0.0], [0.0, 0.0]]] * COUNT  # cubes are not drawn in these films
    for row in range(3, LENGTH):  # the cube is drawn, 4 x 4 px, from when it has moved by 2 px; 3 px are too far
        u, v = clips.cubes_now('front', np.array([row]))[0, 0].astype(int)
        clips.frames['front'][row, v - 2 : v + 2, u + 1 : u + 5] = (250, 20, 20)
    found = sizes_of_clips(clips, plates)
    assert found[0, 0].tolist() == [4.0, 0.0]
    assert not found[1:].any()


def write_pushes(folder: Path) -> None:
    """A disc comes from the left and pushes the cube of its target 6 px to the right; the other cubes stand still."""
    folder.mkdir()
    frames = np.full((COUNT * LENGTH, SIZE, SIZE, 3), 60, np.uint8)
    masks = np.zeros((COUNT * LENGTH, SIZE, SIZE), np.uint8)
    tips = np.zeros((COUNT * LENGTH, 2), np.float32)
    moved = np.zeros((COUNT * LENGTH, 4, 2), np.float32)
    cubes = np.stack([np.stack([np.full(4, 16.0), 4.0 + 7.0 * np.arange(4)], axis=1)] * COUNT)
    v, u = np.mgrid[0:SIZE, 0:SIZE]
    for row in range(COUNT * LENGTH):
        clip, k = divmod(row, LENGTH)
        moved[row] = cubes[clip]
        moved[row, clip % 4, 0] += max(0, k - 1)
        tips[row] = moved[row, clip % 4] - [5 + max(0, 1 - k), 0]
        disc = (u - tips[row][0]) ** 2 + (v - tips[row][1]) ** 2 <= 6
        frames[row][disc], masks[row][disc] = 255, 255
    views = {
        f'{name}_{view}': array
        for view in ('front', 'side')
        for name, array in (('frames', frames), ('masks', masks), ('tip', tips), ('cubes', cubes), ('moved', moved))
    }
    words = {name: np.array([word] * COUNT) for name, word in (('task', 'push'), ('direction', 'right'), ('onto', ''))}
    np.savez(folder / 'shard_000000.npz', start=np.arange(COUNT + 1) * LENGTH, target=np.arange(COUNT) % 4, **views, **words)


@pytest.fixture
def base(tmp_path: Path) -> EmbeddedModel:
    write_pushes(tmp_path / 'clips')
    clips = load_clips(tmp_path / 'clips')
    layer = LayerSize(latent=12)
    plates = clean_plates(clips)
    size = DynamicsSize(latent=12, goals=4, coefficients=8, width=16, blocks=1)
    model = build_model(('front', 'side'), (SIZE, SIZE), 0.3, layer, size, plates, {'sha256': 'abc'})
    fit_pca(model.layer, LayerFrames(clips, plates), samples=COUNT * LENGTH, generator=torch.Generator().manual_seed(0))
    return model


def test_clips_tell_what_moves_and_where_to(tmp_path: Path) -> None:
    write_pushes(tmp_path / 'clips')
    clips = load_clips(tmp_path / 'clips')
    assert str(clips.goals[1]) == 'push green_cube right'
    # Clip 1 pushes the cube at (16, 11): not yet in its second frame, by 6 px in its last.
    assert object_pixels(clips)[LENGTH + 1].tolist() == [[16.0, 11.0]] * 2
    assert object_pixels(clips)[2 * LENGTH - 1].tolist() == [[22.0, 11.0]] * 2
    assert clips.cubes_now('side', np.array([2 * LENGTH - 1]))[0, 0].tolist() == [16.0, 4.0]


def test_a_trained_forecast_moves_the_object_and_goes_on_after_an_interruption(tmp_path: Path, base: EmbeddedModel) -> None:
    folder = tmp_path / 'clips'

    def train(minutes: float) -> MovingModel:
        return train_moving(base, [folder], [folder], tmp_path / 'work', minutes=minutes, command='test', width=64)

    model = train(0.1)
    assert model.tasks == ('push',)
    figures = model.metadata['figures']
    assert figures['object_moves_median_px'] == 6.0
    assert figures['error'] < 0.5  # 1 is standing still
    assert figures['object_end_median_px'] < 3.0
    again = train(0.1)  # finished: nothing is trained, nothing is lost
    assert again.metadata['training']['steps'] == model.metadata['training']['steps']
    save_moving(model, tmp_path / 'moving.safetensors')
    loaded = load_moving(tmp_path / 'moving.safetensors')
    assert (loaded.tasks, loaded.layer_sha256, loaded.metadata['command']) == (('push',), 'abc', 'test')
    windows = moving_windows(base, load_clips(folder), model.dynamics.size.horizon)
    ask = (windows.latents[windows.past[:2]], windows.known[:2], windows.goals[:2])
    made = [net.plan(*ask, steps=1, generator=torch.Generator().manual_seed(0)) for net in (model.dynamics, loaded.dynamics)]
    assert torch.allclose(made[0], made[1], atol=0.05)  # kept in half precision


def test_clips_that_move_nothing_are_refused(tmp_path: Path, base: EmbeddedModel) -> None:
    folder = tmp_path / 'reach'
    folder.mkdir()
    with np.load(tmp_path / 'clips' / 'shard_000000.npz') as shard:
        np.savez(folder / 'shard_000000.npz', **{name: shard[name] for name in shard if name not in ('task', 'direction', 'onto')})
    with pytest.raises(ConfigError, match='holds clips of reach; clips of push are wanted'):
        train_moving(base, [folder], [folder], tmp_path / 'work', minutes=0.01, command='test')


def test_a_file_that_is_missing_or_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'moving.safetensors'
    with pytest.raises(ModelContractError, match=r'does not exist; make it with: vera train planner --task push'):
        load_moving(path)
    net = Dynamics(DynamicsSize(latent=4, goals=3, coefficients=2, width=8, blocks=1))
    save_moving(MovingModel(dynamics=net, tasks=('push',), layer_sha256='', metadata={}), path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ModelContractError, match='is damaged or cut short'):
        load_moving(path)


def test_robots_that_know_a_task_are_found_beside_files_that_cannot_be_read(tmp_path: Path) -> None:
    shipped = shipped_weights().parent
    assert robots_that('stack', shipped) == ['panda_gripper']
    assert robots_that('dance', shipped) == []
    for name in ('whole', 'cut', 'bare'):
        (tmp_path / f'embedded_{name}_moving.safetensors').touch()
    (tmp_path / 'embedded_whole_moving.json').write_text('{"tasks": ["push"]}')
    (tmp_path / 'embedded_cut_moving.json').write_text('{"tas')
    assert robots_that('push', tmp_path) == ['whole']
