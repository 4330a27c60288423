# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Trains how robot and object move together, on clips of tasks that move something, with the robot layer of weights that are there already."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vera_core.errors import ConfigError
from vera_core.shapes import RgbArray
from vera_planner.background import grown
from vera_planner.models.anchor import Anchor, AnchorSize
from vera_planner.models.dynamics import Dynamics
from vera_planner.models.robot_layer import MARK_PX, RobotLayer
from vera_planner.moving import FINGERS_GAIN, OBJECT_PX, UNTRACKED, MovingModel, from_state, goal_numbers, moving_size, relations, to_state
from vera_planner.object_layer import COVERED, HELD_APART, HELD_PX, SAME_PLACE_PX, cut_out
from vera_planner.prompts import COLOURS
from vera_planner.training.anchor import Poses, anchor_loss, anchor_quality
from vera_planner.training.autoencoder import LayerFrames, true_poses
from vera_planner.training.dataset import ClipSet, load_clips
from vera_planner.training.dynamics import Windows, dynamics_loss, dynamics_quality, make_windows
from vera_planner.training.loop import Progress, StageSettings, run_stage
from vera_planner.weights import EmbeddedModel

BATCH = 192
MARK_DOUBT_PX = 0.1
"""How far off marks are read, px."""
SEEN_DOUBT_PX, HELD_DOUBT_PX = 0.2, 0.6
"""How far off, on either axis, `ObjectTracker` sees an object that the hand comes to, and one between the fingers (.15 and .43 px median on held-out
films of stack, .3 and 1.4 px in one of ten). What is held in doubt is not acted on: with 1.5 px here, which was right for grounding alone, a hand that had
come down beside its cube stayed there."""
GOAL_DOUBT_PX = 0.25
"""Likewise, where it was at the start, and where the other thing is."""
THINGS = tuple(f'{colour}_cube' for colour in COLOURS)
WIDTH = 384
ANCHOR_SHARE = 0.15
"""Of the time, for robots with marks."""


