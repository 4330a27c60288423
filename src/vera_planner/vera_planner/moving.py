# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How robot and object move together: the latent dynamics of reach, with the object's pixels beside the robot's latent and the task in the goal.

A state is the robot's pose (its latent, with its marks where it has some) and where the object is in every view, in units of OBJECT_PX from the middle of the picture, so that both have
spreads of a few units. The goal says where the object was when the task began, where the other thing is, which task, and which way; for robots
that grasp also how large both showed there, without which nobody can tell a firm grip of a large object from a loose one of a small one.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vera_planner.models.anchor import Anchor, AnchorSize
from vera_planner.models.dynamics import Dynamics, DynamicsSize
from vera_planner.models.reader import DIRECTIONS, TASKS
from vera_planner.models.robot_layer import MARK_PX
from vera_planner.weights_file import fill_modules, kept_metadata, reading_weights, write_weights

FORMAT = 1
MOVING = 'embedded_{robot}_moving.safetensors'
"""Name of the file of a robot."""
MAKE_COMMAND = 'vera train planner --task push'
UNTRACKED = ('rotate',)
"""Tasks that turn their object where it lies: it is not followed, and stands in the middle of the pictures in states and goals."""
OBJECT_PX = 5.0
FINGERS_GAIN = 12.0
"""How much larger the distances of marks from their middle stand in a state than in a pose: a forecast is as good as what it is about is large,
and of all that a state tells these move least. Fingers that were forecast 2 px too far apart touched their cube and did not hold it. Larger
still, or places larger too, and arms are forecast that no robot has."""
NEAR_PX = 4.0
"""Unit of the differences of places that the network is shown besides the places."""
RELATED = 4
"""So many such differences."""
SIZE_PX = 14.0
"""Twice the size at which a cube shows."""
CHOSEN, OTHER = 0.75, 0.25
"""How the words that are meant, and those that are not, are written among the goal's numbers, which lie around 0.5."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MovingModel:
    """Dynamics of one robot with an object, for some tasks. Made for the robot layer of one file of weights."""

    dynamics: Dynamics
    tasks: tuple[str, ...]
    """What it has learned."""
    layer_sha256: str
    """Digest of the weights whose latents it continues."""
    sized: bool = False
    """Whether goals tell how large things are."""
    anchor: Anchor | None = None
    """Makes latents of forecasts agree with their marks; None for robots without."""
    metadata: dict[str, Any]


def moving_size(pose: int, views: int, *, width: int, horizon: int = 20, sized: bool = False) -> DynamicsSize:
    """Return the size of the dynamics for robot poses of a length and a number of views, and goals with or without the sizes of things."""
    goals = (6 if sized else 4) * views + len(TASKS) + len(DIRECTIONS)
    relations = RELATED * 2 * views if sized else 0
    return DynamicsSize(latent=pose + 2 * views, goals=goals, width=width, horizon=horizon, relations=relations)


def relations(pose: int, goals: int, views: int, marks: int, picture: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return what `Dynamics.relate` takes for states of robots with marks: hand from object, object and hand from the other thing, object from its start.

    The hand is the middle of the marks. All four are zero just where it matters how exactly one knows them, and are a few hundredths of the spread of the places
    they are the difference of.

    Args:
        pose: Length of a pose.
        goals: Length of a goal.
        views: Number of views.
        marks: Of every view.
        picture: Height and width of the pictures, px.
    """
    columns = pose + 2 * views + goals
    hand, thing, start, onto = (torch.zeros((views, 2, columns)) for _ in range(4))
    width = 2 * _middle(picture)
    for view in range(views):
        for axis in range(2):
            number = 2 * view + axis
            first_mark = pose - 2 * marks * (views - view) + axis
            hand[view, axis, first_mark : pose - 2 * marks * (views - view - 1) : 2] = MARK_PX / marks
            thing[view, axis, pose + number] = OBJECT_PX
            start[view, axis, pose + 2 * views + number] = width[axis]
            onto[view, axis, pose + 4 * views + number] = width[axis]
    middle, none = _middle(picture).expand(views, 2), torch.zeros((views, 2))
    matrix = torch.stack([hand - thing, thing - onto, hand - onto, thing - start]).flatten(0, 2) / NEAR_PX
    return matrix, torch.stack([none, -middle, -middle, -middle]).flatten() / NEAR_PX


