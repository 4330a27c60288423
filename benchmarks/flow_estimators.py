# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which optical flow recovers the joint motion best per millisecond? Simulated robot, exact flow, exact and learned field; 4 min on one core.

    nice python benchmarks/flow_estimators.py --pairs 80 --json flow_estimators.json
    nice python benchmarks/flow_estimators.py --raft raft_small_C_T_V2-01064c6d.pth --only raft     # weights from torchvision's pages

Every row is one estimator on the same pairs of pictures, all views at working size: end-point error on robot pixels by length of their true
flow; cosine, relative error (median) and worst R² of a joint of the joint step recovered with the exact field (what is lost is lost by the
flow) and with the learned one; CPU time of one thread per set of views, with the check back. Rows `+ photometric` refine that joint step on
the pictures; their time is that of the refinement alone. Blurred targets stand for dreamt pictures, which are softer than real ones.
`camera size` looks at the camera's own pictures, which only self-play has.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ModelContractError
from vera_core.imaging import to_working_size
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import FlowField, JacobianField
from vera_jidm.flow import FlowEstimator
from vera_jidm.flow.between import flow_between
from vera_jidm.flow.camera_size import estimate_from_camera_size
from vera_jidm.flow.consistency import round_trip_confidence
from vera_jidm.flow.dis import QUICK, DisFlow, DisSettings
from vera_jidm.flow.photometric import refine_joint_step
from vera_jidm.flow.pictures import to_grey
from vera_jidm.jacobian.learned import LearnedField
from vera_jidm.solve import solve_joint_step
from vera_sim.oracle import image_flow, image_jacobian
from vera_sim.scene import sample_scene
from vera_sim.world import World

TYPICAL_PX = 1.6
"""Joint steps are drawn so that every joint moves the pixels it moves by about this much, times a factor of 0.05 to 1.3 per pair."""
LARGEST_STEP_RAD = 0.2
POSE_SPREAD_RAD = 0.35
BINS_PX = ((0.0, 1.0), (1.0, 2.0), (2.0, 3.5), (3.5, 9.0))

Found = dict[str, tuple[FloatArray, FloatArray]]
Pictures = Mapping[str, RgbArray]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pair:
    """Two pictures per view, at working and at camera size, and the motion between them."""

    source: Pictures
    target: Pictures
    large_source: Pictures
    large_target: Pictures
    flow: dict[str, FloatArray]
    fields: dict[str, Mapping[str, JacobianField]]
    """By name of the field, then by view."""
    delta_q: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    estimator: str
    field: str
    blur_px: float
    error_px: list[float] | None
    """Mean end-point error by bin; None where there is no flow of its own."""
    cosine: float
    relative_error: float
    worst_r2: float
    ms: float


class Farneback:
    """OpenCV's polynomial expansion flow, as a yardstick."""

    def estimate(self, source: RgbArray, target: RgbArray) -> tuple[FloatArray, FloatArray]:
        """Return flow and confidence."""
        pair = to_grey(source), to_grey(target)
        forward, backward = (cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 4, 11, 5, 5, 1.1, 0) for a, b in (pair, pair[::-1]))  # type: ignore[call-overload]
        return forward, round_trip_confidence(forward, backward)


ESTIMATORS: dict[str, Callable[[], FlowEstimator]] = {
    'dis (shipped)': DisFlow,
    'dis quick': lambda: DisFlow(QUICK),
    'dis, no sharpness match': lambda: DisFlow(DisSettings(matched_sharpness=False)),
    'dis, 5 smoothing steps': lambda: DisFlow(DisSettings(refinement_steps=5)),
    'dis, patches every 2 px': lambda: DisFlow(DisSettings(patch_stride=2)),
    'dis, finest scale 1': lambda: DisFlow(DisSettings(finest_scale=1)),
    'OpenCV fast preset': lambda: DisFlow(DisSettings(finest_scale=2, gradient_steps=16, refinement_steps=5, matched_sharpness=False)),
    'OpenCV medium preset': lambda: DisFlow(DisSettings(finest_scale=1, patch_stride=3, refinement_steps=5, matched_sharpness=False)),
    'dis, upsampled 2x': lambda: DisFlow(DisSettings(upsample=2)),
    'dis, upsampled 2x, finest scale 1': lambda: DisFlow(DisSettings(upsample=2, finest_scale=1)),
    'dis, camera size': DisFlow,
    'farneback': Farneback,
}
REFINED = ('dis (shipped)', 'dis, camera size')
"""What the photometric refinement is tried on."""