def train_moving(
    base: EmbeddedModel,
    dataset_dirs: Sequence[Path],
    held_out_dirs: Sequence[Path],
    folder: Path,
    *,
    minutes: float,
    seed: int = 0,
    command: str,
    width: int = WIDTH,
    report: Callable[[Progress], None] = lambda progress: None,
) -> MovingModel:
    """Train within a time budget; checkpoints in `folder`, from which an interrupted training goes on.

    Args:
        base: Weights with the robot's layer; its latents are continued.
        dataset_dirs: Folders of clips of tasks that move an object.
        held_out_dirs: Of clips for the figures.
        folder: Gets checkpoints.
        minutes: Time budget, min; reading the clips comes on top.
        seed: Seed of initial weights and batches.
        command: Written into the page.
        width: Of the network.
        report: Called after every step.

    Raises:
        ConfigError: If there is no data or the clips are of a task that moves nothing.
    """
    torch.set_num_threads(1)
    clips, held_out = load_clips(*dataset_dirs), load_clips(*held_out_dirs)
    tasks = tuple(sorted({goal.task for goal in clips.goals}))
    if not tasks or 'reach' in tasks:
        raise ConfigError(
            f"'{dataset_dirs[0]}' holds clips of {', '.join(tasks) or 'no task'}; clips of push are wanted, from: vera clips --task push"
        )
    torch.manual_seed(seed)
    sized = bool(base.layer.size.marks)
    size = moving_size(base.layer.pose_length, len(base.views), width=width, sized=sized)
    windows, test = moving_windows(base, clips, size.horizon), moving_windows(base, held_out, size.horizon)
    net = Dynamics(size)
    every = max(1, len(windows.past) // 8000)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.arange(0, len(windows.past), every)
    now = windows.latents[windows.past[chosen, 2:]]
    if windows.parts is not None:
        now[::2] = windows.apart(chosen[::2], generator)[:, 2:]
    net.fit(windows.latents[windows.future[chosen]] - now, windows.latents)
    if sized:
        net.relate(*relations(base.layer.pose_length, size.goals, len(base.views), base.layer.size.marks, base.working_size))

    def loss() -> Tensor:
        index = torch.randint(0, len(windows.past), (BATCH,), generator=generator)
        return dynamics_loss(net, windows, index, generator, float(base.working_size[1]))

    share = ANCHOR_SHARE if base.layer.size.marks else 0.0
    settings = StageSettings(name='moving', seconds=60 * minutes * (1 - share), learning_rate=1e-3, low_precision=False)
    folder.mkdir(parents=True, exist_ok=True)
    progress = run_stage(settings, [net], loss, folder, report=report)
    net.eval()
    figures = moving_quality(net, test, base.layer, base.working_size)
    anchor = None
    if base.layer.size.marks:
        anchor = train_anchor(base, clips, folder, seconds=60 * minutes * share, generator=generator, report=report)
        figures['anchor_error_left'] = anchor_quality(anchor, poses_of(base, held_out))
    metadata: dict[str, Any] = {
        'command': command,
        'seed': seed,
        'made': datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d'),
        'data': {'clips': len(clips.target), 'frames': len(clips.clip_of_frame), 'held_out_clips': len(held_out.target)},
        'training': {'steps': progress.steps, 'loss': round(progress.loss, 4), 'seconds': round(60 * minutes)},
        'figures': figures,
    }
    (folder / 'figures.json').write_text(json.dumps(figures, indent=1), encoding='utf-8')
    return MovingModel(dynamics=net, tasks=tasks, layer_sha256=str(base.metadata['sha256']), sized=sized, anchor=anchor, metadata=metadata)


def train_anchor(
    base: EmbeddedModel,
    clips: ClipSet,
    folder: Path,
    *,
    seconds: float,
    generator: torch.Generator,
    report: Callable[[Progress], None],
) -> Anchor:
    """Train what makes latents agree with marks, on the poses of clips; checkpoints in `folder`."""
    data = poses_of(base, clips)
    anchor = Anchor(AnchorSize(latent=data.latent, views=len(base.views), marks=base.layer.size.marks))
    anchor.fit(data.poses)
    settings = StageSettings(name='anchor', seconds=seconds, learning_rate=2e-3, decay_from=0.2, low_precision=False)
    run_stage(settings, [anchor], lambda: anchor_loss(anchor, data, generator), folder, report=report)
    return anchor.eval()


def poses_of(base: EmbeddedModel, clips: ClipSet) -> Poses:
    """Return the true poses of all frames."""
    poses = true_poses(base.layer, LayerFrames(clips, base.plates))
    return Poses(poses, torch.from_numpy(np.asarray(clips.clip_of_frame)), base.layer.size.latent)


def moving_windows(base: EmbeddedModel, clips: ClipSet, horizon: int) -> Windows:
    """Cut clips into windows of states of robot and object."""
    poses, place = true_poses(base.layer, LayerFrames(clips, base.plates)), object_pixels(clips)
    count = base.layer.size.marks
    states = to_state(poses, place, base.working_size, marks=count)
    if not count:
        return make_windows(clips, states, horizon, goals_of_clips(clips, base.working_size))
    sizes = sizes_of_clips(clips, base.plates)
    windows = make_windows(clips, states, horizon, goals_of_clips(clips, base.working_size, sizes))
    latent, marks = base.layer.size.latent, base.layer.marks_of(poses)
    hand = marks.mean(dim=2, keepdim=True)
    fingers, thing = torch.zeros_like(states), torch.zeros_like(states)
    fingers[:, latent : poses.shape[1]] = (FINGERS_GAIN / MARK_PX * (marks - hand)).flatten(1)
    thing[:, poses.shape[1] :] = states[:, poses.shape[1] :]
    apart = (marks[:, :, 0] - marks[:, :, -1]).norm(dim=2)
    size = sizes[torch.from_numpy(clips.clip_of_frame), 0]
    is_held = ((hand[:, :, 0] - place).norm(dim=2) < HELD_PX) & ((apart < HELD_APART * size) | (size == 0.0))
    doubt = torch.zeros_like(states)
    doubt_px = torch.where(is_held, HELD_DOUBT_PX, SEEN_DOUBT_PX)
    doubt[:, poses.shape[1] :] = (doubt_px[:, :, None] / OBJECT_PX).expand_as(place).flatten(1)
    doubt[:, latent : poses.shape[1]] = FINGERS_GAIN / MARK_PX * MARK_DOUBT_PX
    return replace(windows, doubt=doubt, parts=(fingers, thing), optional=2 * len(clips.views), goal_noise_px=GOAL_DOUBT_PX)


def object_pixels(clips: ClipSet) -> Tensor:
    """Return where the target of the clip is in every frame, shape (T, V, 2), px; in the middle where it is not followed."""
    if any(goal.task in UNTRACKED for goal in clips.goals):
        shape = next(iter(clips.frames.values())).shape
        return torch.tensor([shape[2] / 2, shape[1] / 2]).expand(shape[0], len(clips.views), 2)
    rows = np.arange(len(clips.clip_of_frame))
    target = clips.target[clips.clip_of_frame]
    return torch.from_numpy(np.stack([clips.cubes_now(view, rows)[rows, target] for view in clips.views], axis=1)).float()


def sizes_of_clips(clips: ClipSet, plates: Mapping[str, RgbArray]) -> Tensor:
    """Return how large the target and the other thing show at the start of every clip, shape (C, 2, V), px: as `ObjectTracker` measures it, 0 where it cannot.

    The target is looked for in every frame until it moves, the other thing likewise.
    """
    sizes = torch.zeros((len(clips.goals), 2, len(clips.views)))
    for clip, goal in enumerate(clips.goals):
        things = [int(clips.target[clip]), *([THINGS.index(goal.onto)] if goal.onto else [])]
        for which, thing in enumerate(things):
            sizes[clip, which] = torch.tensor([_size(clips, clip, thing, view, plates[view]) for view in clips.views])
    return sizes


def _size(clips: ClipSet, clip: int, thing: int, view: str, plate: RgbArray) -> float:
    """Return how large a thing shows in the first frame of a clip in which nothing covers it, before it moves; 0 without one."""
    for row in range(int(clips.start[clip]), int(clips.start[clip + 1])):
        if np.linalg.norm(clips.moved[view][row, thing]) >= SAME_PLACE_PX:
            continue
        robot = grown(clips.masks[view][row] > COVERED * 255)
        found = cut_out(clips.frames[view][row], plate, robot, clips.cubes[view][clip, thing])
        if found is not None:
            return found.size
    return 0.0


def goals_of_clips(clips: ClipSet, picture: tuple[int, int], sizes: Tensor | None = None) -> Tensor:
    """Return what tells the dynamics the goal of every clip, shape (C, G), with sizes (C, 2, V), px, where it is told those."""
    middle = torch.tensor([[picture[1] / 2, picture[0] / 2]] * len(clips.views))
    rows = []
    for clip, goal in enumerate(clips.goals):
        start = onto = middle
        if goal.task not in UNTRACKED:
            start = torch.stack([torch.from_numpy(clips.cubes[view][clip, clips.target[clip]]) for view in clips.views]).float()
        if goal.onto:
            other = THINGS.index(goal.onto)
            onto = torch.stack([torch.from_numpy(clips.cubes[view][clip, other]) for view in clips.views]).float()
        rows.append(goal_numbers(goal.task, goal.direction, start, onto, picture, sizes=None if sizes is None else sizes[clip]))
    return torch.stack(rows)


@torch.no_grad()
def moving_quality(net: Dynamics, windows: Windows, layer: RobotLayer, picture: tuple[int, int]) -> dict[str, float]:
    """Return the error of whole states relative to standing still, and how far the object ends from its true pixel, from the start of clips.

    Of fingers also how far their distance is from the true one, in all frames of some 500 windows.
    """
    views, marks = len(layer.views), layer.size.marks
    figures = {name: round(value, 4) for name, value in dynamics_quality(net, windows).items()}
    first = windows.firsts
    made = net.plan(
        windows.latents[windows.past[first]],
        windows.known[first],
        windows.goals[first],
        steps=1,
        generator=torch.Generator().manual_seed(0),
    )
    ends = [from_state(states, views, picture)[1] for states in (made[:, -1], windows.latents[windows.future[first, -1]])]
    moved = (ends[1] - from_state(windows.latents[windows.past[first, 2]], views, picture)[1]).norm(dim=2).mean(dim=1)
    error = (ends[0] - ends[1]).norm(dim=2).mean(dim=1)
    figures['object_end_median_px'] = round(float(error.median()), 2)
    figures['object_moves_median_px'] = round(float(moved.median()), 2)
    if marks:
        some = torch.arange(0, len(windows.past), max(1, len(windows.past) // 500))
        ask = (windows.latents[windows.past[some]], windows.known[some], windows.goals[some])
        made = net.plan(*ask, steps=4, generator=torch.Generator().manual_seed(0))
        apart = [
            (place[..., 0, :] - place[..., -1, :]).norm(dim=-1)
            for states in (made, windows.latents[windows.future[some]])
            for place in [layer.marks_of(from_state(states, views, picture, marks=marks)[0])]
        ]
        wrong = (apart[0] - apart[1]).abs()
        figures['fingers_median_px'] = round(float(wrong.median()), 3)
        figures['fingers_p95_px'] = round(float(wrong.quantile(0.95)), 3)
    return figures