def to_state(poses: Tensor, uv: Tensor, picture: tuple[int, int], *, marks: int = 0) -> Tensor:
    """Return states (..., pose + 2 V) of robot poses (..., pose) with so many marks a view, and object pixels (..., V, 2) in pictures of (H, W) px."""
    return torch.cat([_spread(poses, uv.shape[-2], marks, FINGERS_GAIN), ((uv - _middle(picture)) / OBJECT_PX).flatten(-2)], dim=-1)


def from_state(state: Tensor, views: int, picture: tuple[int, int], *, marks: int = 0) -> tuple[Tensor, Tensor]:
    """Return robot poses (..., pose) and object pixels (..., V, 2) of states; the reverse of `to_state`."""
    poses, uv = state[..., : -2 * views], state[..., -2 * views :]
    return _spread(poses, views, marks, 1 / FINGERS_GAIN), uv.unflatten(-1, (views, 2)) * OBJECT_PX + _middle(picture)


def _spread(poses: Tensor, views: int, marks: int, gain: float) -> Tensor:
    """Return poses whose marks are `gain` times as far from their middle in every view."""
    if not marks:
        return poses
    latent = poses.shape[-1] - 2 * marks * views
    places = poses[..., latent:].unflatten(-1, (views, marks, 2))
    middle = places.mean(dim=-2, keepdim=True)
    return torch.cat([poses[..., :latent], (middle + gain * (places - middle)).flatten(-3)], dim=-1)


def goal_numbers(
    task: str, direction: str, start: Tensor, onto: Tensor, picture: tuple[int, int], *, sizes: Tensor | None = None
) -> Tensor:
    """Return the goal of the dynamics, shape (4 V + tasks + directions,), or with sizes (6 V + tasks + directions,).

    Args:
        task: One of `reader.TASKS`.
        direction: One of `reader.DIRECTIONS`.
        start: Where the object was when the task began, shape (V, 2), px.
        onto: Where the other thing is, shape (V, 2), px; the middle of the pictures for tasks without one.
        picture: Height and width of the pictures, px.
        sizes: How large both show there, shape (2, V), px, 0 where that is not known; None for dynamics that are not told.
    """
    words = [CHOSEN if word == task else OTHER for word in TASKS] + [CHOSEN if word == direction else OTHER for word in DIRECTIONS]
    places = torch.cat([start, onto]) / (2 * _middle(picture))
    told = () if sizes is None else (sizes.flatten() / SIZE_PX,)
    return torch.cat([places.flatten(), torch.tensor(words), *told])


def _middle(picture: tuple[int, int]) -> Tensor:
    return torch.tensor([picture[1] / 2, picture[0] / 2], dtype=torch.float32)


def save_moving(model: MovingModel, path: Path) -> None:
    """Write the dynamics and its page."""
    page = {
        'format': FORMAT,
        'tasks': list(model.tasks),
        'layer_sha256': model.layer_sha256,
        'sized': model.sized,
        'dynamics': dataclasses.asdict(model.dynamics.size),
        **({'anchor': dataclasses.asdict(model.anchor.size)} if model.anchor else {}),
        **kept_metadata(model.metadata),
    }
    write_weights(path, {'dynamics': model.dynamics, **({'anchor': model.anchor} if model.anchor else {})}, page)


def load_moving(path: Path) -> MovingModel:
    """Read the dynamics.

    Raises:
        ModelContractError: If a file is missing, damaged or does not fit; the text names it and the command that makes it.
    """
    with reading_weights(path, FORMAT, MAKE_COMMAND) as (page, tensors):
        dynamics = Dynamics(DynamicsSize(**page['dynamics']))
        anchor = Anchor(AnchorSize(**page['anchor'])) if 'anchor' in page else None
        fill_modules({'dynamics': dynamics, **({'anchor': anchor} if anchor else {})}, tensors)
        return MovingModel(
            dynamics=dynamics,
            tasks=tuple(page['tasks']),
            layer_sha256=str(page['layer_sha256']),
            sized=bool(page.get('sized', False)),
            anchor=anchor,
            metadata=page,
        )


def robots_that(task: str, folder: Path) -> list[str]:
    """Return the robots whose dynamics in a folder have learned a task, by name; files that cannot be read are left out."""
    before, after = MOVING.split('{robot}')
    robots = []
    for page in sorted(folder.glob(f'{before}*{after}')):
        try:
            tasks = json.loads(page.with_suffix('.json').read_text(encoding='utf-8'))['tasks']
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if task in tasks:
            robots.append(page.name.removeprefix(before).removesuffix(after))
    return robots