def make_pairs(count: int, robot: Embodiment) -> list[Pair]:
    """Render pairs of poses; the same ones for the same count."""
    rng = np.random.default_rng(0)
    lower, upper = robot.limits('lower') + 0.1, robot.limits('upper') - 0.1
    world = World(robot)
    try:
        learned: LearnedField | None = LearnedField(robot)
    except ModelContractError as error:
        learned = None
        Console(stderr=True).print(f'without a learned field: {error}')
    spread = step_spread(world, robot)
    pairs = []
    for seed in range(count):
        world.set_scene(sample_scene(robot, seed))
        q = np.clip(robot.home + rng.normal(size=len(spread)) * POSE_SPREAD_RAD, lower, upper)
        q_next = np.clip(q + rng.normal(size=len(spread)) * spread * rng.uniform(0.05, 1.3), lower, upper)
        large_source, large_target = _pictures(world, q, robot), _pictures(world, q_next, robot)
        source, target = (
            {view: to_working_size(rgb, robot.working_size) for view, rgb in large.items()} for large in (large_source, large_target)
        )
        fields: dict[str, Mapping[str, JacobianField]] = {'exact': {view: image_jacobian(world, view, q) for view in robot.view_names}}
        if learned is not None:
            fields['learned'] = learned.predict(source, q)
        pairs.append(
            Pair(
                source=source,
                target=target,
                large_source=large_source,
                large_target=large_target,
                flow={view: image_flow(world, view, q, q_next) for view in robot.view_names},
                fields=fields,
                delta_q=q_next - q,
            )
        )
    world.close()
    return pairs


def step_spread(world: World, robot: Embodiment) -> FloatArray:
    """Return how much each joint has to move for TYPICAL_PX at home, over the pixels it moves, shape (n,), rad."""
    jacobians = [image_jacobian(world, view, robot.home).jacobian.reshape(-1, 2, len(robot.joint_names)) for view in robot.view_names]
    reach = np.linalg.norm(np.concatenate(jacobians), axis=1)
    seen = reach > 0
    rms = np.sqrt((reach**2).sum(axis=0) / np.maximum(seen.sum(axis=0), 1))
    return np.asarray(np.minimum(TYPICAL_PX / np.maximum(rms, 1e-6), LARGEST_STEP_RAD))


def _pictures(world: World, q: FloatArray, robot: Embodiment) -> dict[str, RgbArray]:
    world.set_joints(q)
    return {view: world.render(view) for view in robot.view_names}


def see(name: str, estimator: FlowEstimator | None, pairs: Sequence[Pair], blur_px: float) -> tuple[list[Found], float]:
    """Return what an estimator sees in every pair, and its CPU time per pair, ms; without one, the exact flow."""
    results, spent = [], 0.0
    for pair in pairs:
        if estimator is None:
            results.append({view: (flow, np.ones(flow.shape[:2], np.float32)) for view, flow in pair.flow.items()})
            continue
        large = name.endswith('camera size')
        source, target = (
            (pair.large_source, blurred(pair.large_target, 2 * blur_px)) if large else (pair.source, blurred(pair.target, blur_px))
        )
        begin = time.process_time()
        # Pictures at working size go through unchanged.
        sizes = {view: pair.source[view].shape[:2] for view in source}
        results.append({view: estimate_from_camera_size(estimator, source[view], target[view], sizes[view]) for view in source})
        spent += time.process_time() - begin
    return results, spent / len(pairs) * 1e3


def blurred(pictures: Pictures, blur_px: float) -> dict[str, RgbArray]:
    """Return softer pictures."""
    return {view: np.asarray(cv2.GaussianBlur(rgb, (0, 0), blur_px)) if blur_px else rgb for view, rgb in pictures.items()}


def error_by_length(pairs: Sequence[Pair], found: Sequence[Found]) -> list[float]:
    """Return the mean end-point error of robot pixels whose true flow is in each of BINS_PX, px."""
    truth = np.concatenate([flow.reshape(-1, 2) for pair in pairs for flow in pair.flow.values()])
    guess = np.concatenate([seen[view][0].reshape(-1, 2) for pair, seen in zip(pairs, found, strict=True) for view in pair.flow])
    length, error = np.linalg.norm(truth, axis=1), np.linalg.norm(guess - truth, axis=1)
    return [float(error[(length > low) & (length <= high)].mean()) for low, high in BINS_PX]


