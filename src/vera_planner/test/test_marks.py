# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Marks, points on a gripper's fingers: in poses, painted, read from pictures, in weights, trained on two discs that open and close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from vera_core.errors import ConfigError, ModelContractError
from vera_planner.models.dynamics import DynamicsSize
from vera_planner.models.marks import CROP, crop
from vera_planner.models.refiner import WINDOW, Refiner, cut, window_of
from vera_planner.models.robot_layer import LayerSize, RobotLayer
from vera_planner.moving import from_state
from vera_planner.training.autoencoder import LayerFrames, fit_pca, true_poses
from vera_planner.training.dataset import ClipSet, clean_plates, load_clips
from vera_planner.training.marked import OWN_SHARES, SHARES, LayerLesson, Painter, marks_loss, train_marked_layer, train_own_layer
from vera_planner.training.moving import moving_windows
from vera_planner.weights import EmbeddedModel, build_marked, build_model, load_model, save_model

SIZE, LENGTH, COUNT = 32, 10, 6
SMALL = LayerSize(latent=8, hidden=16, width=16, blocks=1, half=8, spotter=8)


def layer_with_marks(marks: int = 2) -> RobotLayer:
    torch.manual_seed(0)
    return RobotLayer(('front', 'side'), (64, 64), replace(SMALL, marks=marks))


def test_a_pose_is_a_latent_and_marks_and_comes_apart_again() -> None:
    layer = layer_with_marks()
    marks = torch.tensor([[[[32.0, 32.0], [37.0, 22.0]], [[0.0, 64.0], [33.0, 31.0]]]])
    pose = layer.pose(torch.arange(8.0)[None], marks)
    assert pose[0, 8:12].tolist() == pytest.approx([0, 0, 1, -2])  # 5 px to the right and 10 px up of the middle
    assert torch.allclose(layer.marks_of(pose), marks)
    assert pose.shape[1] == layer.pose_length == 16


def test_a_pose_without_marks_is_its_latent() -> None:
    layer = RobotLayer(('front', 'side'), (64, 64), SMALL)
    latent = torch.randn(3, 8)
    assert torch.equal(layer.pose(latent), latent)
    assert layer.pose_length == 8


def test_windows_have_the_marks_in_the_middle_and_end_at_the_picture() -> None:
    marks = torch.tensor([[[40.0, 30.0], [42.0, 34.0]], [[2.0, 63.0], [2.0, 63.0]]])
    rows, cols = window_of(marks, torch.Size((64, 64)))
    assert rows.shape == cols.shape == (2, WINDOW)
    assert (int(rows[0, 0]), int(cols[0, 0])) == (16, 26)  # middle of the marks at (41, 32): 41 - 15.5, 32 - 15.5, rounded to even
    assert (int(rows[1, -1]), int(cols[1, 0])) == (63, 0)
    pictures = torch.arange(2 * 64 * 64.0).view(2, 1, 64, 64)
    assert torch.equal(cut(pictures, rows, cols)[1, 0], pictures[1, 0, 32:, :32])


def test_a_refiner_begins_with_what_is_there_and_paints_inside_of_its_window_only() -> None:
    torch.manual_seed(1)
    refiner = Refiner(4, 2)
    colour, alpha = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
    marks, pose = torch.tensor([[[20.0, 30.0], [24.0, 30.0]]]), torch.randn(1, 4)
    same = refiner(colour, alpha, pose, marks)
    assert torch.allclose(same[0], colour, atol=2e-3)
    assert torch.allclose(same[1], alpha, atol=2e-3)
    torch.nn.init.normal_(refiner.head.weight)
    made = refiner(colour, alpha, pose, marks)
    changed = ((made[0] - colour).abs().amax(dim=1) > 1e-2)[0]
    rows, cols = torch.nonzero(changed, as_tuple=True)
    assert len(rows) > 500
    first_rows, first_cols = window_of(marks, torch.Size((64, 64)))
    assert set(rows.tolist()) <= set(first_rows[0].tolist())
    assert set(cols.tolist()) <= set(first_cols[0].tolist())


def test_a_crop_is_the_picture_round_its_centre_and_nothing_outside() -> None:
    picture = torch.rand(1, 2, 64, 64)
    whole = crop(picture, torch.tensor([[31.5, 30.5]]))  # an even edge: its middle lies between two pixels
    assert torch.allclose(whole[0], picture[0, :, 19 : 19 + CROP, 20 : 20 + CROP], atol=1e-5)
    assert float(crop(picture, torch.tensor([[-40.0, 30.0]])).abs().max()) == 0.0


def test_settling_leaves_marks_where_they_are() -> None:
    layer = layer_with_marks()
    pose = torch.randn(2, layer.pose_length)
    assert torch.equal(layer.settled(pose, 1)[:, 8:], pose[:, 8:])


