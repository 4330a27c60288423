# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How far does an arm move wrongly until the gates notice that cameras, joints and field do not belong together, and do they stay quiet when all is well?

    python benchmarks/divergence.py                                   # Panda: every fault three times, 20 good motions
    python benchmarks/divergence.py --robot allegro --cases good swapped --report divergence_allegro.json

Random recorded motions are followed closed loop without ROS, as in closed_loop.py. The plan is made from pictures of the same faulty cameras, so
that it agrees with what they show. Wrong motion is the largest distance of any joint (of the reversed one, where one is) from the nearest pose of
the recorded motion, in degrees, at any time until the arm rests; what good motions have of it is in the first row.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from rich.console import Console
from rich.table import Table

from vera_bringup.closed_loop import ClosedLoop, Followed, LoopSettings
from vera_bringup.closed_loop_motion import Motion, film_motion
from vera_bringup.closed_loop_run import SCENE_SEEDS
from vera_control.params import ExecutiveParams
from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import FloatArray, RgbArray
from vera_jidm.registry import JACOBIAN_MODELS
from vera_sim.scene import sample_scene
from vera_sim.world import World

SHIFT_SHARE = 0.15
FREEZES_AFTER = 12
"""Pictures of one view until it freezes."""


class Fault:
    """A world as it is, seen and moved as it should be. Subclasses change one thing each."""

    def __init__(self, world: World) -> None:
        self.shown = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shown, name)


class Cameras(Fault):
    """Pictures changed on their way."""

    def __init__(self, world: World, source: Mapping[str, str], change: Callable[[RgbArray], RgbArray]) -> None:
        super().__init__(world)
        self._source, self._change = source, change

    def render(self, view: str) -> RgbArray:
        """Return the picture that arrives under the name of a view."""
        return np.ascontiguousarray(self._change(self.shown.render(self._source[view])))


