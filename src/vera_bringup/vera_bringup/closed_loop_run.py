# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Many random motions of a robot, filmed and followed closed loop; `vera evaluate --task follow` and benchmarks/closed_loop.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from vera_bringup.closed_loop import ClosedLoop, LoopSettings
from vera_bringup.closed_loop_motion import film_motion
from vera_bringup.closed_loop_report import LoopRow, measure, rows_table, summarise, summary_table
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError, nearest_name_hint
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import JacobianField
from vera_jidm.jacobian.model import JacobianModel
from vera_jidm.registry import JACOBIAN_MODELS
from vera_sim.oracle import image_jacobian
from vera_sim.scene import sample_scene
from vera_sim.world import World

EXACT = 'analytic'
SCENE_SEEDS = (2**32, 2**48)
"""No training data was drawn from these."""
TABLE_WIDTH = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowRequest:
    """What to follow.

    Raises:
        ConfigError: If a name or number cannot be used.
    """

    robot: str = 'panda'
    field: str = 'learned'
    """A field by its registered name; `analytic` without weights is the exact one of the simulator."""
    weights: str = ''
    """Folder with the weights of the field; empty for those of the robot."""
    episodes: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        known = sorted({*JACOBIAN_MODELS.names, EXACT})
        if self.field not in known:
            raise ConfigError(f"unknown field '{self.field}'; {nearest_name_hint(self.field, known)}")
        if self.episodes < 1 or self.seed < 0:
            raise ConfigError(f'episodes is {self.episodes} and seed is {self.seed}; need episodes >= 1 and seed >= 0')
        load_embodiment(self.robot)


class OracleField:
    """The exact field of what a simulated robot's cameras see at this moment, objects that hide it included. Implements JacobianModel."""

    def __init__(self, world: World) -> None:
        """Look at `world` through a copy, so that nothing in it is moved."""
        self._shown = world
        self._copy = World(world.robot, world.scene)

    def predict(self, frames: Mapping[str, RgbArray], position: FloatArray) -> Mapping[str, JacobianField]:
        """Return the field of every view at joints of shape (n,), rad; pictures are not looked at."""
        self._copy.copy_state(self._shown)
        return {view: image_jacobian(self._copy, view, position) for view in frames}


def open_field(robot: Embodiment, world: World, *, name: str, weights: Path | None) -> JacobianModel:
    """Return a field by name; see FollowRequest."""
    if name == EXACT and weights is None:
        return OracleField(world)
    return JACOBIAN_MODELS.make(name, robot=robot, folder=weights)


def follow_motions(
    request: FollowRequest,
    *,
    settings: LoopSettings | None = None,
    done: Sequence[LoopRow] = (),
    on_row: Callable[[LoopRow], None] = lambda _: None,
) -> list[LoopRow]:
    """Film and follow all motions of a request and return their rows.

    Args:
        request: Robot, field, number and seed.
        settings: Of the loop.
        done: Rows of an earlier run that was stopped; their motions are not followed again.
        on_row: Called with every new row.
    """
    robot = load_embodiment(request.robot)
    world = World(robot)
    model = open_field(robot, world, name=request.field, weights=Path(request.weights) if request.weights else None)
    loop = ClosedLoop(world, model, settings)
    there = {row.seed: row for row in done}
    rows = []
    for index in range(request.episodes):
        seed = int(np.random.default_rng([request.seed, index, 97]).integers(*SCENE_SEEDS))
        if seed in there:
            rows.append(there[seed])
            continue
        scene = sample_scene(robot, seed)
        world.set_scene(scene)
        motion = film_motion(world, seed)
        world.set_scene(scene)
        row = measure(world, motion, loop.follow(motion.plan, motion.path[0]))
        rows.append(row)
        on_row(row)
    world.close()
    return rows


def follow_and_show(request: FollowRequest, *, report: Path | None) -> int:
    """Follow all motions, print a line for each as it ends and the figures at the end; go on from a report of the same request; return 0."""
    console = Console(soft_wrap=True)
    if not console.is_terminal:
        console.width = TABLE_WIDTH
    done = read_rows(report, request) if report is not None else []
    console.print(f'{request.episodes} random motions of {request.robot}, followed without ROS, field {request.field}')
    rows = list(done)

    def show(row: LoopRow) -> None:
        rows.append(row)
        console.print(
            f'  {row.tip_error_mm:5.1f} mm  {row.joint_error_rad:.3f} rad  {row.time_s:4.1f} s  {row.outcome.lower()}', highlight=False
        )
        if report is not None:
            write_rows(report, request, rows)

    rows = follow_motions(request, done=done, on_row=show)
    console.print(rows_table(rows))
    console.print(summary_table(f'{request.robot} · follow · {request.field}', summarise(rows)))
    if report is not None:
        write_rows(report, request, rows)
        console.print(f'report: {report}')
    return 0


def write_rows(path: Path, request: FollowRequest, rows: Sequence[LoopRow]) -> None:
    """Write request, figures and rows as JSON."""
    document = {'request': asdict(request), 'summary': summarise(rows), 'episodes': [asdict(row) for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + '\n', encoding='utf-8')


def read_rows(path: Path, request: FollowRequest) -> list[LoopRow]:
    """Return the rows of a report of the same request, however many episodes it was for; none when there is no such report.

    Raises:
        ConfigError: If the file is a report of something else, which would be overwritten.
    """
    if not path.is_file():
        return []
    document: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    before = document.get('request', {}) | {'episodes': request.episodes}
    if before != asdict(request):
        raise ConfigError(f'{path} is a report of {document.get("request")}; give another file or delete it')
    rows: list[dict[str, Any]] = [
        {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()} for row in document['episodes']
    ]
    return [LoopRow(**row) for row in rows]