def write_grips(folder: Path) -> None:
    """Two discs at the same height come together by a pixel a frame, at another height in every clip; a cube lies between them."""
    folder.mkdir()
    frames = np.full((COUNT * LENGTH, SIZE, SIZE, 3), 60, np.uint8)
    masks = np.zeros((COUNT * LENGTH, SIZE, SIZE), np.uint8)
    marks = np.zeros((COUNT * LENGTH, 2, 2), np.float32)
    cubes = np.stack([np.full((4, 2), 16.0)] * COUNT)
    v, u = np.mgrid[0:SIZE, 0:SIZE]
    for row in range(COUNT * LENGTH):
        clip, k = divmod(row, LENGTH)
        for finger, sign in enumerate((-1, 1)):
            marks[row, finger] = 16 + sign * (12 - k), 6 + 4 * clip
            disc = (u - marks[row, finger, 0]) ** 2 + (v - marks[row, finger, 1]) ** 2 <= 5
            frames[row][disc], masks[row][disc] = 250, 255
    arrays = {'frames': frames, 'masks': masks, 'tip': marks.mean(axis=1), 'marks': marks, 'cubes': cubes}
    arrays['moved'] = np.repeat(cubes, LENGTH, axis=0)
    views = {f'{name}_{view}': array for view in ('front', 'side') for name, array in arrays.items()}
    words = {name: np.array([word] * COUNT) for name, word in (('task', 'stack'), ('direction', ''), ('onto', 'blue_cube'))}
    np.savez(folder / 'shard_000000.npz', start=np.arange(COUNT + 1) * LENGTH, target=np.zeros(COUNT, int), **views, **words)


@pytest.fixture
def base(tmp_path: Path) -> EmbeddedModel:
    write_grips(tmp_path / 'clips')
    clips = load_clips(tmp_path / 'clips')
    torch.manual_seed(0)
    dynamics = DynamicsSize(latent=8, goals=4, horizon=4, coefficients=5, width=16, blocks=1)
    model = build_model(('front', 'side'), (SIZE, SIZE), 0.3, SMALL, dynamics, clean_plates(clips), {})
    fit_pca(model.layer, LayerFrames(clips, model.plates), samples=COUNT * LENGTH, generator=torch.Generator().manual_seed(0))
    save_model(model, tmp_path / 'base.safetensors')
    return load_model(tmp_path / 'base.safetensors')


def learn(module: torch.nn.Module, loss: Callable[[], Tensor], steps: int) -> None:
    module.requires_grad_(True)
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def lesson(folder: Path, base: EmbeddedModel, clips: ClipSet, **options: Any) -> LayerLesson:
    return LayerLesson(
        base=base, base_name='base.safetensors', clips=clips, held_out=clips, folder=folder / 'work', command='test', **options
    )


def test_fingers_are_found_in_pictures(tmp_path: Path, base: EmbeddedModel) -> None:
    model = build_marked(base, 'base.safetensors', 2, base.plates, {})
    frames = LayerFrames(load_clips(tmp_path / 'clips'), model.plates)
    generator, reader = torch.Generator().manual_seed(0), model.marks
    assert reader is not None
    latents = true_poses(model.layer, frames)[:, :8]
    learn(reader, lambda: marks_loss(reader, frames, latents, torch.randint(0, len(frames), (16,), generator=generator), generator), 150)
    with torch.no_grad():
        made = reader(frames.batch(torch.arange(len(frames)))[0], frames.plates, latents)
        rough = (reader.guess(latents) - frames.marks).norm(dim=3)
    error = (made - frames.marks).norm(dim=3)
    assert float(error.median()) < 1.5  # they are up to 12 px from the middle between them
    assert float(error.median()) < float(rough.median())  # looking is better than guessing


def test_fingers_are_painted_where_their_marks_are(tmp_path: Path, base: EmbeddedModel) -> None:
    layer = build_marked(base, 'base.safetensors', 2, base.plates, {}).layer
    frames = LayerFrames(load_clips(tmp_path / 'clips'), base.plates)
    poses = true_poses(layer, frames)
    painter = Painter(layer, frames, poses, torch.Generator().manual_seed(0))
    painter.prepare()
    learn(layer.refiners, painter.loss, 40)
    with torch.no_grad():
        without, painted = layer.decode_latent(poses[:, :8])['front'][1], layer.decode(poses)['front'][1]
    wanted = frames.masks['front'][:, None].float() / 255
    assert float((painted - wanted).abs().mean()) < 0.5 * float((without - wanted).abs().mean())


def test_a_training_goes_through_all_stages_and_its_weights_hold_only_what_is_new(tmp_path: Path, base: EmbeddedModel) -> None:
    clips = load_clips(tmp_path / 'clips')
    ran: list[str] = []
    model = train_marked_layer(lesson(tmp_path, base, clips, minutes=0.02, report=lambda p: ran.append(p.stage)))
    assert list(dict.fromkeys(ran)) == list(SHARES)
    assert set(model.metadata['figures']) == {'layer', 'layer_from_pictures', 'marks'}
    save_model(model, tmp_path / 'own.safetensors')
    again = load_model(tmp_path / 'own.safetensors')
    assert (again.base, again.learned_reach, base.learned_reach) == ('base.safetensors', False, True)
    poses = true_poses(model.layer, LayerFrames(clips, model.plates))
    assert torch.allclose(again.layer.decode(poses)['side'][0], model.layer.decode(poses)['side'][0], atol=0.02)
    with safe_open(tmp_path / 'own.safetensors', 'pt') as file:
        assert not [name for name in file.keys() if 'coarse' in name or 'pca' in name or name.startswith('grounding')]  # noqa: SIM118