class FrozenCamera(Fault):
    """The first view sends one picture for ever after a while, with new stamps."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._count = 0
        self._kept: RgbArray | None = None

    def render(self, view: str) -> RgbArray:
        """Return a picture."""
        picture = self.shown.render(view)
        if view != self.shown.robot.view_names[0]:
            return picture
        self._count += 1
        if self._count == FREEZES_AFTER:
            self._kept = picture
        return picture if self._kept is None else self._kept


class JointSign(Fault):
    """One joint counts the other way about the pose it starts at: in commands, and where `measured` is set in measurements too."""

    def __init__(self, world: World, joint: int, start: FloatArray, *, measured: bool) -> None:
        super().__init__(world)
        self._sign = np.ones(len(start))
        self._sign[joint] = -1.0
        self._start, self._is_measured = start, measured

    @property
    def joint_position(self) -> FloatArray:
        """What the driver reports, rad."""
        return self._turned(self.shown.joint_position) if self._is_measured else self.shown.joint_position

    @property
    def joint_velocity(self) -> FloatArray:
        """What the driver reports, rad/s."""
        return self._sign * self.shown.joint_velocity if self._is_measured else self.shown.joint_velocity

    def step(self, position: FloatArray, velocity: FloatArray) -> None:
        """Carry out a command."""
        self.shown.step(self._turned(position), self._sign * velocity)

    def _turned(self, position: FloatArray) -> FloatArray:
        return np.asarray(self._start + self._sign * (position - self._start))


class Watched(Fault):
    """Notes where the arm really is, whatever anybody reports."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.track: list[FloatArray] = []

    def step(self, position: FloatArray, velocity: FloatArray) -> None:
        """Carry out a command and look."""
        self.shown.step(position, velocity)
        self.track.append(self.shown.joint_position)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One motion under one fault."""

    case: str
    seed: int
    outcome: str
    reason: str
    """Why the controller held or stopped last."""
    wrong_deg: float
    moved_deg: float
    """Longest way of any joint, degrees."""
    time_s: float


def camera_faults(robot: Embodiment) -> dict[str, tuple[dict[str, str], Callable[[RgbArray], RgbArray]]]:
    """Return name to (view shown under the name of a view, change of its pictures)."""
    same = {view: view for view in robot.view_names}
    names = robot.view_names
    return {
        'swapped': (dict(zip(names, (*names[1:], names[0]), strict=True)), lambda rgb: rgb),
        'mirrored': (same, lambda rgb: rgb[:, ::-1]),
        'upside down': (same, lambda rgb: rgb[::-1, ::-1]),
        'shifted': (same, lambda rgb: np.roll(rgb, round(SHIFT_SHARE * rgb.shape[1]), axis=1)),
    }


def case_names(robot: Embodiment) -> list[str]:
    """Return all cases of a robot."""
    joints = range(1, len(robot.joints) + 1)
    return [
        'good',
        *(camera_faults(robot) if len(robot.view_names) > 1 else ['mirrored', 'upside down', 'shifted']),
        'frozen',
        *(f'joint {joint} reversed' for joint in joints),
        *(f'command {joint} reversed' for joint in joints),
    ]


def faulty(world: World, case: str, start: FloatArray) -> Fault:
    """Return a world with a fault."""
    cameras = camera_faults(world.robot)
    if case in cameras:
        return Cameras(world, *cameras[case])
    if case == 'frozen':
        return FrozenCamera(world)
    if case.endswith('reversed'):
        return JointSign(world, int(case.split()[1]) - 1, start, measured=case.startswith('joint'))
    return Fault(world)


def planned(case: str, motion: Motion, robot: Embodiment) -> Motion:
    """Return the motion with its video as faulty cameras would have filmed it."""
    cameras = camera_faults(robot)
    if case not in cameras:
        return motion
    source, change = cameras[case]
    frames = {view: np.stack([change(rgb) for rgb in motion.plan.frames[source[view]]]) for view in robot.view_names}
    return replace(motion, plan=replace(motion.plan, frames=frames))


def wrong_deg(track: FloatArray, path: FloatArray, *, joint: int | None) -> float:
    """Return the largest distance of one joint (None: of any joint) from the nearest pose of a path, degrees."""
    shares = np.linspace(0.0, len(path) - 1.0, 8 * len(path))
    dense = np.stack([np.interp(shares, np.arange(len(path)), path[:, joint]) for joint in range(path.shape[1])], axis=1)
    errors = track[:, None, :] - dense[None]
    nearest = np.argmin(np.linalg.norm(errors, axis=2), axis=1)
    wrong = np.abs(errors[np.arange(len(track)), nearest])
    return float(np.degrees(np.max(wrong if joint is None else wrong[:, joint])))


def run_case(world: World, model: Any, case: str, seed: int, settings: LoopSettings) -> Row:
    """Follow one motion under one fault."""
    scene = sample_scene(world.robot, seed)
    world.set_scene(scene)
    motion = film_motion(world, seed)
    world.set_scene(scene)
    watched = Watched(world)
    shown = faulty(cast('World', watched), case, motion.path[0])
    followed: Followed = ClosedLoop(cast('World', shown), model, settings).follow(planned(case, motion, world.robot).plan, motion.path[0])
    track = np.stack(watched.track[::10])
    return Row(
        case=case,
        seed=seed,
        outcome=followed.outcome.code.name,
        reason=followed.reason.name,
        wrong_deg=round(wrong_deg(track, motion.path, joint=int(case.split()[1]) - 1 if case.endswith('reversed') else None), 2),
        moved_deg=round(float(np.degrees(np.max(np.abs(np.diff(track, axis=0)).sum(axis=0)))), 2),
        time_s=round(followed.outcome.elapsed_s, 2),
    )


def table_of(rows: Sequence[Row]) -> Table:
    """Return one line per case."""
    table = Table('case', 'motions', 'stopped', 'reasons', 'wrong motion deg, median', 'worst', 'time s')
    for case in dict.fromkeys(row.case for row in rows):
        those = [row for row in rows if row.case == case]
        reasons = ', '.join(sorted({row.reason for row in those}))
        wrong = [row.wrong_deg for row in those]
        stopped = sum(row.outcome == 'STOPPED' for row in those)
        table.add_row(
            case,
            str(len(those)),
            str(stopped),
            reasons,
            f'{np.median(wrong):.1f}',
            f'{max(wrong):.1f}',
            f'{np.median([row.time_s for row in those]):.1f}',
        )
    return table


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--robot', default='panda')
    parser.add_argument('--cases', nargs='*', help='names of cases; all when left out')
    parser.add_argument('--good', type=int, default=20, help='motions without a fault')
    parser.add_argument('--each', type=int, default=3, help='motions per fault')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--report', type=Path, help='JSON file; rows of other cases in it are kept')
    arguments = parser.parse_args()
    robot = load_embodiment(arguments.robot)
    known = case_names(robot)
    cases = arguments.cases or known
    if unknown := sorted(set(cases) - set(known)):
        raise ConfigError(f'unknown cases {unknown}; known: {known}')
    world = World(robot)
    model = JACOBIAN_MODELS.make('learned', robot=robot, folder=None)
    settings = LoopSettings(executive=ExecutiveParams(max_replans=0))
    rows: list[Row] = []
    if arguments.report is not None and arguments.report.is_file():
        rows = [Row(**row) for row in json.loads(arguments.report.read_text(encoding='utf-8'))['rows'] if row['case'] not in cases]
    console = Console(width=140)
    for case in cases:
        for index in range(arguments.good if case == 'good' else arguments.each):
            seed = int(np.random.default_rng([arguments.seed, index, 97]).integers(*SCENE_SEEDS))
            rows.append(run_case(world, model, case, seed, settings))
            console.print(rows[-1], highlight=False)
            if arguments.report is not None:
                document = {'robot': robot.name, 'rows': [asdict(row) for row in sorted(rows, key=lambda row: known.index(row.case))]}
                arguments.report.write_text(json.dumps(document, indent=1) + '\n', encoding='utf-8')
    world.close()
    console.print(table_of(rows))


if __name__ == '__main__':
    main()