def rows_of(name: str, estimator: FlowEstimator | None, pairs: Sequence[Pair], blur_px: float, *, refined: bool) -> list[Row]:
    """Return the lines of one estimator: every field, plain and refined."""
    found, ms = see(name, estimator, pairs, blur_px)
    error_px = None if estimator is None else error_by_length(pairs, found)
    rows = []
    for field in pairs[0].fields:
        steps = [solve_joint_step(pair.fields[field], flow_field(seen)).delta_q for pair, seen in zip(pairs, found, strict=True)]
        rows.append(_row(name, field, blur_px, error_px, pairs, steps, ms))
        if refined:
            better, spent = [], 0.0
            for pair, step in zip(pairs, steps, strict=True):
                target = blurred(pair.target, blur_px)
                begin = time.process_time()
                better.append(refine_joint_step(pair.source, target, pair.fields[field], step).delta_q)
                spent += time.process_time() - begin
            rows.append(_row(f'{name} + photometric', field, blur_px, None, pairs, better, spent / len(pairs) * 1e3))
    return rows


def _row(
    name: str, field: str, blur_px: float, error_px: list[float] | None, pairs: Sequence[Pair], steps: Sequence[FloatArray], ms: float
) -> Row:
    truth, guess = np.stack([pair.delta_q for pair in pairs]), np.stack(steps)
    true_length, length = np.linalg.norm(truth, axis=1), np.linalg.norm(guess, axis=1)
    unexplained = ((guess - truth) ** 2).sum(axis=0) / ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    return Row(
        estimator=name,
        field=field,
        blur_px=blur_px,
        error_px=error_px,
        cosine=float(np.mean((truth * guess).sum(axis=1) / np.maximum(true_length * length, 1e-12))),
        relative_error=float(np.median(np.linalg.norm(guess - truth, axis=1) / true_length)),
        worst_r2=float(1 - unexplained.max()),
        ms=ms,
    )


def flow_field(found: Found) -> FlowField:
    """Return what flow_node would publish."""
    return flow_between({view: pair[0] for view, pair in found.items()}, {view: pair[1] for view, pair in found.items()})


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(title='flow and the joint step recovered from it')
    for column in ('estimator', 'field', 'blur px', f'error px, flow of {", ".join(f"{low:g}-{high:g}" for low, high in BINS_PX)} px'):
        table.add_column(column)
    for column in ('cosine', 'relative error', 'worst R²', 'ms'):
        table.add_column(column, justify='right')
    for row in rows:
        errors = '' if row.error_px is None else ' / '.join(f'{error:.2f}' for error in row.error_px)
        figures = (f'{row.cosine:.3f}', f'{row.relative_error:.2f}', f'{row.worst_r2:.2f}', f'{row.ms:.1f}' if row.ms else '')
        table.add_row(row.estimator, row.field, f'{row.blur_px:g}', errors, *figures)
    Console(width=None if Console().is_terminal else 140).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--robot', default='panda')
    parser.add_argument('--pairs', type=int, default=80)
    parser.add_argument('--blurs', type=float, nargs='+', default=[0.0, 1.0], help='blur of the target, px')
    parser.add_argument('--only', default='', help='only estimators whose name contains this')
    parser.add_argument('--raft', type=Path, help='file with weights of RAFT')
    parser.add_argument('--json', type=Path, help='write the rows here too')
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    estimators = dict(ESTIMATORS)
    if arguments.raft:
        from vera_jidm.flow.raft import RaftFlow

        estimators['raft'] = lambda: RaftFlow(arguments.raft)
    load = os.getloadavg()[0]
    pairs = make_pairs(arguments.pairs, load_embodiment(arguments.robot))
    rows = rows_of('exact flow', None, pairs, 0.0, refined=True)
    for blur_px in arguments.blurs:
        for name, make in estimators.items():
            if arguments.only in name:
                rows += rows_of(name, make(), pairs, blur_px, refined=name in REFINED)
    show(rows)
    if arguments.json:
        document = {
            'robot': arguments.robot,
            'pairs': len(pairs),
            'bins_px': BINS_PX,
            'load_at_start': load,
            'rows': [asdict(row) for row in rows],
        }
        arguments.json.write_text(json.dumps(document, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