def test_windows_doubt_where_an_object_is_that_the_fingers_hold(tmp_path: Path, base: EmbeddedModel) -> None:
    clips = load_clips(tmp_path / 'clips')
    model = build_marked(base, 'base.safetensors', 2, base.plates, {})
    windows = moving_windows(model, clips, 4)
    assert windows.doubt is not None
    # Clip 2 grips at (16, 14), 2 px from the cube; clip 5 at (16, 26), 10 px from it. In units of 5 px.
    assert windows.doubt[2 * LENGTH, -4:].tolist() == pytest.approx([0.6 / 5] * 4)
    assert windows.doubt[5 * LENGTH, -4:].tolist() == pytest.approx([0.2 / 5] * 4)
    # Marks are read with an error of 0.1 px, and stand 12 times as large, in units of 5 px; latents are not doubted.
    assert windows.doubt[:, :8].abs().max() == 0.0
    assert windows.doubt[5 * LENGTH, 8:-4].tolist() == pytest.approx([12 * 0.1 / 5] * 8)
    # The cube it ends up on is told by where it lies.
    assert windows.goals[0, 4:8].tolist() == [0.5] * 4


def test_weights_whose_base_is_not_beside_them_are_refused(tmp_path: Path, base: EmbeddedModel) -> None:
    save_model(build_marked(base, 'gone.safetensors', 2, base.plates, {}), tmp_path / 'own.safetensors')
    with pytest.raises(ModelContractError, match=r"gone\.safetensors' does not exist"):
        load_model(tmp_path / 'own.safetensors')
    save_model(build_marked(base, '../base.safetensors', 2, base.plates, {}), tmp_path / 'own.safetensors')
    with pytest.raises(ModelContractError, match='it must lie in the same folder'):
        load_model(tmp_path / 'own.safetensors')


def test_clips_without_marks_are_refused(tmp_path: Path, base: EmbeddedModel) -> None:
    clips = load_clips(tmp_path / 'clips')
    bare = replace(clips, marks={view: marks[:, :0] for view, marks in clips.marks.items()})
    with pytest.raises(ConfigError, match='0 marks'):
        train_marked_layer(lesson(tmp_path, base, bare, minutes=0.1))


def test_arm_and_fingers_come_apart_in_contexts_and_the_object_stays(tmp_path: Path, base: EmbeddedModel) -> None:
    model = build_marked(base, 'base.safetensors', 2, base.plates, {})
    windows = moving_windows(model, load_clips(tmp_path / 'clips'), 4)
    index = torch.full((64,), 3)  # the fourth frame of the first clip: fingers 9 px from their middle, which never moves
    made = windows.apart(index, torch.Generator().manual_seed(0))
    pose, true = (from_state(states, 2, base.working_size, marks=2)[0] for states in (made, windows.latents[windows.past[index]]))
    marks, true_marks = model.layer.marks_of(pose[:, 2]), model.layer.marks_of(true[:, 2])
    apart = (marks[:, 0, 1, 0] - marks[:, 0, 0, 0]).tolist()
    assert {round(value) for value in apart} == {18, 16, 14, 12, 10}  # as they are, or as they will be in 1 to 4 frames, the horizon
    fingers_lead = torch.tensor(apart) < 17.9
    assert 16 < int(fingers_lead.sum()) < 48
    latent, true_latent = pose[:, 2, :8], true[:, 2, :8]
    assert torch.allclose(latent[fingers_lead], true_latent[fingers_lead], atol=1e-5)  # then the arm is where it was
    assert float((latent - true_latent)[~fingers_lead].norm(dim=1).min()) > 0.01
    assert torch.allclose(marks.mean(dim=2), true_marks.mean(dim=2), atol=1e-4)
    assert torch.equal(made[..., -4:], windows.latents[windows.past[index]][..., -4:])


def test_a_robot_that_looks_otherwise_has_a_layer_of_its_own_and_the_grounding_of_the_base(tmp_path: Path, base: EmbeddedModel) -> None:
    clips = load_clips(tmp_path / 'clips')
    ran: list[str] = []
    model = train_own_layer(lesson(tmp_path, base, clips, minutes=0.03, report=lambda p: ran.append(p.stage)), replace(SMALL, latent=5))
    assert list(dict.fromkeys(ran)) == list(OWN_SHARES)
    save_model(model, tmp_path / 'own.safetensors')
    again = load_model(tmp_path / 'own.safetensors')
    assert (again.layer.size.latent, again.marks, again.learned_reach) == (5, None, False)
    latents = true_poses(model.layer, LayerFrames(clips, model.plates))
    assert torch.allclose(again.layer.decode(latents)['side'][0], model.layer.decode(latents)['side'][0], atol=0.02)
    grounding = base.grounding.state_dict()
    assert all(torch.equal(value, grounding[name]) for name, value in again.grounding.state_dict().items())
