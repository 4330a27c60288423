# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The trainer end to end on moving discs: every stage runs, is resumed, and leaves weights that load."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vera_core.errors import ConfigError
from vera_planner.training.dataset import clean_plates, load_clips
from vera_planner.training.dynamics import make_windows
from vera_planner.training.evaluate import psnr, ssim
from vera_planner.training.loop import Progress, StageSettings, run_stage
from vera_planner.weights import load_model

COUNT, LENGTH, SIZE = 12, 8, 32
TABLE = 60


def write_discs(folder: Path) -> None:
    """One white disc per clip moves from left to the cube of its target, four squares stand still."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    frames = np.full((COUNT * LENGTH, SIZE, SIZE, 3), TABLE, np.uint8)
    masks = np.zeros((COUNT * LENGTH, SIZE, SIZE), np.uint8)
    tips = np.zeros((COUNT * LENGTH, 2), np.float32)
    cubes = np.zeros((COUNT, 4, 2), np.float32)
    target = rng.integers(0, 4, COUNT)
    v, u = np.mgrid[0:SIZE, 0:SIZE]
    for clip in range(COUNT):
        cubes[clip] = np.stack([np.full(4, 26.0), 4.0 + 7.0 * rng.permutation(4)], axis=1)
        for k in range(LENGTH):
            row = clip * LENGTH + k
            for colour, (cu, cv) in enumerate(cubes[clip]):
                frames[row][(abs(u - cu) <= 1) & (abs(v - cv) <= 1)] = np.eye(4, 3)[colour] * 255
            tips[row] = np.array([5.0, 16.0]) + (cubes[clip, target[clip]] - np.array([5.0, 16.0])) * k / (LENGTH - 1)
            disc = (u - tips[row][0]) ** 2 + (v - tips[row][1]) ** 2 <= 9
            frames[row][disc], masks[row][disc] = 255, 255
    views = {
        f'{name}_{view}': array
        for view in ('front', 'side')
        for name, array in (('frames', frames), ('masks', masks), ('tip', tips), ('cubes', cubes))
    }
    np.savez(folder / 'shard_000000.npz', start=np.arange(COUNT + 1) * LENGTH, target=target, **views)


def test_clean_plate_shows_the_table_where_the_disc_was(tmp_path: Path) -> None:
    write_discs(tmp_path / 'data')
    clips = load_clips(tmp_path / 'data')
    plate = clean_plates(clips)['front']
    assert (plate[:, :20] == TABLE).all()
    train, aside = clips.split(2)
    assert (len(train.target), len(aside.target), len(aside.frames['side'])) == (COUNT - 2, 2, 2 * LENGTH)


def test_windows_hold_the_ends_of_a_clip(tmp_path: Path) -> None:
    write_discs(tmp_path / 'data')
    clips = load_clips(tmp_path / 'data')
    windows = make_windows(clips, torch.zeros(COUNT * LENGTH, 3), 4)
    assert len(windows.past) == COUNT * (LENGTH - 1)
    assert windows.past[0].tolist() == [0, 0, 0]
    assert windows.known[0].tolist() == [0, 0]
    assert windows.known[1].tolist() == [0, 1]
    assert windows.future[LENGTH - 2].tolist() == [LENGTH - 1] * 4
    assert windows.firsts.tolist() == [clip * (LENGTH - 1) for clip in range(COUNT)]


def test_folder_without_shards_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'no shard_\*\.npz in'):
        load_clips(tmp_path)


def test_stage_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    settings = StageSettings(name='line', seconds=10.0, learning_rate=0.3, low_precision=False)

    def stage(limit: float) -> tuple[Progress, torch.nn.Linear]:
        torch.manual_seed(0)
        net = torch.nn.Linear(1, 1)
        now = [0.0]

        def clock() -> float:
            now[0] += 0.05
            if now[0] > limit:
                raise KeyboardInterrupt
            return now[0]

        def loss() -> torch.Tensor:
            x = torch.rand(16, 1)
            return (net(x) - 3 * x).square().mean()

        return run_stage(settings, [net], loss, tmp_path, clock=clock), net

    import vera_planner.training.loop as loop

    loop.CHECKPOINT_EVERY_S, kept = 1.0, loop.CHECKPOINT_EVERY_S
    try:
        with pytest.raises(KeyboardInterrupt):
            stage(6.0)
        before = json.loads((tmp_path / 'line.json').read_text())
        assert 4.0 < before['elapsed_s'] < 6.0
        progress, net = stage(100.0)
        assert progress.steps > before['steps']
        assert progress.steps <= 201  # one step per 0.05 s of a 10 s budget, not a second budget from zero
        assert float(net.weight.detach()) == pytest.approx(3.0, abs=0.4)  # it starts near 0; averaged weights trail a little
        assert stage(100.0)[0].steps == progress.steps  # a finished stage returns at once
    finally:
        loop.CHECKPOINT_EVERY_S = kept


@pytest.mark.slow
def test_training_writes_weights_that_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vera_planner.models.robot_layer import LayerSize
    from vera_planner.training import train

    monkeypatch.setattr(train, 'LayerSize', lambda: LayerSize(latent=8, hidden=16, width=16, blocks=1, half=8, spotter=8))
    write_discs(tmp_path / 'data')
    seen: set[str] = set()
    path = train.train_planner(tmp_path / 'data', tmp_path / 'out', minutes=0.05, seed=4, report=lambda progress: seen.add(progress.stage))
    assert seen == set(train.SHARES)
    model = load_model(path)
    assert model.metadata['seed'] == 4
    assert model.metadata['data'] == {'clips': 11, 'frames': 11 * LENGTH, 'held_out_clips': 1}
    assert 0 <= model.metadata['figures']['grounding_first_frame']['correct'] <= 1


def test_picture_measures_agree_with_hand_arithmetic() -> None:
    black = np.zeros((2, 16, 16, 3), np.uint8)
    # A difference of 255/10 everywhere is 20 dB.
    assert psnr(black + np.uint8(25), black) == pytest.approx(20 * np.log10(255 / 25), abs=1e-3)
    picture = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    assert ssim(picture, picture) == pytest.approx(1.0)
    assert ssim(picture, 255 - picture) < 0
