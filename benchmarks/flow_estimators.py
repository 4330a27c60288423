# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which optical flow recovers the joint motion best per millisecond? Simulated Panda, exact flow and exact Jacobian, two views at 128 px.

    MUJOCO_GL=egl python benchmarks/flow_estimators.py --pairs 60

Every row is one estimator on the same pairs of pictures: end-point error on robot pixels by length of the true flow, cosine and relative error of
the joint step recovered with the exact Jacobian (what is lost is lost by the flow), CPU time per set of two views with the check back.
Blurred targets stand for dreamt pictures, which are softer than real ones.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.imaging import to_working_size
from vera_core.shapes import FloatArray, RgbArray
from vera_core.types import FlowField, JacobianField
from vera_jidm.flow.dis import QUICK, DisFlow, DisSettings
from vera_jidm.solve import solve_joint_step
from vera_sim.oracle import image_flow, image_jacobian
from vera_sim.scene import sample_scene
from vera_sim.world import World

STEP_STD_RAD = np.array([0.064, 0.045, 0.049, 0.044, 0.12, 0.10, 0.17])
"""Joint steps are drawn so that every joint moves the picture about equally."""
BINS_PX = ((0.0, 1.0), (1.0, 2.0), (2.0, 3.5), (3.5, 9.0))
ESTIMATORS = {
    'shipped': DisSettings(),
    'no sharpness match': DisSettings(matched_sharpness=False),
    'refined (5 steps)': DisSettings(refinement_steps=5),
    'patches every 3 px': DisSettings(patch_stride=3),
    'patches every 2 px': DisSettings(patch_stride=2),
    'patch 6 px every 2': DisSettings(patch_size=6, patch_stride=2),
    'finest scale 1': DisSettings(finest_scale=1),
    'OpenCV medium preset': DisSettings(finest_scale=1, patch_stride=3, refinement_steps=5, matched_sharpness=False),
    'quick': QUICK,
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pair:
    """Two pictures per view and the motion between them."""

    source: dict[str, RgbArray]
    target: dict[str, RgbArray]
    flow: dict[str, FloatArray]
    fields: dict[str, JacobianField]
    delta_q: FloatArray


def make_pairs(count: int, robot: Embodiment) -> list[Pair]:
    """Render pairs of arm poses; the same ones for the same count."""
    rng = np.random.default_rng(0)
    lower, upper = robot.limits('lower') + 0.1, robot.limits('upper') - 0.1
    world = World(robot)
    pairs = []
    for seed in range(count):
        world.set_scene(sample_scene(robot, seed))
        q = np.clip(robot.home + rng.normal(size=7) * 0.35, lower, upper)
        q_next = np.clip(q + rng.normal(size=7) * STEP_STD_RAD * rng.uniform(0.05, 1.3), lower, upper)
        pairs.append(
            Pair(
                source=_pictures(world, q, robot),
                target=_pictures(world, q_next, robot),
                flow={view: image_flow(world, view, q, q_next) for view in robot.view_names},
                fields={view: image_jacobian(world, view, q) for view in robot.view_names},
                delta_q=q_next - q,
            )
        )
    world.close()
    return pairs


def _pictures(world: World, q: FloatArray, robot: Embodiment) -> dict[str, RgbArray]:
    world.set_joints(q)
    return {view: to_working_size(world.render(view), robot.working_size) for view in robot.view_names}


def measure(settings: DisSettings | None, pairs: Sequence[Pair], blur_px: float) -> str:
    """Return one row of the table; without settings the exact flow is used."""
    errors, lengths, cosines, relative, spent = [], [], [], [], 0.0
    for pair in pairs:
        target = {view: cv2.GaussianBlur(rgb, (0, 0), blur_px) if blur_px else rgb for view, rgb in pair.target.items()}
        begin = time.process_time()
        if settings is None:
            found = {view: (flow, np.ones(flow.shape[:2], np.float32)) for view, flow in pair.flow.items()}
        else:
            estimator = DisFlow(settings)
            found = {view: estimator.estimate(pair.source[view], target[view]) for view in pair.source}
        spent += time.process_time() - begin
        robot_px = {view: np.linalg.norm(flow, axis=-1) > 0 for view, flow in pair.flow.items()}
        truth = np.concatenate([pair.flow[view][robot_px[view]] for view in pair.flow])
        guess = np.concatenate([found[view][0][robot_px[view]] for view in pair.flow])
        errors.append(float(np.linalg.norm(guess - truth, axis=-1).mean()))
        lengths.append(float(np.linalg.norm(truth, axis=-1).mean()))
        step = solve_joint_step(pair.fields, _flow_field(found)).delta_q
        cosines.append(float(step @ pair.delta_q / max(np.linalg.norm(step) * np.linalg.norm(pair.delta_q), 1e-12)))
        relative.append(float(np.linalg.norm(step - pair.delta_q) / np.linalg.norm(pair.delta_q)))
    length, error = np.array(lengths), np.array(errors)
    by_length = ' / '.join(f'{error[(length >= low) & (length < high)].mean():.2f}' for low, high in BINS_PX)
    return f'{by_length} | {np.mean(cosines):.3f} | {np.median(relative):.2f} | {spent / len(pairs) * 1e3:.1f}'


def _flow_field(found: dict[str, tuple[FloatArray, FloatArray]]) -> FlowField:
    return FlowField(
        stamp_ns=1,
        plan_id=1,
        task_id=1,
        step=1,
        dt_s=0.3,
        flow={view: pair[0] for view, pair in found.items()},
        confidence={view: pair[1] for view, pair in found.items()},
        remaining_px=0.0,
        at_plan_end=False,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pairs', type=int, default=60)
    parser.add_argument('--blurs', type=float, nargs='+', default=[0.0, 1.0], help='blur of the target, px')
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pairs = make_pairs(arguments.pairs, load_embodiment('panda'))
    print(f'{len(pairs)} pairs; error by mean true flow of {", ".join(f"{low:g}-{high:g}" for low, high in BINS_PX)} px')
    print('| estimator | blur px | error px | cosine | relative error | ms per 2 views |\n|---|---|---|---|---|---|')
    print(f'| exact flow | – | {measure(None, pairs, 0.0)} |', flush=True)
    for blur_px in arguments.blurs:
        for name, settings in ESTIMATORS.items():
            print(f'| {name} | {blur_px:g} | {measure(settings, pairs, blur_px)} |', flush=True)


if __name__ == '__main__':
    main()
