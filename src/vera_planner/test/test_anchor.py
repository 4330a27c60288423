# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Latents are made to agree with marks, which stay as they are."""

from __future__ import annotations

from pathlib import Path

import torch

from vera_planner.models.anchor import Anchor, AnchorSize
from vera_planner.models.dynamics import Dynamics, DynamicsSize
from vera_planner.moving import MovingModel, load_moving, save_moving
from vera_planner.training.anchor import Poses, anchor_loss, anchor_quality
from vera_planner.training.loop import StageSettings, run_stage

SIZE = AnchorSize(latent=6, views=2, marks=2, width=32)


def arm(frames: int, generator: torch.Generator) -> Poses:
    """Clips of ten frames of an arm whose latents are all told by its marks, and by no single one of them."""
    start, way = (torch.rand((frames // 10, 1, 3), generator=generator) for _ in range(2))
    place = (4 * start + way * torch.arange(10)[None, :, None] / 5).flatten(0, 1)
    latent = torch.cat([torch.sin(place), torch.cos(place)], dim=1)
    sight = torch.tensor([[1.0, 0.2, 0.0], [0.0, 0.3, 1.0], [0.3, 1.0, 0.0], [0.0, 0.2, 1.0]])
    middle = (place @ sight.T).unflatten(1, (2, 1, 2))
    marks = torch.cat([middle - 0.5, middle + 0.5], dim=2)
    return Poses(torch.cat([latent, marks.flatten(1)], dim=1), torch.arange(frames) // 10, 6)


def test_an_anchor_that_has_learned_nothing_changes_nothing() -> None:
    data = arm(100, torch.Generator().manual_seed(0))
    net = Anchor(SIZE)
    net.fit(data.poses)
    assert torch.equal(net(data.poses), data.poses)


def test_latents_come_to_where_the_marks_are_and_marks_stay(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    data, unseen = arm(3000, generator), arm(500, generator)
    torch.manual_seed(1)
    net = Anchor(SIZE)
    net.fit(data.poses)
    settings = StageSettings(name='anchor', seconds=2000.0, learning_rate=3e-3, decay_from=0.2, low_precision=False)
    ticks = iter(range(100_000))
    run_stage(settings, [net], lambda: anchor_loss(net, data, generator), tmp_path, clock=lambda: float(next(ticks)))
    net.eval()
    assert anchor_quality(net, unseen) < 0.2
    spoiled = unseen.spoiled(torch.arange(500), generator)
    with torch.no_grad():
        assert torch.equal(net(spoiled)[:, 6:], spoiled[:, 6:])


def test_spoiled_latents_are_of_the_same_clip_or_near_it_and_marks_hardly_differ() -> None:
    data = arm(100, torch.Generator().manual_seed(2))
    spoiled = data.spoiled(torch.arange(100), torch.Generator().manual_seed(3))
    assert not torch.equal(spoiled[:, :6], data.poses[:, :6])
    assert (spoiled[:, 6:] - data.poses[:, 6:]).abs().max() < 0.02


def test_an_anchor_is_kept_with_the_dynamics(tmp_path: Path) -> None:
    torch.manual_seed(0)
    anchor = Anchor(SIZE)
    anchor.layers[-1].weight.data.normal_()
    anchor.half().float()
    dynamics = Dynamics(DynamicsSize(latent=18, goals=4, coefficients=5, width=8, blocks=1))
    made = MovingModel(dynamics=dynamics, tasks=('pick',), layer_sha256='0', sized=True, anchor=anchor, metadata={})
    save_moving(made, tmp_path / 'moving.safetensors')
    read = load_moving(tmp_path / 'moving.safetensors').anchor
    assert read is not None
    assert read.size == SIZE
    poses = arm(10, torch.Generator().manual_seed(4)).poses
    assert torch.allclose(read(poses), anchor(poses), atol=1e-3)
