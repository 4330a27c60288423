# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings the simulator's expert videos to the planner's training and measurement, which know nothing of a simulator."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from vera_bringup.experts import film_clips
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.goals import held_out_goals
from vera_planner.moving import MOVING, save_moving
from vera_planner.reading import READER, save_reader
from vera_planner.training.dataset import load_clips
from vera_planner.training.evaluate import evaluate_planner
from vera_planner.training.marked import OWN_SHARES, LayerLesson, train_marked_layer, train_own_layer
from vera_planner.training.marked import SHARES as MARKED_SHARES
from vera_planner.training.moving import WIDTH, train_moving
from vera_planner.training.reading import train_reader
from vera_planner.training.show import ProgressShow
from vera_planner.training.train import train_planner
from vera_planner.weights import LAYER, SHIPPED, EmbeddedModel, load_model, save_model, shipped_weights
from vera_sim.clip_set import write_dataset
from vera_sim.tasks import find_task

HELD_OUT_FIRST_SEED = 500_000
"""Held-out videos have seeds from here on; training videos count from 0."""
TOGETHER: Mapping[str, tuple[str, ...]] = {'push': ('push',), 'pick': ('pick', 'stack'), 'stack': ('pick', 'stack'), 'rotate': ('rotate',)}
"""Tasks besides reach whose dreams the embedded planner can learn, and which are learned together with each."""


@dataclass(frozen=True, slots=True)
class LayerKind:
    """How what finds and paints a robot is trained, where the robot of reach is another."""

    train: Callable[[LayerLesson], EmbeddedModel]
    shares: Mapping[str, float]
    """Stage to its part of the time."""
    width: int = WIDTH
    """Of the dynamics' network."""


LAYERS = {'panda_gripper': LayerKind(train_marked_layer, MARKED_SHARES), 'allegro': LayerKind(train_own_layer, OWN_SHARES, width=128)}
LAYER_SHARE = 0.7
"""Of the training's time for that."""
READER_SHARE = 0.2
"""Of the training's time for reading sentences."""


def train(robot_name: str, *, data: Path, work: Path, out: Path | None, clips: int, minutes: float, seed: int) -> int:
    """Render what is missing, train, put the weights in place; return 0."""
    console = Console(soft_wrap=True)
    _check_robot(robot_name)
    _render(data / 'train', range(clips), console)
    _render(data / 'heldout', range(HELD_OUT_FIRST_SEED, HELD_OUT_FIRST_SEED + 50), console)
    command = ' '.join(['vera', *sys.argv[1:]])
    made = train_planner(data / 'train', work, minutes=minutes, seed=seed, held_out_dir=data / 'heldout', command=command)
    target = out or Path(str(resources.files('vera_planner'))) / 'weights'
    target.mkdir(parents=True, exist_ok=True)
    for file in (made, made.with_suffix('.json')):
        shutil.copyfile(file, target / file.name)
    console.print(f'weights: {target / made.name}')
    return 0


def train_task(robot_name: str, task: str, *, data: Path, work: Path, out: Path | None, clips: int, minutes: float, seed: int) -> int:
    """Film what is missing, train the reader and how robot and object move together, put the weights beside those of reach; return 0.

    The reader is the same for all tasks and robots, and is trained with push; the fingers of a gripper are, with what is done with them.

    Raises:
        ConfigError: If the task moves nothing, or is another robot's.
    """
    if task not in TOGETHER:
        raise ConfigError(f"the embedded planner can learn {', '.join(TOGETHER)} besides reach, not '{task}'")
    tasks, robot = TOGETHER[task], load_embodiment(find_task(task).robot)
    if robot_name != robot.name:
        raise ConfigError(f'{task} is learned from the expert with {robot.name}, not {robot_name}; take --robot {robot.name}')
    console = Console(soft_wrap=True)
    train_dirs, held_out_dirs = [data / name / 'train' for name in tasks], [data / name / 'heldout' for name in tasks]
    for name, train_dir, held_out_dir in zip(tasks, train_dirs, held_out_dirs, strict=True):
        film_clips(name, robot.name, train_dir, seeds=range(clips), held_out=False)
        film_clips(
            name, robot.name, held_out_dir, seeds=range(HELD_OUT_FIRST_SEED, HELD_OUT_FIRST_SEED + 25), held_out=bool(held_out_goals(name))
        )
    command = ' '.join(['vera', *sys.argv[1:]])
    target, folder = out or Path(str(resources.files('vera_planner'))) / 'weights', work / '-'.join(tasks)
    model, figures = load_model(shipped_weights()), {}
    target.mkdir(parents=True, exist_ok=True)
    for file in (shipped_weights(), shipped_weights().with_suffix('.json')):
        if not (target / file.name).exists():  # the new weights go on from these, which have to lie beside them
            shutil.copyfile(file, target / file.name)
    kind = LAYERS.get(robot.name)
    stages = {name: LAYER_SHARE * share for name, share in kind.shares.items()} if kind else {'reader': READER_SHARE}
    first_minutes = minutes * sum(stages.values())
    with ProgressShow((*stages, 'moving', *(('anchor',) if 'marks' in stages else ()))) as show:
        if kind:
            learned, held_out = load_clips(*train_dirs), load_clips(*held_out_dirs)
            made = kind.train(
                LayerLesson(
                    base=model, base_name=SHIPPED, clips=learned, held_out=held_out, folder=folder,
                    minutes=first_minutes, seed=seed, command=command, report=show.report,
                )
            )  # fmt: skip
            path = target / LAYER.format(robot=robot.name)
            save_model(made, path)
            model, figures['layer'] = load_model(path), made.metadata['figures']
        else:
            reader, _ = train_reader(folder, minutes=first_minutes, seed=seed, command=command, report=show.report)
            save_reader(reader, target / READER)
            figures['reader'] = reader.metadata['figures']
        moving = train_moving(
            model, train_dirs, held_out_dirs, folder,
            minutes=minutes - first_minutes, seed=seed, command=command, width=kind.width if kind else WIDTH, report=show.report,
        )  # fmt: skip
    save_moving(moving, target / MOVING.format(robot=robot.name))
    console.print(_table({**figures, 'moving': moving.metadata['figures']}))
    console.print(f'weights: {target}')
    return 0


def measure(robot_name: str, *, data: Path, weights: str, clips: int, seed: int, json: Path | None) -> int:
    """Render what is missing, measure the planner on held-out videos, show the figures; return 0."""
    console = Console(soft_wrap=True)
    _check_robot(robot_name)
    _render(data / 'heldout', range(HELD_OUT_FIRST_SEED, HELD_OUT_FIRST_SEED + clips), console)
    train_dir = data / 'train' if any(data.glob('train/shard_*.npz')) else None
    if train_dir is None:
        console.print(f'no training videos in {data / "train"}: the comparison with the nearest training video is left out')
    figures = evaluate_planner(data / 'heldout', train_dir=train_dir, weights=weights, clips=clips, seed=seed, json_path=json)
    console.print(_table(figures))
    if json:
        console.print(f'report: {json}')
    return 0


def _check_robot(robot_name: str) -> None:
    robot = load_embodiment(robot_name)
    if robot.name != 'panda':
        raise ConfigError(
            f'the scripted expert knows the panda only, not {robot.name}; train the planner on videos of your own with vera_planner'
        )


def _render(folder: Path, seeds: range, console: Console) -> None:
    """Write the videos of `seeds` that are not there yet."""
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f'rendering videos into {folder}', total=len(seeds))
        write_dataset(load_embodiment('panda'), folder, seeds, on_clip=lambda seed: progress.update(task, completed=seed - seeds.start + 1))


def _table(figures: dict[str, Any]) -> Table:
    """Show nested figures, one line each, with the path of names that leads to them."""
    table = Table(title='embedded planner, held-out layouts', show_header=False)
    for name, value in _flatten('', figures):
        table.add_row(name, f'{value:.3f}' if isinstance(value, float) else str(value))
    return table


def _flatten(prefix: str, figures: dict[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in figures.items():
        label = f'{prefix}{name}'
        rows += _flatten(f'{label} · ', value) if isinstance(value, dict) else [(label, value)]
    return rows
